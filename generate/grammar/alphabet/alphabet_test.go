package alphabet

import (
	"math"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// counter reads up to n characters of a partition, whatever they are; n < 0: any
// number.
type counter struct {
	part *Partition
	most int
}

func (c counter) Classes(n int) (*Partition, []int, bool) {
	if n == c.most {
		return New(nil), nil, true
	}
	to := make([]int, c.part.Classes())
	for i := range to {
		if to[i] = n + 1; c.most < 0 {
			to[i] = n
		}
	}
	return c.part, to, true
}
func (c counter) Accepting(int) bool  { return true }
func (c counter) Cost(int) int        { return 0 }
func (c counter) Shortest(int) []byte { return nil }

// Reading bytes agrees with the standard library about what UTF-8 is: all texts of up
// to two bytes, and all beginnings of longer characters.
func TestUTF8(t *testing.T) {
	all := New([]Span{{0, 0xD7FF, 0}, {0xE000, utf8.MaxRune, 0}})
	start := NewMachine[int](counter{all, -1}).State(0)
	try := func(text ...byte) {
		got, _ := machine.Accepts(start, text)
		if want := utf8.Valid(text); got != want {
			t.Fatalf("% x: %v, want %v", text, got, want)
		}
	}
	for a := range 256 {
		try(byte(a))
		for b := range 256 {
			try(byte(a), byte(b))
			try(byte(a), byte(b), 0x80)
			try(byte(a), byte(b), 0x80, 0xBF)
			try(byte(a), byte(b), 0xBF, 0x80)
		}
	}
	if n := len(NewMachine[int](counter{all, -1}).states); n != 0 {
		t.Errorf("%d states before reading", n)
	}
}

func TestFreeRunes(t *testing.T) {
	all := New([]Span{{0, 0xD7FF, 0}, {0xE000, utf8.MaxRune, 0}})
	noSeparator := New([]Span{{0, 0x2027, 0}, {0x202A, 0xD7FF, 0}, {0xE000, utf8.MaxRune, 1}})
	twoClasses := New([]Span{{' ', 'a', 0}, {'b', 0xD7FF, 1}, {0xE000, utf8.MaxRune, 0}})
	for _, c := range []struct {
		a         counter
		free      int
		uniform   bool
		following bool
	}{
		{counter{all, -1}, math.MaxInt32, true, true},
		{counter{all, 5}, 5, true, true},
		{counter{all, 1000}, freeSteps, true, true},
		{counter{all, 0}, 0, true, false},
		{counter{noSeparator, -1}, 0, false, true},
		{counter{twoClasses, 3}, 3, true, true},
	} {
		s := NewMachine[int](c.a).State(0).(*state[int])
		if got, _ := s.FreeRunes(); got != c.free {
			t.Errorf("%v: %d free characters, want %d", c.a.most, got, c.free)
		}
		behind, except, ok := s.AfterRune()
		ok = ok && except.None()
		if ok != c.uniform || (behind != nil) != c.following {
			t.Errorf("%v: behind a character %v %v", c.a.most, behind, ok)
		}
		if c.following && behind != s.Next(0xC3).Next(0xA9) {
			t.Errorf("%v: the state behind a character is another one", c.a.most)
		}
	}
}

func TestOverlay(t *testing.T) {
	partitions := rapid.Custom(func(t *rapid.T) *Partition {
		var spans []Span
		at := rune(0)
		for range rapid.IntRange(0, 6).Draw(t, "spans") {
			lo := at + rune(rapid.IntRange(0, 40).Draw(t, "gap"))
			hi := lo + rune(rapid.IntRange(0, 90).Draw(t, "length"))
			spans = append(spans, Span{lo, hi, int32(rapid.IntRange(0, 2).Draw(t, "class"))})
			at = hi + 1
		}
		return New(spans)
	})
	rapid.Check(t, func(t *rapid.T) {
		p, q := partitions.Draw(t, "p"), partitions.Draw(t, "q")
		both, left, right := Overlay(p, q)
		for r := rune(0); r < 900; r++ {
			l, g := int32(-1), int32(-1)
			if c := both.Find(r); c >= 0 {
				l, g = left[c], right[c]
			}
			if int(l) != p.Find(r) || int(g) != q.Find(r) {
				t.Fatalf("%d: %d and %d, want %d and %d", r, l, g, p.Find(r), q.Find(r))
			}
		}
	})
}
