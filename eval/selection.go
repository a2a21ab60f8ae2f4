package eval

import (
	"fmt"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/internal/rng"
)

// BestAtK is the probability that the best of k samples, by score, is right, without
// bias from n samples: the mean over all subsets of size k, in closed form. Samples
// of equal score win equally often, as the order of a subset is random; NaN scores
// are never chosen, and a subset of them alone is wrong. Each k is in [1, n].
func BestAtK(scores []float64, right []bool, ks []int) []float64 {
	n := len(scores)
	if len(right) != n {
		panic(fmt.Sprintf("eval: %d scores of %d samples", n, len(right)))
	}
	order := make([]int, 0, n)
	for i, s := range scores {
		if !math.IsNaN(s) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return a - b
	})
	out := make([]float64, len(ks))
	for j, k := range ks {
		if k < 1 || k > n {
			panic(fmt.Sprintf("eval: best of %d among %d samples", k, n))
		}
		// miss is the probability that a random subset of k leaves out the best m:
		// C(n-m, k)/C(n, k).
		miss := 1.0
		for from := 0; from < len(order) && miss > 0; {
			to, after, hits := from, miss, 0
			for to < len(order) && scores[order[to]] == scores[order[from]] {
				after *= float64(max(0, n-to-k)) / float64(n-to)
				if right[order[to]] {
					hits++
				}
				to++
			}
			out[j] += (miss - after) * float64(hits) / float64(to-from)
			from, miss = to, after
		}
	}
	return out
}

// Vote is what a sample says in a vote.
type Vote struct {
	Answer string
	Weight float64 // 0 or below: it does not vote
	Right  bool
	Tokens int // that it cost
}

// VoteAtK is the probability that the winner of a vote of k samples is right, from
// the pool: the mean over the prefixes of random orders of it, each of which is a
// random subset, so without bias. The winner is that of search.Tally. Each k is in
// [1, n] and ks rise. The orders are a function of seed and stream.
func VoteAtK(votes []Vote, ks []int, orders int, seed, stream uint64) []float64 {
	hits := make([]int, len(ks))
	for o := range orders {
		var t search.Tally
		next := 0
		for i, at := range rng.Perm(seed, stream+uint64(o), len(votes)) {
			if v := votes[at]; v.Weight > 0 {
				t.Add(at, v.Answer, v.Weight)
			}
			if next < len(ks) && i+1 == ks[next] {
				if _, first, _ := t.Leader(); first >= 0 && votes[first].Right {
					hits[next]++
				}
				next++
			}
		}
	}
	out := make([]float64, len(ks))
	for i, h := range hits {
		out[i] = float64(h) / float64(orders)
	}
	return out
}

// Stopped is what a vote that ends early reaches, and what it costs.
type Stopped struct {
	Accuracy float64
	Samples  float64 // drawn on average
	Tokens   float64 // of the samples, on average
	Agrees   float64 // share of runs whose winner is that of the whole vote
}

// VoteUntil runs votes of at most k samples that end when stop says so, over random
// orders of the pool.
func VoteUntil(votes []Vote, k int, stop search.StopRule, orders int, seed, stream uint64) Stopped {
	var s Stopped
	for o := range orders {
		var t search.Tally
		order := rng.Perm(seed, stream+uint64(o), len(votes))[:k]
		var winner string
		ended := false
		for i, at := range order {
			v := votes[at]
			if v.Weight > 0 {
				t.Add(at, v.Answer, v.Weight)
			}
			if ended {
				continue
			}
			s.Samples++
			s.Tokens += float64(v.Tokens)
			if i+1 == k || stop(&t, k-i-1) {
				ended = true
				answer, first, _ := t.Leader()
				winner = answer
				if first >= 0 && votes[first].Right {
					s.Accuracy++
				}
			}
		}
		if answer, _, _ := t.Leader(); answer == winner {
			s.Agrees++
		}
	}
	for _, x := range []*float64{&s.Accuracy, &s.Samples, &s.Tokens, &s.Agrees} {
		*x /= float64(orders)
	}
	return s
}
