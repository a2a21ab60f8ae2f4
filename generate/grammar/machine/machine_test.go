package machine

import "testing"

// word is the language of one word, read from the front.
type word string

func (w word) Next(b byte) State {
	if len(w) == 0 || w[0] != b {
		return nil
	}
	return w[1:]
}
func (w word) Accepting() bool  { return w == "" }
func (w word) Shortest() []byte { return []byte(w) }

func TestAccepts(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   bool
		at   int
	}{
		{"yes", true, 3},
		{"ye", false, 2},
		{"yet", false, 2},
		{"yesterday", false, 3},
		{"", false, 0},
	} {
		if ok, at := Accepts(word("yes"), []byte(c.text)); ok != c.ok || at != c.at {
			t.Errorf("%q: %v at byte %d, want %v at %d", c.text, ok, at, c.ok, c.at)
		}
	}
}

func TestBytes(t *testing.T) {
	var s Bytes
	if !s.None() {
		t.Error("the zero set is not empty")
	}
	s.AddRunes('a', 'c')
	s.AddRunes('!', '#') // the quotation mark between them is no ordinary character
	s.AddRunes(0, 0x1F)
	s.AddRunes('é', 'é')
	s.Add(200, 201)
	for b := range 256 {
		want := b >= 'a' && b <= 'c' || b == '!' || b == '#' || b == 0xC3 || b == 200 || b == 201
		if s.Has(byte(b)) != want {
			t.Errorf("%d: %v", b, !want)
		}
	}
}
