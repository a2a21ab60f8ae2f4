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
