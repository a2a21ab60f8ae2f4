package shape

import (
	"math/big"
	"strings"
)

// exponents is the range of exponents that make the mantissa d a number of the
// magnitude; empty if from > to. A number grows with its exponent, so it is a range.
func (n *numeral) exponents(d *digits) (from, to int) {
	from, to = MinExponent, MaxExponent
	mantissa := strings.TrimRight(d.whole+d.frac, "0")
	if n.loose {
		if n.openLo && strings.Trim(mantissa, "0") == "" {
			return 1, 0
		}
		return from, to
	}
	if n.lo.value.Sign() > 0 {
		from = max(from, n.lo.exponent)
		if c := strings.Compare(mantissa, n.lo.digits); c < 0 || c == 0 && n.openLo {
			from = max(from, n.lo.exponent+1)
		}
	}
	if n.hi != nil {
		last := n.hi.exponent
		if c := strings.Compare(mantissa, n.hi.digits); c > 0 || c == 0 && n.openHi {
			last--
		}
		to = min(to, last)
	}
	return from, to
}

// scientificLive says whether the beginning of a scientific number can be finished.
func (n *numeral) scientificLive(d *digits) bool {
	if d.phase >= atE {
		return n.exponentLive(d)
	}
	if n.hi != nil && n.hi.value.Sign() == 0 {
		return false
	}
	if n.loose || d.phase <= atSign {
		return n.loose || n.someExponent(span{big.NewRat(1, 1), big.NewRat(10, 1)})
	}
	if len(d.whole) > 1 || d.whole == "0" {
		return false
	}
	v := d.value()
	return n.someExponent(span{v, new(big.Rat).Add(v, scale(-len(d.frac)))})
}

// someExponent says whether a mantissa of the span, which lies within a decade, has an
// exponent that makes it fit. Between the decades of the bounds all mantissas fit, so it
// is enough to look near the bounds.
func (n *numeral) someExponent(s span) bool {
	near := []int{MinExponent, MaxExponent}
	for i := -1; i <= 1; i++ {
		if n.lo.value.Sign() > 0 {
			near = append(near, n.lo.exponent+i)
		}
		if n.hi != nil {
			near = append(near, n.hi.exponent+i)
		}
	}
	for _, e := range near {
		if e < MinExponent || e > MaxExponent {
			continue
		}
		p := scale(e)
		if n.exists(span{new(big.Rat).Mul(s.lo, p), new(big.Rat).Mul(s.hi, p)}, nil) {
			return true
		}
	}
	return false
}

// exponentLive says whether more digits bring the exponent into its range.
func (n *numeral) exponentLive(d *digits) bool {
	lo, hi := d.exponent, d.exponent
	for length := d.length; length <= exponentDigits; length++ {
		if length > 0 {
			for _, negative := range []bool{false, true} {
				from, to := lo, hi
				if negative {
					from, to = -hi, -lo
				}
				possible := d.phase == atE || negative == d.negative
				if possible && max(from, d.from) <= min(to, d.to) {
					return true
				}
			}
		}
		lo, hi = 10*lo, 10*hi+9
	}
	return false
}
