package cache_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

const page = tensor.PageTokens

func pool(t *testing.T, o cache.Options) (*cache.Pool, tensor.Backend) {
	t.Helper()
	b, err := cpu.New(cpu.Options{Threads: 1, Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if o.Layers == 0 {
		o.Layers = 2
	}
	o.KVHeads, o.HeadDim = 2, 4
	p, err := cache.New(b, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, b
}

// text is ids whose keys and values are numbers that tell token and layer.
func text(n int, seed uint64) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = int32(rng.Intn(seed, 0, uint64(i), 1000))
	}
	return x
}

// step writes the next tokens of s; a token's keys are its id plus the layer's
// share, so that any mix-up shows.
func step(b tensor.Backend, p *cache.Pool, s *cache.Seq, layers int, ids []int32) {
	batch := p.NewBatch()
	batch.Add(s, len(ids))
	for l := range layers {
		k := tensor.Over(b.Alloc(len(ids)*8*4), b.Wide(), len(ids), 8)
		x := make([]float32, len(ids)*8)
		for i, id := range ids {
			for j := range 8 {
				x[i*8+j] = float32(id) + float32(l)/16
			}
		}
		b.Upload(k, x)
		c := batch.Layer(l)
		c.H, c.Scale = 2, 1
		b.CacheStore(c, k, k)
	}
	batch.Advance()
}

// check reads the values of s back, those of tokens [from, Len); exact keys may
// lie in another order (kernel.Set.InPlace).
func check(t *testing.T, p *cache.Pool, s *cache.Seq, layers int, ids []int32, from int) {
	t.Helper()
	if s.Len() != len(ids) {
		t.Fatalf("%d tokens held, want %d", s.Len(), len(ids))
	}
	batch := p.NewBatch()
	batch.Add(s, 1)
	defer batch.Reset()
	for l := range layers {
		c := batch.Layer(l)
		for i := from; i < len(ids); i++ {
			values := tensor.PageData[float32](c.Seqs[0].Pages[i/page], c.Part(1, true), page*4)
			if got, want := values[i%page*4], float32(ids[i])+float32(l)/16; got != want {
				t.Fatalf("layer %d, token %d: value %g, want %g", l, i, got, want)
			}
		}
	}
}

func open(t *testing.T, p *cache.Pool, limit int) *cache.Seq {
	t.Helper()
	s, err := p.Open(limit)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPagesFollowTheSequence(t *testing.T) {
	p, b := pool(t, cache.Options{})
	x := text(300, 1)
	s := open(t, p, 400)
	if p.Budget().Held() != 0 {
		t.Errorf("%d bytes before the first token", p.Budget().Held())
	}
	for _, n := range []int{1, 63, 1, 100, 135} {
		step(b, p, s, 2, x[s.Len():s.Len()+n])
	}
	check(t, p, s, 2, x, 0)
	one := p.Bytes(1)
	if want := 5 * one; p.Budget().Held() != want {
		t.Errorf("300 tokens hold %d bytes, want 5 pages, %d", p.Budget().Held(), want)
	}
	s.Truncate(130)
	step(b, p, s, 2, x[10:50])
	check(t, p, s, 2, append(append([]int32{}, x[:130]...), x[10:50]...), 0)
	s.Close()
	again := open(t, p, 300)
	step(b, p, again, 2, x[:300])
	if want := 5 * one; p.Budget().Held() != want || p.Budget().Promised() != 5*one {
		t.Errorf("a second sequence holds %d bytes, promised %d; want the pages of the first, %d", p.Budget().Held(), p.Budget().Promised(), want)
	}
	again.Close()
	if p.Budget().Promised() != 0 {
		t.Errorf("%d bytes promised to nobody", p.Budget().Promised())
	}
}

func TestPrefixesAreShared(t *testing.T) {
	p, b := pool(t, cache.Options{PrefixTokens: 10 * page})
	x := text(300, 2)
	s := open(t, p, 400)
	step(b, p, s, 2, x)
	s.Publish(x)
	held := p.Budget().Held()
	other := append(append([]int32{}, x[:200]...), text(100, 3)...)
	r := open(t, p, 400)
	if n := r.Adopt(other); n != 3*page {
		t.Fatalf("adopted %d tokens of 200 that agree, want %d", n, 3*page)
	}
	step(b, p, r, 2, other[r.Len():])
	check(t, p, r, 2, other, 0)
	check(t, p, s, 2, x, 0)
	if want := held + 2*p.Bytes(1); p.Budget().Held() != want {
		t.Errorf("both hold %d bytes, want %d", p.Budget().Held(), want)
	}
	s.Close()
	// All but one token may come from the cache.
	exact := open(t, p, 400)
	if n := exact.Adopt(x[:4*page]); n != 3*page {
		t.Errorf("adopted %d of %d tokens: one must be left to compute", n, 4*page)
	}
	// Writing behind an adopted page leaves the shared one alone.
	exact.Truncate(page + 5)
	step(b, p, exact, 2, text(70, 9))
	check(t, p, r, 2, other, 0)
	exact.Close()
	r.Close()
	last := open(t, p, 400)
	if n := last.Adopt(x); n > 4*page {
		t.Errorf("adopted %d", n)
	}
	check(t, p, last, 2, x[:last.Len()], 0)
	last.Close()
}

func TestForksCopyWhatTheyWrite(t *testing.T) {
	p, b := pool(t, cache.Options{})
	x := text(100, 4)
	s := open(t, p, 200)
	step(b, p, s, 2, x)
	f, err := s.Fork(200)
	if err != nil {
		t.Fatal(err)
	}
	held := p.Budget().Held()
	y := append(append([]int32{}, x...), text(20, 5)...)
	step(b, p, f, 2, y[100:])
	if p.Budget().Held() != held+p.Bytes(1) {
		t.Errorf("the fork's first tokens took %d bytes, want one page", p.Budget().Held()-held)
	}
	z := append(append([]int32{}, x...), text(20, 6)...)
	step(b, p, s, 2, z[100:])
	check(t, p, f, 2, y, 0)
	check(t, p, s, 2, z, 0)
	s.Close()
	check(t, p, f, 2, y, 0)
	f.Close()
}

func TestWindowsDropPages(t *testing.T) {
	const window = 100
	p, b := pool(t, cache.Options{Layers: 3, Windows: []int{window, 0, window}, StepTokens: 64, PrefixTokens: 1 << 20})
	x := text(1000, 7)
	s := open(t, p, 1000)
	most := p.Budget().Promised()
	for s.Len() < len(x) {
		n := min(50, len(x)-s.Len())
		step(b, p, s, 3, x[s.Len():s.Len()+n])
		s.Publish(x[:s.Len()])
		s.Trim()
	}
	batch := p.NewBatch()
	s.Truncate(999)
	batch.Add(s, 1)
	for i, pg := range batch.Layer(0).Seqs[0].Pages {
		if first := (1000 - window) / page; (pg == nil) != (i < first) {
			t.Errorf("page %d of a sliding layer: held %v, the window begins in page %d", i, pg != nil, first)
		}
	}
	for i, pg := range batch.Layer(1).Seqs[0].Pages {
		if pg == nil {
			t.Errorf("page %d of a full layer is gone", i)
		}
	}
	s.Close()
	// What was dropped is still known as a prefix, and adopting it holds no more
	// than was promised.
	r := open(t, p, 1000)
	if n := r.Adopt(x); n != 15*page {
		t.Errorf("adopted %d tokens, want %d", n, 15*page)
	}
	batch.Reset()
	batch.Add(r, 1)
	for i, pg := range batch.Layer(2).Seqs[0].Pages[:15] {
		if (pg == nil) != (i < (961-window)/page) {
			t.Errorf("adopted page %d of a sliding layer: held %v", i, pg != nil)
		}
	}
	full, slide := p.Bytes(1)/3, 2*p.Bytes(1)/3
	if want := 16*full + 4*slide; most != want {
		t.Errorf("promised %d bytes for 1000 tokens, want %d: 16 full pages and 4 of the window", most, want)
	}
	r.Close()
}

func TestMemoryIsRefusedBeforeItIsTaken(t *testing.T) {
	p, _ := pool(t, cache.Options{})
	one := p.Bytes(1)
	p, b := pool(t, cache.Options{MaxBytes: 10 * one, PrefixTokens: 1 << 20})
	var memory *cache.MemoryError
	if _, err := p.Open(11 * page); !errors.As(err, &memory) || !strings.Contains(err.Error(), "cache format (f16, q8)") || p.Budget().Held() != 0 {
		t.Errorf("too long for the pool: %v, %d bytes held", err, p.Budget().Held())
	}
	x := text(6*page, 8)
	s := open(t, p, 6*page)
	if _, err := p.Open(5 * page); !errors.Is(err, cache.ErrBusy) {
		t.Errorf("too long beside another: %v", err)
	}
	step(b, p, s, 2, x)
	s.Publish(x)
	s.Close()
	// Kept prefixes make room: six pages are kept, ten are wanted.
	y := text(10*page, 9)
	s = open(t, p, 10*page)
	for i := range 10 {
		step(b, p, s, 2, y[i*page:(i+1)*page])
	}
	if p.Budget().Held() > 10*one || p.PrefixTokens() != 0 {
		t.Errorf("%d bytes held, %d allowed; %d tokens of prefixes", p.Budget().Held(), 10*one, p.PrefixTokens())
	}
	s.Truncate(len(y) - 1)
	check(t, p, s, 2, y[:len(y)-1], 0)
	s.Close()
}

// TestLeastRecentlyUsedGoesFirst keeps four pages and asks which are left.
func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	p, b := pool(t, cache.Options{PrefixTokens: 4 * page})
	put := func(x []int32) {
		s := open(t, p, len(x))
		s.Adopt(x)
		step(b, p, s, 2, x[s.Len():])
		s.Publish(x)
		s.Close()
	}
	known := func(x []int32) int {
		s := open(t, p, len(x)+1)
		defer s.Close()
		return s.Adopt(append(append([]int32{}, x...), 0))
	}
	one, two, three := text(2*page, 1), text(2*page, 2), text(page, 3)
	put(one)
	put(two)
	if known(one) != 2*page { // and makes it the most recent
		t.Fatal("the first text is gone before the bound is reached")
	}
	put(three)
	if a, b, c := known(one), known(two), known(three); a != 2*page || b != page || c != page {
		t.Errorf("known: %d, %d, %d tokens; the last page of the second should be gone alone", a, b, c)
	}
}

func TestOptions(t *testing.T) {
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, o := range []cache.Options{{Format: "q5"}, {MaxBytes: -1}, {PrefixTokens: -1}} {
		o.Layers, o.KVHeads, o.HeadDim = 1, 1, 4
		if _, err := cache.New(b, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	sizes := map[string]int64{"f32": 256, "f16": 128, "bf16": 128, "q8": 68}
	for f, want := range sizes { // of a vector of 64
		p, err := cache.New(b, cache.Options{Layers: 1, KVHeads: 1, HeadDim: 64, Format: f})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Bytes(1) / 2 / page; got != want {
			t.Errorf("%s: %d bytes for a vector of 64, want %d", f, got, want)
		}
	}
}
