package search

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/rng"
)

// toy is a language model given as a function.
type toy struct {
	logits func(ids []int32) []float32
	texts  [][]int32
}

func newToy(logits func(ids []int32) []float32) *toy { return &toy{logits, [][]int32{nil}} }

func (m *toy) Next(_ context.Context, visit func(i int, logits []float32)) error {
	for i, ids := range m.texts {
		visit(i, m.logits(ids))
	}
	return nil
}

func (m *toy) Extend(parents []int, ids []int32) error {
	var texts [][]int32
	for i, p := range parents {
		texts = append(texts, append(slices.Clone(m.texts[p]), ids[i]))
	}
	m.texts = texts
	return nil
}

// random is a toy whose logits are a function of seed and the ids so far.
func random(seed uint64, vocab int) func(ids []int32) []float32 {
	return func(ids []int32) []float32 {
		stream := rng.Stream(fmt.Sprint(ids))
		out := make([]float32, vocab)
		for i := range out {
			out[i] = float32(1.5 * rng.Normal(seed, stream, uint64(i)))
		}
		return out
	}
}

// allTexts calls f with every text of at most T tokens, in which only the last may
// be an end token (id 0), with its log-probabilities.
func allTexts(logits func([]int32) []float32, vocab, T int, f func(ids []int32, logp []float64)) {
	var rec func(ids []int32, logp []float64)
	rec = func(ids []int32, logp []float64) {
		if len(ids) == T || len(ids) > 0 && ids[len(ids)-1] == 0 {
			f(ids, logp)
			return
		}
		x := make([]float64, vocab)
		sample.LogSoftmax(x, logits(ids))
		for id := range vocab {
			rec(append(slices.Clone(ids), int32(id)), append(slices.Clone(logp), x[id]))
		}
	}
	rec(nil, nil)
}

