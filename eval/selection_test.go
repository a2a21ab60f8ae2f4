package eval

import (
	"fmt"
	"math"
	"testing"

	"github.com/foundling-lm/foundling/generate/search"
)

// subsets calls f with every subset of k of n.
func subsets(n, k int, f func([]int)) {
	var rec func(from int, have []int)
	rec = func(from int, have []int) {
		if len(have) == k {
			f(have)
			return
		}
		for i := from; i < n; i++ {
			rec(i+1, append(have, i))
		}
	}
	rec(0, make([]int, 0, k))
}

// TestBestAtK compares the closed form with the mean over all subsets, ties and
// unfit samples included.
func TestBestAtK(t *testing.T) {
	nan := math.NaN()
	scores := []float64{0.5, 2, 2, nan, -1, 2, 0.5, 3}
	right := []bool{true, false, true, true, true, true, false, false}
	for k := 1; k <= len(scores); k++ {
		var sum, n float64
		subsets(len(scores), k, func(set []int) {
			top, hits, ties := math.Inf(-1), 0.0, 0.0
			for _, i := range set {
				switch {
				case scores[i] > top:
					top, hits, ties = scores[i], 0, 0
					fallthrough
				case scores[i] == top:
					ties++
					if right[i] {
						hits++
					}
				}
			}
			n++
			if ties > 0 {
				sum += hits / ties
			}
		})
		got := BestAtK(scores, right, []int{k})[0]
		if math.Abs(got-sum/n) > 1e-12 {
			t.Errorf("k %d: got %.12f, want %.12f", k, got, sum/n)
		}
	}
}

// TestBestAtKIsPassAtK: a verifier that is always right reaches the coverage.
func TestBestAtKIsPassAtK(t *testing.T) {
	scores, right := make([]float64, 100), make([]bool, 100)
	for i := range 10 {
		scores[i*7], right[i*7] = 1, true
	}
	for _, k := range []int{1, 5, 10, 50} {
		if got, want := BestAtK(scores, right, []int{k})[0], PassAtK(100, 10, k); math.Abs(got-want) > 1e-12 {
			t.Errorf("k %d: got %v, want %v", k, got, want)
		}
	}
}

// permutations calls f with every order of n.
func permutations(n int, f func([]int)) {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	var rec func(int)
	rec = func(i int) {
		if i == n {
			f(p)
			return
		}
		for j := i; j < n; j++ {
			p[i], p[j] = p[j], p[i]
			rec(i + 1)
			p[i], p[j] = p[j], p[i]
		}
	}
	rec(0)
}

// TestVoteAtK compares random orders with all orders.
func TestVoteAtK(t *testing.T) {
	votes := []Vote{{"a", 1, true, 3}, {"b", 1, false, 3}, {"a", 1, true, 3}, {"b", 1, false, 3}, {"c", 1, false, 3}, {"", 0, false, 3}}
	ks := []int{1, 2, 3, 4, 5, 6}
	want := make([]float64, len(ks))
	orders := 0.0
	permutations(len(votes), func(p []int) {
		orders++
		for i, k := range ks {
			count, first := map[string]int{}, []string{}
			for _, at := range p[:k] {
				if a := votes[at].Answer; a != "" {
					if count[a]++; count[a] == 1 {
						first = append(first, a)
					}
				}
			}
			best := ""
			for _, a := range first {
				if best == "" || count[a] > count[best] {
					best = a
				}
			}
			if best == "a" {
				want[i]++
			}
		}
	})
	const draws = 20000
	for i, got := range VoteAtK(votes, ks, draws, 1, 2) {
		if p := want[i] / orders; math.Abs(got-p) > 4*math.Sqrt(p*(1-p)/draws)+1e-9 {
			t.Errorf("k %d: got %.4f, want %.4f", ks[i], got, p)
		}
	}
}

// TestVoteUntil: a rule that stops when nothing can change any more has the
// accuracy of the whole vote with fewer samples; the Beta rule nearly so with
// fewer still.
func TestVoteUntil(t *testing.T) {
	var votes []Vote
	for i := range 200 {
		v := Vote{fmt.Sprint("wrong", i%2), 1, false, 10}
		if i%20 < 10 {
			v = Vote{"right", 1, true, 10}
		}
		votes = append(votes, v)
	}
	const k, orders = 40, 2000
	whole := VoteAtK(votes, []int{k}, orders, 7, 0)[0]
	sure := VoteUntil(votes, k, search.CannotBeOvertaken, orders, 7, 0)
	beta := VoteUntil(votes, k, search.BetaStop(0.95), orders, 7, 0)
	t.Logf("whole vote %.4f with %d samples; decided %+v; beta %+v", whole, k, sure, beta)
	if sure.Accuracy != whole || sure.Agrees != 1 {
		t.Errorf("stopping when decided: accuracy %v, agreement %v; the whole vote has %v", sure.Accuracy, sure.Agrees, whole)
	}
	if !(beta.Samples < 0.9*sure.Samples && sure.Samples < 0.9*k) {
		t.Errorf("samples: %v by the Beta rule, %v when decided, %d in all", beta.Samples, sure.Samples, k)
	}
	if beta.Agrees < 0.95 || beta.Accuracy < whole-0.05 {
		t.Errorf("Beta rule at 0.95: agreement %v, accuracy %v of %v", beta.Agrees, beta.Accuracy, whole)
	}
	if math.Abs(beta.Tokens-10*beta.Samples) > 1e-6 {
		t.Errorf("%v tokens for %v samples of 10", beta.Tokens, beta.Samples)
	}
}
