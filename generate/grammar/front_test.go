package grammar

import (
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/internal/rng"
)

// Before the marker the text begins with what was taken back of the prompt, at every
// budget, and goes on as it likes.
func TestSessionBehindPrefix(t *testing.T) {
	v := textVocabulary(t, "he", "hel", "hello", "hello you", "lo", "l", "x")
	end, marker := v.End()[0], int32('#')
	g := newGrammar(t, v, words("yes", "no"), Options{})
	for seed := range uint64(5) {
		for budget := 1; budget < 16; budget++ {
			s, err := g.SessionBehind(marker, []byte("hello"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Mask(budget); budget < 1+1+g.Minimum() {
				if err == nil {
					t.Errorf("budget %d is enough", budget)
				}
				continue
			}
			text := ""
			for step := 0; !s.Ended(); step++ {
				mask, err := s.Mask(budget - step)
				if err != nil {
					t.Fatalf("budget %d, behind %q: %v", budget, text, err)
				}
				for id := range int32(v.Size()) {
					if f := s.Fork(); id != end && has(mask, id) != (f.Accept(id) == nil) && !has(mask, id) && budget-step > 9 {
						t.Fatalf("behind %q: %q is read but not allowed", text, v.Text(id))
					}
				}
				allowed := idsOf(mask)
				id := allowed[rng.Intn(seed, 5, uint64(16*budget+step), len(allowed))]
				if err := s.Accept(id); err != nil {
					t.Fatalf("behind %q: %v", text, err)
				}
				text += string(v.Text(id))
			}
			if !strings.HasPrefix(text, "hello") || !strings.HasSuffix(text, "#yes") && !strings.HasSuffix(text, "#no") {
				t.Fatalf("budget %d: %q", budget, text)
			}
		}
	}
	s, _ := g.SessionBehind(marker, []byte("hello"))
	for _, id := range []int32{marker, 'x', end} {
		if err := s.Accept(id); err == nil {
			t.Errorf("%q is read before the prefix", v.Text(id))
		}
	}
}

func TestMaybeBlank(t *testing.T) {
	l, ok := machine.MaybeBlank(words("yes", "no"))
	if !ok {
		t.Fatal("no text begins with a space")
	}
	for text, want := range map[string]bool{"yes": true, " yes": true, "  yes": false, " no": true, " ": false, "yes ": false} {
		if got := accepts(l, []byte(text)); got != want {
			t.Errorf("%q: accepted %v", text, got)
		}
	}
	if string(l.Shortest()) != "no" && string(l.Shortest()) != "yes" || l.Accepting() {
		t.Errorf("shortest %q", l.Shortest())
	}
	if _, ok := machine.MaybeBlank(words("yes", " no")); ok {
		t.Error("texts may begin with a space of their own")
	}
}
