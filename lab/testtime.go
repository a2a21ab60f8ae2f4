package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/internal/rng"
)

// TestTimeOptions say how a pool is looked at; zero fields are the defaults.
type TestTimeOptions struct {
	Orders int     // random orders of a problem's candidates, for votes; 0: 100
	Draws  int     // bootstraps over problems, for the bands; 0: 500
	Alpha  float64 // exponent of the length penalty; 0: search.DefaultAlpha
	Seed   uint64
	Truth  *Synthetic // what the pool was made from, if that is known
}

// VoteLimit is the most candidates of a vote that may end early.
const VoteLimit = 64

// Curve is what one way to choose reaches with k candidates, for each k.
type Curve struct {
	Name     string    `json:"name"`
	K        []int     `json:"k"`
	Tokens   []float64 `json:"tokens"` // a problem costs on average, its prompt once
	Accuracy []float64 `json:"accuracy"`
	Low      []float64 `json:"low"` // 95 % of bootstraps over problems
	High     []float64 `json:"high"`
	Peak     int       `json:"peak"` // k of the greatest accuracy, the first of equals
	// Fall is accuracy at the peak less accuracy at the last k; it is sure where
	// FallLow is above 0.
	Fall    float64 `json:"fall"`
	FallLow float64 `json:"fall_low"`
}

// EarlyStop is a vote that ends when it is decided.
type EarlyStop struct {
	Rule    string  `json:"rule"`
	Limit   int     `json:"limit"` // candidates at most
	Samples float64 `json:"samples"`
	Tokens  float64 `json:"tokens"`
	// Accuracy and that of the vote of all Limit candidates, over the same orders.
	Accuracy float64 `json:"accuracy"`
	Whole    float64 `json:"whole_vote"`
	Agrees   float64 `json:"agrees"` // with the whole vote's winner
}

// Disagreement is how often two ways to choose take different candidates of the
// whole pool.
type Disagreement struct {
	A    string  `json:"a"`
	B    string  `json:"b"`
	Rate float64 `json:"rate"`
}

// TestTimeResult is what a pool shows.
type TestTimeResult struct {
	Problems  int                `json:"problems"`
	PoolSize  int                `json:"candidates"`     // of the problem that has fewest
	Curves    []Curve            `json:"curves"`         // the first is the coverage
	Early     []EarlyStop        `json:"early_stopping"` // none where no candidate has an answer
	Disagree  []Disagreement     `json:"disagreement"`
	Law       *eval.CoverageLaw  `json:"coverage_law,omitempty"` // log c = a k^b
	LawError  string             `json:"coverage_law_error,omitempty"`
	Truth     []float64          `json:"true_coverage,omitempty"` // at the ks of the curves
	Solvable  float64            `json:"solvable"`                // share of problems with a right candidate
	BestScore map[string]float64 `json:"accuracy_at_all"`         // by curve, at the last k
}

// coverage is the name of the curve that no choice can exceed.
const coverage = "coverage (pass@k)"

// TestTime draws accuracy against the number of candidates for every way to choose
// that the pool has data for, from one pool and without bias: each curve is the
// mean over subsets of size k of each problem's candidates (Chen et al. 2021 for
// the coverage; Brown et al. 2024, arXiv 2407.21787, for the comparison). Progress
// may be nil.
func TestTime(ctx context.Context, problems []Problem, o TestTimeOptions, progress func(done, total int)) (*TestTimeResult, error) {
	if len(problems) == 0 {
		return nil, errors.New("the pool has no problems")
	}
	if o.Orders == 0 {
		o.Orders = 100
	}
	if o.Draws == 0 {
		o.Draws = 500
	}
	if o.Alpha == 0 {
		o.Alpha = search.DefaultAlpha
	}
	r := &TestTimeResult{Problems: len(problems), PoolSize: math.MaxInt, BestScore: map[string]float64{}}
	for i := range problems {
		if n := len(problems[i].Candidates); n < r.PoolSize {
			r.PoolSize = n
		}
	}
	ks := grid(r.PoolSize)
	ways := waysFor(problems, o)
	// acc is (way, k, problem).
	acc := make([][][]float64, len(ways))
	for w := range ways {
		acc[w] = make([][]float64, len(ks))
		for j := range ks {
			acc[w][j] = make([]float64, len(problems))
		}
	}
	var rules []stopRule
	if slices.ContainsFunc(ways, func(w way) bool { return w.name == "majority" }) {
		rules = stopRules()
	}
	early := make([]earlySum, len(rules))
	for i := range problems {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := &problems[i]
		for w, way := range ways {
			for j, x := range way.at(p, ks, rng.Stream(fmt.Sprint("lab: orders ", i))) {
				acc[w][j][i] = x
			}
		}
		for j, rule := range rules {
			early[j].add(p, rule, min(r.PoolSize, VoteLimit), o, rng.Stream(fmt.Sprint("lab: early ", i)))
		}
		if progress != nil {
			progress(i+1, len(problems))
		}
	}
	tokens := spent(problems, ks)
	for w, way := range ways {
		c := curve(way.name, ks, tokens, acc[w], o)
		r.Curves = append(r.Curves, c)
		r.BestScore[way.name] = c.Accuracy[len(ks)-1]
	}
	for j, rule := range rules {
		r.Early = append(r.Early, early[j].mean(rule.name, min(r.PoolSize, VoteLimit), len(problems)))
	}
	r.finish(problems, ways, ks, o)
	return r, nil
}

