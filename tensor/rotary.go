package tensor

import (
	"math"
	"sync"
	"sync/atomic"
)

// Rotary is the rotations of rotary position embedding (Su et al. 2021,
// RoFormer). The first D channels of each head turn in pairs, pair i by pos *
// Freq[i]; the others stay. Tables are made when a position is first used, so
// a long context costs nothing until it is.
type Rotary struct {
	D     int       // channels of a head that turn, even
	Head  int       // width of a head; 0: D
	Pairs bool      // rotate (2i, 2i+1) as in GPT-J, else (i, i+D/2) as in Llama's Hugging Face layout
	Freq  []float64 // D/2: radians from one position to the next
	Scale float64   // of what turned (YaRN's attention factor); 0: 1

	grow  sync.Mutex
	pages atomic.Pointer[[]*rotaryPage]
}

// rotaryPage is the tables of some neighbouring positions.
type rotaryPage struct{ cos, sin []float32 }

// pagePositions is the positions of a page.
const pagePositions = 256

// Width is the width of a head.
func (r *Rotary) Width() int {
	if r.Head != 0 {
		return r.Head
	}
	return r.D
}

// Turn is the cosine and the sine of pair i at a position, scaled.
func (r *Rotary) Turn(pos int32, i int) (cos, sin float64) {
	angle, scale := float64(pos)*r.Freq[i], r.Scale
	if scale == 0 {
		scale = 1
	}
	return scale * math.Cos(angle), scale * math.Sin(angle)
}

// Float32 is Turn for all pairs of a position, rounded to f32 (D/2 each).
func (r *Rotary) Float32(pos int32) (cos, sin []float32) {
	p, half := int(pos)/pagePositions, r.D/2
	list := r.pages.Load()
	if list == nil || p >= len(*list) || (*list)[p] == nil {
		list = r.fill(p)
	}
	page, at := (*list)[p], int(pos)%pagePositions*half
	return page.cos[at : at+half], page.sin[at : at+half]
}

// fill makes page p and returns the new list of pages; lists that readers hold
// stay as they are.
func (r *Rotary) fill(p int) *[]*rotaryPage {
	r.grow.Lock()
	defer r.grow.Unlock()
	var pages []*rotaryPage
	if old := r.pages.Load(); old != nil {
		if p < len(*old) && (*old)[p] != nil {
			return old
		}
		pages = append(pages, *old...)
	}
	for len(pages) <= p {
		pages = append(pages, nil)
	}
	half := r.D / 2
	page := &rotaryPage{make([]float32, pagePositions*half), make([]float32, pagePositions*half)}
	for j := range page.cos {
		c, s := r.Turn(int32(p*pagePositions+j/half), j%half)
		page.cos[j], page.sin[j] = float32(c), float32(s)
	}
	pages[p] = page
	r.pages.Store(&pages)
	return &pages
}
