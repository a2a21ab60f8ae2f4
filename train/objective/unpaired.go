package objective

// Each loss takes the log-ratio a of one completion and its thumb, and gives the
// loss with its derivative by a.

// ktoLoss is weight (1 - sigmoid(beta (a - baseline))) for a thumb up, and with
// the sign turned for a thumb down.
func ktoLoss(a float64, good bool, o *PreferenceOptions, baseline float64) (loss, da float64) {
	sign, w := 1.0, o.Desirable
	if !good {
		sign, w = -1, o.Undesirable
	}
	s := sigmoid(sign * o.Beta * (a - baseline))
	return w * (1 - s), -w * sign * o.Beta * s * (1 - s)
}

// apoZeroLoss is 1 - sigmoid(beta a) for the chosen, sigmoid(beta a) for the
// rejected.
func apoZeroLoss(a float64, good bool, o *PreferenceOptions, _ float64) (loss, da float64) {
	s := sigmoid(o.Beta * a)
	d := o.Beta * s * (1 - s)
	if good {
		return 1 - s, -d
	}
	return s, d
}

// sppoLoss is (a - 1/(2 beta))^2 for the winner, (a + 1/(2 beta))^2 for the loser:
// win rates of 1 and 0 in the paper's equation.
func sppoLoss(a float64, good bool, o *PreferenceOptions, _ float64) (loss, da float64) {
	d := a + 1/(2*o.Beta)
	if good {
		d = a - 1/(2*o.Beta)
	}
	return d * d, 2 * d
}
