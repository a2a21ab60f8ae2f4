package objective

import "math"

// Each loss takes the log-ratios a of the chosen and b of the rejected
// completion (log-probabilities where the method has no reference) and gives the
// loss with its derivatives by a and b.

// smoothed is the logistic loss of x, whose label is wrong with probability e.
func smoothed(x, e float64) (loss, dx float64) {
	return -(1-e)*logSigmoid(x) - e*logSigmoid(-x), -(1-e)*sigmoid(-x) + e*sigmoid(x)
}

// sigmoidLoss is -log sigmoid(beta (a-b)); smoothed it is cDPO (Mitchell 2023, a
// note on DPO with noisy preferences).
func sigmoidLoss(a, b float64, o *PreferenceOptions, _ float64) (loss, da, db float64) {
	loss, dx := smoothed(o.Beta*(a-b), o.Smoothing)
	return loss, o.Beta * dx, -o.Beta * dx
}

// robustLoss has in expectation over flipped labels the value of the loss without
// flips: ((1-e) l(x) - e l(-x)) / (1-2e).
func robustLoss(a, b float64, o *PreferenceOptions, _ float64) (loss, da, db float64) {
	x, e := o.Beta*(a-b), o.Smoothing
	loss = (-(1-e)*logSigmoid(x) + e*logSigmoid(-x)) / (1 - 2*e)
	dx := (-(1-e)*sigmoid(-x) - e*sigmoid(x)) / (1 - 2*e)
	return loss, o.Beta * dx, -o.Beta * dx
}

// ipoLoss is (a - b - 1/(2 beta))^2. The paper's a and b are log-ratios of whole
// completions (Averaging: Sum); the default, as in TRL, is their mean over tokens,
// since a margin of completions grows with their length.
func ipoLoss(a, b float64, o *PreferenceOptions, _ float64) (loss, da, db float64) {
	d := a - b - 1/(2*o.Beta)
	return d * d, 2 * d, -2 * d
}

// hingeLoss is max(0, 1 - beta (a-b)).
func hingeLoss(a, b float64, o *PreferenceOptions, _ float64) (loss, da, db float64) {
	if loss = 1 - o.Beta*(a-b); loss <= 0 {
		return 0, 0, 0
	}
	return loss, -o.Beta, o.Beta
}

// simpoLoss is the logistic loss of beta (a-b) - gamma on means over tokens.
func simpoLoss(a, b float64, o *PreferenceOptions, _ float64) (loss, da, db float64) {
	loss, dx := smoothed(o.Beta*(a-b)-o.Gamma, o.Smoothing)
	return loss, o.Beta * dx, -o.Beta * dx
}

// certain is the largest mean log-probability that odds are taken of: float32
// log-probabilities of a certain completion round to 0, whose odds are infinite.
const certain = -1e-7

// orpoLoss is -beta log sigmoid(log odds(a) - log odds(b)), with odds(a) =
// exp(a)/(1-exp(a)).
func orpoLoss(a, b float64, o *PreferenceOptions, _ float64) (loss, da, db float64) {
	a, b = math.Min(a, certain), math.Min(b, certain)
	restA, restB := -math.Expm1(a), -math.Expm1(b)
	x := a - math.Log(restA) - b + math.Log(restB)
	dx := -o.Beta * sigmoid(-x)
	return -o.Beta * logSigmoid(x), dx / restA, -dx / restB
}

// apoDownLoss is sigmoid(beta a) + 1 - sigmoid(beta (a-b)).
func apoDownLoss(a, b float64, o *PreferenceOptions, _ float64) (loss, da, db float64) {
	s, m := sigmoid(o.Beta*a), sigmoid(o.Beta*(a-b))
	ds, dm := o.Beta*s*(1-s), o.Beta*m*(1-m)
	return s + 1 - m, ds - dm, dm
}

// exoLoss is the divergence of (s, 1-s), s = sigmoid(beta (a-b)), from the
// smoothed label (1-e, e).
func exoLoss(a, b float64, o *PreferenceOptions, _ float64) (loss, da, db float64) {
	x, e := o.Beta*(a-b), o.Smoothing
	s := sigmoid(x)
	loss = s*(logSigmoid(x)-math.Log1p(-e)) + (1-s)*(logSigmoid(-x)-math.Log(e))
	dx := o.Beta * s * (1 - s) * (x - math.Log1p(-e) + math.Log(e))
	return loss, dx, -dx
}

// ncaLoss is -log sigmoid(x) - log sigmoid(-x)/2 - log sigmoid(-y)/2, with x =
// beta a and y = beta b.
func ncaLoss(a, b float64, o *PreferenceOptions, _ float64) (loss, da, db float64) {
	x, y := o.Beta*a, o.Beta*b
	loss = -logSigmoid(x) - logSigmoid(-x)/2 - logSigmoid(-y)/2
	return loss, o.Beta * (sigmoid(x)/2 - sigmoid(-x)), o.Beta * sigmoid(y) / 2
}
