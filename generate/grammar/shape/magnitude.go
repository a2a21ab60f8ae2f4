package shape

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// LCM is the least common multiple of two steps above 0: multiples of both are the
// multiples of it.
func LCM(a, b *big.Rat) *big.Rat {
	// lcm(p/q, r/s) = lcm(ps, rq)/(qs).
	x := new(big.Int).Mul(a.Num(), b.Denom())
	y := new(big.Int).Mul(b.Num(), a.Denom())
	gcd := new(big.Int).GCD(nil, nil, x, y)
	return new(big.Rat).SetFrac(x.Mul(x, y.Quo(y, gcd)), new(big.Int).Mul(a.Denom(), b.Denom()))
}

// A magnitude is the part of a Number with one sign, without the sign: numbers from lo
// to hi in steps.
type magnitude struct {
	negative       bool
	lo, hi         *decimal // lo is never nil; hi nil: no bound
	openLo, openHi bool
	step           *step // nil: any number
	not            []*step
	integral       bool // written without a point
}

// A step is a number above 0 whose multiples are meant.
type step struct {
	value *big.Rat // a / 10^places
	a     uint64
	// places is the number of decimal places.
	places int
}

// maxStep keeps residues, times ten, within 64 bits.
const maxStep = 1e18

func newStep(r *big.Rat) (*step, error) {
	places, exact := r.FloatPrec()
	if !exact || r.Sign() <= 0 || places > maxScale {
		return nil, fmt.Errorf("a step must be a decimal above 0 with at most %d places", maxScale)
	}
	a := new(big.Int).Quo(new(big.Int).Mul(r.Num(), power10(places)), r.Denom())
	if !a.IsUint64() || a.Uint64() > maxStep {
		return nil, fmt.Errorf("a step may have 18 digits, %s has more", r.RatString())
	}
	return &step{value: r, a: a.Uint64(), places: places}, nil
}

// A decimal is a constant at or above 0 and its digits.
type decimal struct {
	value       *big.Rat
	whole, frac string // "12", "5" for 12.5; without needless zeros, but whole is never empty
	digits      string // the significant ones: without zeros at both ends
	exponent    int    // of the first significant digit: value = d.ddd * 10^exponent
}

func newDecimal(r *big.Rat) (*decimal, error) {
	places, exact := r.FloatPrec()
	if !exact || places > maxScale || r.Num().BitLen() > 4*maxScale {
		return nil, fmt.Errorf("a bound must be a decimal of at most %d digits", maxScale)
	}
	d := &decimal{value: r}
	d.whole, d.frac, _ = strings.Cut(r.FloatString(places), ".")
	all := d.whole + d.frac
	d.digits = strings.TrimLeft(all, "0")
	d.exponent = len(d.whole) - 1 - (len(all) - len(d.digits))
	d.digits = strings.TrimRight(d.digits, "0")
	return d, nil
}

// magnitudes splits a Number by sign.
func magnitudes(n *Number) (parts []*magnitude, err error) {
	add := func(negative bool, lo, hi *big.Rat, openLo, openHi bool) {
		if err != nil || hi != nil && hi.Sign() < 0 {
			return
		}
		if lo == nil || lo.Sign() < 0 {
			lo, openLo = new(big.Rat), false
		}
		openLo = openLo || negative && n.NoMinusZero && lo.Sign() == 0
		m := &magnitude{negative: negative, openLo: openLo, openHi: openHi, integral: n.Whole}
		if m.lo, err = newDecimal(lo); err != nil {
			return
		}
		if hi != nil {
			if m.hi, err = newDecimal(hi); err != nil {
				return
			}
		}
		if n.MultipleOf != nil {
			if m.step, err = newStep(n.MultipleOf); err != nil {
				return
			}
		}
		for _, r := range n.NotMultipleOf {
			s, bad := newStep(r)
			if bad != nil {
				err = bad
				return
			}
			m.not = append(m.not, s)
		}
		if m.exists(span{lo: new(big.Rat)}, nil) {
			parts = append(parts, m)
		}
	}
	negate := func(r *big.Rat) *big.Rat {
		if r == nil {
			return nil
		}
		return new(big.Rat).Neg(r)
	}
	add(false, n.Min, n.Max, n.OpenMin, n.OpenMax)
	add(true, negate(n.Max), negate(n.Min), n.OpenMax, n.OpenMin)
	return parts, err
}

// A span is the numbers from lo up to hi, hi itself left out; hi nil: all above lo.
type span struct{ lo, hi *big.Rat }

// maxTries bounds the search for a multiple of one step that is none of others.
const maxTries = 1000

// exists says whether a number of the magnitude lies in the span and is a multiple of
// grain (nil: whatever).
func (m *magnitude) exists(s span, grain *big.Rat) bool {
	lo, open := s.lo, false
	if c := m.lo.value.Cmp(lo); c > 0 || c == 0 && m.openLo {
		lo, open = m.lo.value, m.openLo
	}
	hi, openHi := s.hi, true
	if m.hi != nil && (hi == nil || m.hi.value.Cmp(hi) < 0) {
		hi, openHi = m.hi.value, m.openHi
	}
	step := grain
	if m.step != nil {
		step = m.step.value
		if grain != nil {
			step = LCM(step, grain)
		}
	}
	if step == nil {
		if hi == nil || lo.Cmp(hi) < 0 {
			return true // finer than any of the other steps
		}
		return lo.Cmp(hi) == 0 && !open && !openHi && !m.excluded(lo)
	}
	k := new(big.Rat).Quo(lo, step)
	first, rest := new(big.Int).QuoRem(k.Num(), k.Denom(), new(big.Int))
	if rest.Sign() != 0 || open {
		first.Add(first, big.NewInt(1))
	}
	x := new(big.Rat).SetInt(first)
	x.Mul(x, step)
	for range maxTries {
		if hi != nil {
			if c := x.Cmp(hi); c > 0 || c == 0 && openHi {
				return false
			}
		}
		if !m.excluded(x) {
			return true
		}
		x = new(big.Rat).Add(x, step)
	}
	return false
}

func (m *magnitude) excluded(x *big.Rat) bool {
	return slices.ContainsFunc(m.not, func(s *step) bool { return multiple(x, s.value) })
}

// has says whether x, at or above 0, belongs to the magnitude.
func (m *magnitude) has(x *big.Rat) bool {
	if c := x.Cmp(m.lo.value); c < 0 || c == 0 && m.openLo {
		return false
	}
	if m.hi != nil {
		if c := x.Cmp(m.hi.value); c > 0 || c == 0 && m.openHi {
			return false
		}
	}
	return (m.step == nil || multiple(x, m.step.value)) && !m.excluded(x)
}

func power10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// scale is 10^n as a fraction, for n of either sign.
func scale(n int) *big.Rat {
	if n < 0 {
		return new(big.Rat).SetFrac(big.NewInt(1), power10(-n))
	}
	return new(big.Rat).SetInt(power10(n))
}
