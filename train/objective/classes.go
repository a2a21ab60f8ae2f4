package objective

import "math"

// Classes is the cross-entropy of the softmax of one row of scores against the
// right class, in nats, with its gradient by the scores.
func Classes(scores []float64, class int) (loss float64, grad []float64) {
	top := math.Inf(-1)
	for _, x := range scores {
		top = max(top, x)
	}
	var z float64
	grad = make([]float64, len(scores))
	for i, x := range scores {
		grad[i] = math.Exp(x - top)
		z += grad[i]
	}
	for i := range grad {
		grad[i] /= z
	}
	grad[class]--
	return math.Log(z) + top - scores[class], grad
}
