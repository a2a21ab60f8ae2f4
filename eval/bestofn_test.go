package eval

import (
	"math"
	"math/bits"
	"testing"
)

// TestBestOfNReward compares with all subsets.
func TestBestOfNReward(t *testing.T) {
	scores := []float64{0.3, -1, 2, 2, 0.5, 7, -1}
	for n := 1; n <= len(scores); n++ {
		var sum, subsets float64
		for set := range uint(1 << len(scores)) {
			if bits.OnesCount(set) != n {
				continue
			}
			best := math.Inf(-1)
			for i, x := range scores {
				if set>>i&1 == 1 {
					best = max(best, x)
				}
			}
			sum, subsets = sum+best, subsets+1
		}
		if got, want := BestOfNReward(scores, n), sum/subsets; math.Abs(got-want) > 1e-12 {
			t.Errorf("best of %d: %.12f, over all subsets %.12f", n, got, want)
		}
	}
}

// TestBestOfNKLOf has no ties, and only ties.
func TestBestOfNKLOf(t *testing.T) {
	uniform := make([]float64, 16)
	for i := range uniform {
		uniform[i] = float64(i)
	}
	for n, want := range map[int]float64{1: 0, 4: 0.6334, 16: 1.7940, 64: 2.6892} {
		if got := BestOfNKLOf(uniform, n); math.Abs(got-want) > 5e-5 {
			t.Errorf("best of %d over 16 outcomes: %.4f nats, want %.4f", n, got, want)
		}
	}
	if got := BestOfNKLOf([]float64{1, 1, 1}, 8); math.Abs(got) > 1e-12 {
		t.Errorf("where all are equal the divergence is %g, want 0", got)
	}
}
