package eval

import (
	"math"
	"slices"
)

// Judged is a pair of completions that somebody compared, with the scores that a
// reward model gives them.
type Judged struct {
	Chosen, Rejected           float64 // scores
	ChosenLength, RejectLength int     // tokens
}

// RewardReport says how good a reward model is on held-out pairs.
type RewardReport struct {
	Pairs    int
	Accuracy Interval // share of pairs whose chosen completion has the larger score; ties count half
	Ties     int
	LogLoss  float64 // mean -log sigmoid(difference) in nats; log 2 without knowledge
	// Ceiling is the accuracy that its own probabilities promise, the mean of
	// max(p, 1-p): where they are calibrated it is the most that labels of this
	// noise allow.
	Ceiling float64
	// Calibration compares the promised with the true probability.
	Calibration []CalibrationBin
	ECE         float64 // mean distance of the two, weighted by bins
	// LengthRule is the accuracy of choosing by length alone: always the longer
	// completion, or where Shorter is true the shorter one, whichever is right more
	// often; LongerWins and
	// ShorterWins are the model's where the longer, or the shorter, was chosen.
	LengthRule, LongerWins, ShorterWins Interval
	Shorter                             bool
	OverLength                          Interval // accuracy above the length rule's, pair by pair
	// LengthSlope is by how much the difference of scores grows with one more token
	// of length difference (least squares through 0), with its 95 % interval, and
	// LengthShare the share of the differences' squares that it explains.
	LengthSlope Interval
	LengthShare float64
}

// CalibrationBin is the pairs whose promised probability, of the completion with
// the larger score, lies in one range.
type CalibrationBin struct {
	Promised float64 // mean
	Right    Interval
}

// calibrationBins of the promised probabilities in [1/2, 1], of equal numbers.
const calibrationBins = 10

// NewRewardReport measures.
func NewRewardReport(pairs []Judged) RewardReport {
	r := RewardReport{Pairs: len(pairs)}
	var right, longer, shorter, longerRight, shorterRight, equal float64
	var promised []promise
	var model, rule []float64
	for _, p := range pairs {
		d := p.Chosen - p.Rejected
		won := step(d)
		right += won
		if d == 0 {
			r.Ties++
		}
		r.LogLoss += math.Log1p(math.Exp(-math.Abs(d))) + max(0, -d)
		c := 1 / (1 + math.Exp(-math.Abs(d)))
		r.Ceiling += c
		promised = append(promised, promise{c, won})
		model, rule = append(model, won), append(rule, step(float64(p.ChosenLength-p.RejectLength)))
		switch {
		case p.ChosenLength > p.RejectLength:
			longer++
			longerRight += won
		case p.ChosenLength < p.RejectLength:
			shorter++
			shorterRight += won
		default:
			equal++
		}
	}
	n := float64(len(pairs))
	r.LogLoss, r.Ceiling = r.LogLoss/n, r.Ceiling/n
	r.Accuracy = share(right, n)
	if r.Shorter = shorter > longer; r.Shorter {
		for i := range rule {
			rule[i] = 1 - rule[i]
		}
	}
	r.LengthRule = share(max(longer, shorter)+equal/2, n)
	r.LongerWins, r.ShorterWins = share(longerRight, longer), share(shorterRight, shorter)
	r.OverLength = Paired(model, rule)
	r.Calibration, r.ECE = calibrate(promised)
	r.slope(pairs)
	return r
}

func step(d float64) float64 {
	switch {
	case d > 0:
		return 1
	case d == 0:
		return 0.5
	}
	return 0
}

// share is k of n with its interval; k may count halves.
func share(k, n float64) Interval { return wilson(k, int(n), Z95) }

// promise is a pair's promised probability and whether it came true.
type promise struct{ p, won float64 }

// calibrate compares promised with true probabilities in bins of equal numbers; ece
// is the mean distance, weighted by bins.
func calibrate(all []promise) (out []CalibrationBin, ece float64) {
	slices.SortStableFunc(all, func(a, b promise) int {
		switch {
		case a.p < b.p:
			return -1
		case a.p > b.p:
			return 1
		}
		return 0
	})
	bins := min(calibrationBins, len(all))
	for i := range bins {
		part := all[i*len(all)/bins : (i+1)*len(all)/bins]
		var p, won float64
		for _, x := range part {
			p, won = p+x.p, won+x.won
		}
		n := float64(len(part))
		b := CalibrationBin{p / n, share(won, n)}
		out = append(out, b)
		ece += math.Abs(b.Promised-b.Right.Value) * n / float64(len(all))
	}
	return out, ece
}

// slope fits difference of scores = slope * difference of lengths, by pairs in
// both orders, so without a constant.
func (r *RewardReport) slope(pairs []Judged) {
	var xx, xy, yy float64
	for _, p := range pairs {
		x, y := float64(p.ChosenLength-p.RejectLength), p.Chosen-p.Rejected
		xx, xy, yy = xx+x*x, xy+x*y, yy+y*y
	}
	r.LengthSlope = Interval{math.NaN(), math.Inf(-1), math.Inf(1), len(pairs)}
	if xx == 0 || yy == 0 || len(pairs) < 2 {
		return
	}
	b := xy / xx
	half := Z95 * math.Sqrt(max(0, yy-b*xy)/float64(len(pairs)-1)/xx)
	r.LengthSlope = Interval{b, b - half, b + half, len(pairs)}
	r.LengthShare = xy * xy / (xx * yy)
}

// LabelCeiling is the largest accuracy that any scorer can reach against labels of
// which each agrees with the majority with the probability that repeated
// judgements of the same pairs show: votes holds, for each pair judged more than
// once, how often either side was chosen. It estimates the probability q that two
// judgements agree, without bias, and returns (1+sqrt(2q-1))/2. With fewer than
// two judgements of every pair it is NaN.
func LabelCeiling(votes [][2]int) float64 {
	var agree, n float64
	for _, v := range votes {
		a, b := float64(v[0]), float64(v[1])
		agree += a*(a-1) + b*(b-1)
		n += (a + b) * (a + b - 1)
	}
	if n == 0 {
		return math.NaN()
	}
	return (1 + math.Sqrt(max(0, 2*agree/n-1))) / 2
}
