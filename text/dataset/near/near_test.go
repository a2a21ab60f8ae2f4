package near

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

// randomText is n words of a vocabulary of v.
func randomText(seed, i uint64, n, v int) []string {
	out := make([]string, n)
	for k := range out {
		out[k] = fmt.Sprintf("w%d", rng.Intn(seed, i, uint64(k), v))
	}
	return out
}

// Every pair of similarity 0.8 or more is found, and no other; the reference
// compares sets of n-grams as strings.
func TestIndexAgreesWithAllPairs(t *testing.T) {
	var texts []string
	for i := range uint64(300) {
		base := randomText(1, i/3, 60, 500)
		for k := range int(rng.Intn(2, i, 0, 8)) { // up to seven words changed
			base[rng.Intn(3, i, uint64(k), len(base))] = "changed"
		}
		texts = append(texts, strings.Join(base, " "))
	}
	set := func(s string) map[string]bool {
		w, out := strings.Fields(s), map[string]bool{}
		for i := 0; i+3 <= len(w); i++ {
			out[strings.Join(w[i:i+3], " ")] = true
		}
		return out
	}
	sets := make([]map[string]bool, len(texts))
	for i, s := range texts {
		sets[i] = set(s)
	}
	x := NewIndex(Options{})
	found, missed := 0, 0
	for i, s := range texts {
		best := 0.0
		a := sets[i]
		for _, b := range sets[:i] {
			both := 0
			for g := range a {
				if b[g] {
					both++
				}
			}
			best = max(best, float64(both)/float64(len(a)+len(b)-both))
		}
		m := x.Add(s)
		switch {
		case (m.Text >= 0) == (best >= 0.8) && (m.Text < 0 || math.Abs(m.Similarity-best) < 1e-12):
			if m.Text >= 0 {
				found++
			}
		case m.Text >= 0:
			t.Errorf("text %d: found similarity %g, the best is %g", i, m.Similarity, best)
		default:
			missed++
		}
	}
	if found < 30 || missed > 0 {
		t.Errorf("%d near duplicates found, %d missed", found, missed)
	}
}

func TestFind(t *testing.T) {
	x := NewIndex(Options{})
	x.Add("The cat sat on the mat.")
	x.Add("")
	for s, want := range map[string]Match{
		"the CAT sat, on the mat": {0, 1},
		"a dog":                   {-1, 0},
		"":                        {-1, 0},
	} {
		if got := x.Find(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
	if got := Words("Ein Übermaß, 日本 x2"); strings.Join(got, "|") != "ein|übermaß|日|本|x2" {
		t.Errorf("words %q", got)
	}
}

// The figures of small sets are computed by hand.
func TestDiversity(t *testing.T) {
	d := Measure([]string{"a b c d e", "a b c d e", "a b c d e"})
	if d.SelfBLEU != 1 || d.Distinct[0] != 5.0/15 || d.Distinct[1] != 4.0/12 || d.Distinct[2] != 3.0/9 {
		t.Errorf("the same text thrice: %+v", d)
	}
	if d := Measure([]string{"a b c d", "e f g h"}); d.SelfBLEU != 0 || d.Distinct != [3]float64{1, 1, 1} {
		t.Errorf("nothing in common: %+v", d)
	}
	// "a b x y" against "a b c": precisions 2/4, (1+1)/(3+1), (0+1)/(2+1), (0+1)/(1+1),
	// no brevity penalty. "a b c": 2/3, (1+1)/(2+1), (0+1)/(1+1), (0+1)/(0+1), and
	// exp(1 - 4/3).
	want := (math.Pow(0.5*0.5/3*0.5, 0.25) + math.Exp(1-4.0/3)*math.Pow(2.0/3*2/3*0.5, 0.25)) / 2
	if d := Measure([]string{"a b x y", "a b c"}); math.Abs(d.SelfBLEU-want) > 1e-12 {
		t.Errorf("self-BLEU %v, want %v", d.SelfBLEU, want)
	}
	if d := Measure([]string{"x"}); d.SelfBLEU != 0 || d.Texts != 1 {
		t.Errorf("one text: %+v", d)
	}
}
