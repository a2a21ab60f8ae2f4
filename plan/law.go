package plan

import "math"

// Law is the parametric scaling law L(N, D) = E + A/N^Alpha + B/D^Beta, in nats
// a token, for N parameters and D training tokens seen once (Hoffmann et al.
// 2022, arXiv 2203.15556, equation 2). N counts all parameters.
type Law struct {
	Name   string  `json:"name"`
	Source string  `json:"source"`
	E      float64 `json:"e"`
	A      float64 `json:"a"`
	B      float64 `json:"b"`
	Alpha  float64 `json:"alpha"`
	Beta   float64 `json:"beta"`
}

// The published coefficients. Each was fitted on models of 44 M to 16 B
// parameters over web text with 32 k tokens: far above what a laptop trains.
// The absolute loss they give for a small model, or for another tokenizer, is
// not a forecast; the ratio of N to D is the best guess there is.
var (
	// HoffmannRounded is as printed in the paper, equation 10. The rounding
	// moves the optimal N by 16 % at 10^19 FLOP.
	HoffmannRounded = Law{"hoffmann-rounded", "Hoffmann et al. 2022, arXiv 2203.15556, equation 10", 1.69, 406.4, 410.7, 0.34, 0.28}
	// Hoffmann has the digits of the paper's TeX source, in logarithms.
	Hoffmann = Law{"hoffmann", "Hoffmann et al. 2022, arXiv 2203.15556, TeX source",
		math.Exp(0.5267228), math.Exp(6.0073404), math.Exp(6.0179186), 0.33917084, 0.2849083}
	// Epoch is the refit on the points of the paper's figure 4, without its
	// five highest losses; it agrees with the paper's other two approaches.
	Epoch = Law{"epoch", "Besiroglu et al. 2024, arXiv 2404.10102, table 1", 1.8169, 482.01, 2085.43, 0.3478, 0.3659}
)

// Laws are the named coefficient sets.
func Laws() []Law { return []Law{Epoch, Hoffmann, HoffmannRounded, Muennighoff.Law} }

// Loss is L(N, D) in nats a token.
func (l Law) Loss(n, d float64) float64 {
	return l.E + l.A/math.Pow(n, l.Alpha) + l.B/math.Pow(d, l.Beta)
}

// scale is G of Hoffmann et al., equation 4.
func (l Law) scale() float64 {
	return math.Pow(l.Alpha*l.A/(l.Beta*l.B), 1/(l.Alpha+l.Beta))
}

// Exponents are a and b of N = G (C/6)^a, D = (C/6)^b / G; a+b = 1.
func (l Law) Exponents() (a, b float64) {
	return l.Beta / (l.Alpha + l.Beta), l.Alpha / (l.Alpha + l.Beta)
}

// Optimal is the N and D with the least loss for a budget of flop = 6*N*D.
func (l Law) Optimal(flop float64) (n, d float64) {
	a, b := l.Exponents()
	return l.scale() * math.Pow(flop/6, a), math.Pow(flop/6, b) / l.scale()
}

// OptimalN is the N for which d tokens are the compute-optimal number.
func (l Law) OptimalN(d float64) float64 {
	g := l.scale()
	return math.Pow(d*g, l.Beta/l.Alpha) * g
}

// DataLaw is a Law for data seen more than once: repeats are worth less and
// less, and so are parameters beyond the number that the unique data would
// feed (Muennighoff et al. 2023, arXiv 2305.16264, equations 5 and 6).
type DataLaw struct {
	Law
	RD float64 `json:"rd"` // R_D*: repeats after which a further one is worth 1/e of a first reading
	RN float64 `json:"rn"` // R_N*: the same for excess parameters
}

// Muennighoff has the coefficients of the paper's parametric fit, in
// logarithms; Alpha equals Beta by construction.
var Muennighoff = DataLaw{
	Law: Law{"muennighoff", "Muennighoff et al. 2023, arXiv 2305.16264, parametric fit",
		math.Exp(0.6254804), math.Exp(6.255414), math.Exp(7.3049974), 0.3526596, 0.3526596},
	RD: 15.387756, RN: 5.309743,
}

// EffectiveData is what d tokens read from unique ones are worth, in tokens
// read once: at most 1+RD times unique.
func (l DataLaw) EffectiveData(d, unique float64) float64 {
	return saturate(d, min(d, unique), l.RD)
}

// EffectiveParameters is what n parameters are worth on unique tokens.
func (l DataLaw) EffectiveParameters(n, unique float64) float64 {
	return saturate(n, min(n, l.OptimalN(unique)), l.RN)
}

// saturate is u + u*r*(1-exp(-(x/u-1)/r)).
func saturate(x, u, r float64) float64 {
	return u + u*r*(1-math.Exp(-(x/u-1)/r))
}

// Loss is that of n parameters after d tokens read from unique ones. Where d is
// the smaller, all of d is read once. The parameters are still measured by what
// is available (the paper takes min(d, unique)), so that for plentiful data the
// law is exactly its base.
func (l DataLaw) Loss(n, d, unique float64) float64 {
	return l.Law.Loss(l.EffectiveParameters(n, unique), l.EffectiveData(d, unique))
}

// Optimal is the n and d = flop/(6n) with the least loss for a budget and a
// number of unique tokens. It searches log n by golden sections: the loss has
// one minimum.
func (l DataLaw) Optimal(flop, unique float64) (n, d float64) {
	at := func(x float64) float64 {
		n := math.Exp(x)
		return l.Loss(n, flop/(6*n), unique)
	}
	free, _ := l.Law.Optimal(flop)
	lo, hi := math.Log(free)-12, math.Log(free)+3 // scarce data asks for fewer parameters
	const golden = 0.6180339887498949
	x1, x2 := hi-golden*(hi-lo), lo+golden*(hi-lo)
	f1, f2 := at(x1), at(x2)
	for range 100 {
		if f1 < f2 {
			hi, x2, f2 = x2, x1, f1
			x1 = hi - golden*(hi-lo)
			f1 = at(x1)
		} else {
			lo, x1, f1 = x1, x2, f2
			x2 = lo + golden*(hi-lo)
			f2 = at(x2)
		}
	}
	n = math.Exp((lo + hi) / 2)
	return n, flop / (6 * n)
}