func beamOf(t *testing.T, logits func([]int32) []float32, o BeamOptions) []Hypothesis {
	t.Helper()
	o.StopIDs = []int32{0}
	out, err := Beam(t.Context(), newToy(logits), o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// full is the ids of a hypothesis with its end token.
func full(h Hypothesis) []int32 {
	if h.Finish == generate.FinishStop {
		return append(slices.Clone(h.IDs), 0)
	}
	return h.IDs
}

var norms = map[string]LengthNorm{"sum": SumNorm, "mean": MeanNorm, "gnmt": GNMTNorm(0.6)}

func TestBeamOfOneIsGreedy(t *testing.T) {
	for seed := range uint64(100) {
		logits := random(seed, 7)
		var greedy []int32
		for len(greedy) < 10 && (len(greedy) == 0 || greedy[len(greedy)-1] != 0) {
			greedy = append(greedy, sample.Argmax(logits(greedy)))
		}
		for name, norm := range norms {
			got := beamOf(t, logits, BeamOptions{Width: 1, MaxTokens: 10, Norm: norm})
			if len(got) != 1 || !slices.Equal(full(got[0]), greedy) {
				t.Errorf("seed %d, %s: got %v, greedy %v", seed, name, got, greedy)
			}
		}
	}
}

// TestWideBeamIsExhaustive: a beam of width |V|^T finds the best of all texts,
// under every norm, and all others behind it.
func TestWideBeamIsExhaustive(t *testing.T) {
	for seed := range uint64(20) {
		const V, T = 3, 4
		logits := random(seed, V)
		for name, norm := range norms {
			best, score, n := []int32(nil), math.Inf(-1), 0
			allTexts(logits, V, T, func(ids []int32, logp []float64) {
				c := Candidate{LogProbs: logp}
				if s := c.Likelihood(norm); s > score {
					best, score = ids, s
				}
				n++
			})
			got := beamOf(t, logits, BeamOptions{Width: 81, MaxTokens: T, Norm: norm})
			if len(got) != n || !slices.Equal(full(got[0]), best) || math.Abs(got[0].Score-score) > 1e-12 {
				t.Errorf("seed %d, %s: got %v with %v of %d texts, want %v with %v", seed, name, full(got[0]), got[0].Score, len(got), best, score)
			}
			var all float64
			for _, h := range got {
				all += math.Exp(h.Likelihood(SumNorm))
			}
			if math.Abs(all-1) > 1e-9 {
				t.Errorf("seed %d: the texts have probability %v together", seed, all)
			}
		}
	}
}

// TestBeamAndWidth: with two tokens a wider beam never finds a worse text, and no
// beam finds a better one than the exhaustive one. With more tokens a wider beam
// can lose: the test holds that it does, so that nobody relies on the contrary.
func TestBeamAndWidth(t *testing.T) {
	const V = 4
	losses := 0
	for seed := range uint64(200) {
		for _, T := range []int{1, 2, 3, 4} {
			logits := random(seed, V)
			most := beamOf(t, logits, BeamOptions{Width: 256, MaxTokens: T})[0].Score
			last := math.Inf(-1)
			for width := 1; width <= 16; width++ {
				s := beamOf(t, logits, BeamOptions{Width: width, MaxTokens: T})[0].Score
				if s > most {
					t.Errorf("seed %d, %d tokens: width %d finds %v, all texts have %v", seed, T, width, s, most)
				}
				if s < last {
					if losses++; T <= 2 {
						t.Errorf("seed %d, %d tokens: width %d finds %v, the one below %v", seed, T, width, s, last)
					}
				}
				last = s
			}
		}
	}
	if losses == 0 {
		t.Error("a wider beam never lost: is it a beam?")
	}
}

// TestLengthBias: the most probable text can be the empty one though every greedy
// step goes on; a wider beam finds it, and a length norm repairs it (Murray & Chiang
// 2018; Stahlberg & Byrne 2019).
func TestLengthBias(t *testing.T) {
	logits := func(ids []int32) []float32 {
		end := 0.1
		if len(ids) >= 20 {
			end = 0.99
		}
		rest := 1 - end
		return []float32{float32(math.Log(end)), float32(math.Log(0.9 * rest)), float32(math.Log(0.1 * rest))}
	}
	find := func(width int, norm LengthNorm) Hypothesis {
		return beamOf(t, logits, BeamOptions{Width: width, MaxTokens: 30, Norm: norm})[0]
	}
	greedy, wide, mean, gnmt := find(1, SumNorm), find(4, SumNorm), find(4, MeanNorm), find(4, GNMTNorm(1))
	if len(greedy.IDs) != 20 || len(wide.IDs) != 0 || !(wide.Score > greedy.Score) {
		t.Errorf("greedy has %d tokens (%.2f), a beam of 4 has %d (%.2f): want 20, and none with a better score", len(greedy.IDs), greedy.Score, len(wide.IDs), wide.Score)
	}
	if len(mean.IDs) != 20 || len(gnmt.IDs) != 20 {
		t.Errorf("with a length norm: %d and %d tokens, want 20", len(mean.IDs), len(gnmt.IDs))
	}
}

func TestDiverseGroups(t *testing.T) {
	distinct := func(hs []Hypothesis) int {
		seen := map[string]bool{}
		for _, h := range hs {
			seen[fmt.Sprint(full(h))] = true
		}
		return len(seen)
	}
	same, apart := 0, 0
	for seed := range uint64(30) {
		logits := random(seed, 8)
		plain := beamOf(t, logits, BeamOptions{Width: 2, MaxTokens: 5})
		equal := beamOf(t, logits, BeamOptions{Width: 6, Groups: 3, MaxTokens: 5})
		diverse := beamOf(t, logits, BeamOptions{Width: 6, Groups: 3, MaxTokens: 5, Diversity: 2})
		same += distinct(equal)
		apart += distinct(diverse)
		// The first group knows of no other: it is a beam of its own.
		for _, hs := range [][]Hypothesis{equal, diverse} {
			first := slices.DeleteFunc(slices.Clone(hs), func(h Hypothesis) bool { return h.Group != 0 })
			for i, h := range first {
				if !slices.Equal(full(h), full(plain[i])) {
					t.Errorf("seed %d: the first group has %v, a beam of width 2 %v", seed, full(h), full(plain[i]))
				}
			}
		}
		for _, h := range diverse { // scores are without the penalty
			if math.Abs(h.Score-h.Likelihood(SumNorm)) > 1e-12 {
				t.Errorf("score %v of log-probability %v", h.Score, h.Likelihood(SumNorm))
			}
		}
	}
	if same != 30*2 || apart < 30*5 {
		t.Errorf("different texts: %d without diversity, %d with it", same, apart)
	}
}

// twice allows ids of a set until two of them have come, then the end alone.
type twice struct {
	allowed uint64
	n       int
	endless bool // nothing may follow at the end, not even the end token
}

func (c *twice) Mask(int) ([]uint64, error) {
	if c.n == 2 && c.endless {
		return []uint64{0}, nil
	}
	if c.n == 2 {
		return []uint64{1}, nil
	}
	return []uint64{c.allowed}, nil
}

func (c *twice) Accept(id int32) error {
	if c.allowed>>id&1 == 0 {
		return fmt.Errorf("id %d is not allowed", id)
	}
	c.n++
	return nil
}

func (c *twice) Forced(dst []int32, _ int) []int32 { return dst }
func (c *twice) Fork() generate.Constraint         { d := *c; return &d }

// TestConstrainedBeam: a wide beam under a constraint finds the most probable of
// the texts that fit, with the probabilities that the model gives them.
func TestConstrainedBeam(t *testing.T) {
	for seed := range uint64(20) {
		logits := random(seed, 5)
		best, score := []int32(nil), math.Inf(-1)
		allTexts(logits, 5, 3, func(ids []int32, logp []float64) {
			fits := len(ids) == 3 && ids[0]%2 == 1 && ids[1]%2 == 1 && ids[2] == 0
			if s := (&Candidate{LogProbs: logp}).Likelihood(SumNorm); fits && s > score {
				best, score = ids, s
			}
		})
		c := &twice{allowed: 0b01010}
		got := beamOf(t, logits, BeamOptions{Width: 8, MaxTokens: 6, Constraint: c})
		if len(got) != 4 || !slices.Equal(full(got[0]), best) || math.Abs(got[0].Score-score) > 1e-12 || c.n != 0 {
			t.Errorf("seed %d: got %v (%v) first of %d, want %v (%v) of 4", seed, full(got[0]), got[0].Score, len(got), best, score)
		}
		got = beamOf(t, logits, BeamOptions{Width: 8, MaxTokens: 6, Constraint: &twice{allowed: 0b01010, endless: true}})
		for _, h := range got {
			if h.Finish != generate.FinishComplete || len(h.IDs) != 2 || len(h.LogProbs) != 2 {
				t.Errorf("seed %d: %+v", seed, h)
			}
		}
	}
}

func TestBeamErrors(t *testing.T) {
	for want, o := range map[string]BeamOptions{
		"give 1 to 1024":   {Width: -1, MaxTokens: 1},
		"width 5000":       {Width: 5000, MaxTokens: 1},
		"divide the width": {Width: 4, Groups: 3, MaxTokens: 1},
		"at most 0 tokens": {},
		"diversity of NaN": {MaxTokens: 1, Diversity: math.NaN()},
		"no finite logits": {MaxTokens: 2},
	} {
		_, err := Beam(t.Context(), newToy(func([]int32) []float32 { return []float32{1, float32(math.NaN())} }), o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", o, err, want)
		}
	}
}