// finish adds what is of the whole pool.
func (r *TestTimeResult) finish(problems []Problem, ways []way, ks []int, o TestTimeOptions) {
	for i := range problems {
		if slices.ContainsFunc(problems[i].Candidates, func(s Sample) bool { return s.Right }) {
			r.Solvable += 1 / float64(len(problems))
		}
	}
	x := make([]float64, len(ks))
	for i, k := range ks {
		x[i] = float64(k)
		if o.Truth != nil {
			r.Truth = append(r.Truth, o.Truth.Coverage(k))
		}
	}
	if law, err := eval.FitCoverage(x, r.Curves[0].Accuracy); err != nil {
		r.LawError = err.Error()
	} else {
		r.Law = &law
	}
	r.Disagree = disagreements(problems, ways)
}

// grid is the numbers of candidates that curves have points at: 1, 2, 3, 4, 6, 8,
// 12 and so on, and n.
func grid(n int) []int {
	var ks []int
	for k := 1; k <= n; k *= 2 {
		ks = append(ks, k)
		if between := k + k/2; k > 1 && between <= n {
			ks = append(ks, between)
		}
	}
	if ks[len(ks)-1] != n {
		ks = append(ks, n)
	}
	return ks
}

// spent is the tokens of a problem with k candidates, on average.
func spent(problems []Problem, ks []int) []float64 {
	out := make([]float64, len(ks))
	for i := range problems {
		p := &problems[i]
		var sum float64
		for _, s := range p.Candidates {
			sum += float64(s.Tokens)
		}
		for j, k := range ks {
			out[j] += (float64(p.PromptTokens) + float64(k)*sum/float64(len(p.Candidates))) / float64(len(problems))
		}
	}
	return out
}

// curve is the means over problems with their bands. Acc is (k, problem).
func curve(name string, ks []int, tokens []float64, acc [][]float64, o TestTimeOptions) Curve {
	c := Curve{Name: name, K: ks, Tokens: tokens}
	ones := slices.Repeat([]float64{1}, len(acc[0]))
	peak := 0
	for j := range ks {
		x := eval.BootstrapRatio(acc[j], ones, o.Draws, 0.95, o.Seed)
		c.Accuracy, c.Low, c.High = append(c.Accuracy, x.Value), append(c.Low, x.Low), append(c.High, x.High)
		if x.Value > c.Accuracy[peak] {
			peak = j
		}
	}
	c.Peak = ks[peak]
	last := acc[len(ks)-1]
	fall := make([]float64, len(last))
	for i := range last {
		fall[i] = acc[peak][i] - last[i]
	}
	x := eval.BootstrapRatio(fall, ones, o.Draws, 0.95, o.Seed)
	c.Fall, c.FallLow = x.Value, x.Low
	return c
}

// scoreNames are the names of scores that every candidate has.
func scoreNames(problems []Problem) []string {
	count, all := map[string]int{}, 0
	for i := range problems {
		for _, s := range problems[i].Candidates {
			all++
			for name := range s.Scores {
				count[name]++
			}
		}
	}
	maps.DeleteFunc(count, func(_ string, n int) bool { return n < all })
	return slices.SortedFunc(maps.Keys(count), strings.Compare)
}
