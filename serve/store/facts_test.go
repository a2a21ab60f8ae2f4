package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestFacts(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		ann := Whose{"key", "ann"}
		add := func(of Whose, text string) *Fact {
			f := &Fact{Whose: of, Kind: AboutUser, Text: text}
			if err := s.AddFact(ctx, f); err != nil {
				t.Fatal(err)
			}
			return f
		}
		one, two := add(ann, "one"), add(ann, "two")
		add(Whose{"key", "bob"}, "of bob")
		add(Whose{"other", "ann"}, "of another ann")
		if again := add(ann, "one"); again.ID != one.ID || !again.Made.Equal(one.Made) {
			t.Errorf("the same text again is %+v, want %+v", again, one)
		}
		two.Vector, two.Embedder = []float32{1, -2}, []byte{7}
		if err := s.SetVectors(ctx, []*Fact{two}); err != nil {
			t.Fatal(err)
		}
		facts, err := s.Facts(ctx, ann)
		if err != nil || len(facts) != 2 || facts[0].Text != "one" || facts[0].Vector != nil || !slices.Equal(facts[1].Vector, two.Vector) || !slices.Equal(facts[1].Embedder, two.Embedder) {
			t.Fatalf("got %+v, %v", facts, err)
		}
		if err := s.DeleteFact(ctx, "other", one.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("deleting another's fact: got %v, want ErrNotFound", err)
		}
		if err := s.DeleteFact(ctx, "key", one.ID); err != nil {
			t.Error(err)
		}
		if n, err := s.DeleteFacts(ctx, ann); n != 1 || err != nil {
			t.Errorf("deleting the rest: got %d, %v, want 1", n, err)
		}
		for of, want := range map[Whose]int{ann: 0, {"key", "bob"}: 1, {"other", "ann"}: 1} {
			if facts, err := s.Facts(ctx, of); err != nil || len(facts) != want {
				t.Errorf("%v: got %d facts, %v, want %d", of, len(facts), err, want)
			}
		}
	})
}

func TestFactsFull(t *testing.T) {
	s := open(t, t.TempDir()+"/full.db")
	var rows []string
	for i := range MaxFacts {
		rows = append(rows, fmt.Sprintf("('%d', 1, '', '', 'fact', '%d')", i, i))
	}
	if _, err := s.db.Exec("INSERT INTO facts (id, made, owner, whom, kind, text) VALUES " + strings.Join(rows, ",")); err != nil {
		t.Fatal(err)
	}
	var full *FullError
	if err := s.AddFact(t.Context(), &Fact{Kind: AboutUser, Text: "more"}); !errors.As(err, &full) || *full != (FullError{"facts", "user", MaxFacts}) {
		t.Errorf("got %v, want that it is full", err)
	}
	if err := s.AddFact(t.Context(), &Fact{Whose: Whose{User: "another"}, Kind: AboutUser, Text: "more"}); err != nil {
		t.Error(err)
	}
}

func TestRelevant(t *testing.T) {
	var facts []Fact
	for _, text := range []string{"The dog is called Rex.", "Works as a cook in Basel.", "The dog's birthday is in May; the dog eats fish.", "Has two sisters."} {
		facts = append(facts, Fact{Text: text})
	}
	for _, c := range []struct {
		question string
		likeness []float64
		n        int
		want     string
	}{
		{"What does my DOG eat for its birthday?", nil, 9, "20"},
		{"What does my dog eat for its birthday?", nil, 1, "2"},
		{"And where do I work?", nil, 9, ""},                      // "work" is not "works"
		{"And where do I work?", []float64{0, .8, 0, .1}, 9, "1"}, // but like it
		{"the is of", nil, 9, ""},
		{"Rex, or sisters?", []float64{.1, 0, 0, .9}, 9, "30"},
		{"", nil, 9, ""},
	} {
		got := ""
		for _, f := range Relevant(facts, c.question, c.likeness, .5, c.n) {
			got += fmt.Sprint(slices.IndexFunc(facts, func(o Fact) bool { return o.Text == f.Text }))
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.question, got, c.want)
		}
	}
	if got := Relevant(nil, "dog", nil, .5, 3); got != nil {
		t.Errorf("of no facts: got %v", got)
	}
}

// The scores are those of the formula, worked out by hand.
func TestBM25(t *testing.T) {
	got := BM25("red fox fox", []string{"red fox", "red red cat dog", "blue"})
	// average length 7/3; red in 2 of 3 texts, fox in 1: ln(1 + 1.5/2.5), ln(1 + 2.5/1.5)
	const red, fox = 0.4700036292457356, 0.9808292530117262
	length := func(n float64) float64 { return 1.2 * (0.25 + 0.75*n/(7.0/3)) }
	want := []float64{(red + fox) * 2.2 / (1 + length(2)), red * 2 * 2.2 / (2 + length(4)), 0}
	for i := range want {
		if d := got[i] - want[i]; d > 1e-12 || d < -1e-12 {
			t.Errorf("text %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

func TestCommonWords(t *testing.T) {
	if !slices.IsSorted(common) {
		t.Error("the common words are not in order: they are looked up by halving")
	}
}

// FuzzRelevant gives no more than n facts, none twice, whatever is asked.
func FuzzRelevant(f *testing.F) {
	f.Add("what dog", "the dog\nthe cat\n\x00", 0.5, 2)
	f.Fuzz(func(t *testing.T, question, texts string, likeness float64, n int) {
		n = min(max(n, 0), 100)
		var facts []Fact
		var alike []float64
		for i, text := range strings.Split(texts, "\n") {
			facts, alike = append(facts, Fact{ID: fmt.Sprint(i), Text: text}), append(alike, likeness/float64(i+1))
		}
		seen := map[string]bool{}
		for _, x := range Relevant(facts, question, alike, 0.3, n) {
			if seen[x.ID] {
				t.Errorf("fact %s twice", x.ID)
			}
			seen[x.ID] = true
		}
		if len(seen) > n {
			t.Errorf("%d facts, want %d at most", len(seen), n)
		}
	})
}
