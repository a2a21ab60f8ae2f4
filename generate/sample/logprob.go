package sample

import (
	"fmt"
	"math"
	"slices"
)

// LogSumExp returns log(sum(exp(logits))) in float64, without overflow. It is
// NaN where a logit is NaN or +Inf, and -Inf for no logits at all.
func LogSumExp(logits []float32) float64 {
	top := float32(math.Inf(-1))
	for _, x := range logits {
		top = max(top, x) // NaN stays
	}
	if math.IsInf(float64(top), -1) {
		return math.Inf(-1)
	}
	var sum float64
	for _, x := range logits {
		sum += math.Exp(float64(x) - float64(top))
	}
	return float64(top) + math.Log(sum)
}

// LogSoftmax writes the natural logarithm of the probabilities of logits (V)
// to dst (V).
func LogSoftmax(dst []float64, logits []float32) {
	if len(dst) != len(logits) {
		panic(fmt.Sprintf("sample: LogSoftmax of %d logits into %d places", len(logits), len(dst)))
	}
	total := LogSumExp(logits)
	for i, x := range logits {
		dst[i] = float64(x) - total
	}
}

// LogProb returns the log-probability of one id among logits (V), at
// temperature 1 and with nothing filtered out.
func LogProb(logits []float32, id int32) float64 {
	return float64(logits[id]) - LogSumExp(logits)
}

// TopN returns the n most probable tokens of logits (V), most probable first
// and the lower id of equals first, with their log-probabilities among all V.
// Logits of -Inf and NaN are left out; a NaN makes every log-probability NaN.
func TopN(logits []float32, n int) []Token {
	if n <= 0 {
		return nil
	}
	p := newPool(logits, At{})
	defer p.free()
	if n < len(logits) {
		p.c, p.row = p.leading(p.c[:0], logits, nil, n, p.bar(n)), nil
	}
	best := p.rank(p.list())
	slices.SortFunc(best, compare)
	total := LogSumExp(logits)
	out := make([]Token, min(n, len(best)))
	for i := range out {
		out[i] = Token{best[i].id, -best[i].key - total}
	}
	return out
}

// Argmax returns the id of the largest logit, the lowest of equals, and -1
// where no logit is above -Inf. NaN is passed over.
func Argmax(logits []float32) int32 { return int32(argmax(logits, nil)) }

// logProb is the log-probability of id, -Inf for one that is not among them.
func logProb(d []Token, id int32) float64 {
	for _, t := range d {
		if t.ID == id {
			return t.LogProb
		}
	}
	return math.Inf(-1)
}
