package schema

import (
	"math/big"
	"slices"
)

// A number is a set of numbers: an interval, its multiples, without other multiples.
// Integers are the multiples of 1.
type number struct {
	min, max         *big.Rat // nil: no bound
	openMin, openMax bool
	step             *big.Rat // nil: any
	not              []*big.Rat
	whole            bool // written without fraction and exponent: type integer of draft 4
}

var one = big.NewRat(1, 1)

// andNumbers is the intersection: one part, or none if it is empty.
func andNumbers(a, b *number) []*number {
	n := *a
	n.whole = a.whole || b.whole
	if b.min != nil {
		n.raise(b.min, b.openMin)
	}
	if b.max != nil {
		n.lower(b.max, b.openMax)
	}
	if b.step != nil {
		if n.step == nil {
			n.step = b.step
		} else {
			n.step = lcm(n.step, b.step)
		}
	}
	for _, m := range b.not {
		if !slices.ContainsFunc(n.not, func(x *big.Rat) bool { return x.Cmp(m) == 0 }) {
			n.not = append(n.not[:len(n.not):len(n.not)], m)
		}
	}
	if n.empty() {
		return nil
	}
	return []*number{&n}
}

// raise and lower bring another bound in.
func (n *number) raise(min *big.Rat, open bool) {
	if n.min == nil || n.min.Cmp(min) < 0 {
		n.min, n.openMin = min, open
	} else if n.min.Cmp(min) == 0 {
		n.openMin = n.openMin || open
	}
}

func (n *number) lower(max *big.Rat, open bool) {
	if n.max == nil || n.max.Cmp(max) > 0 {
		n.max, n.openMax = max, open
	} else if n.max.Cmp(max) == 0 {
		n.openMax = n.openMax || open
	}
}

// empty says that no number is left.
func (n *number) empty() bool {
	for _, m := range n.not {
		if n.step != nil && multiple(n.step, m) {
			return true
		}
	}
	if n.min == nil || n.max == nil {
		return false
	}
	if d := n.min.Cmp(n.max); d > 0 || d == 0 && (n.openMin || n.openMax) {
		return true
	} else if d == 0 {
		return n.step != nil && !multiple(n.min, n.step) || slices.ContainsFunc(n.not, func(m *big.Rat) bool { return multiple(n.min, m) })
	}
	if n.step == nil {
		return false
	}
	q := new(big.Rat).Quo(n.min, n.step)
	k := new(big.Int).Div(q.Num(), q.Denom()) // rounds down
	first := new(big.Rat).Mul(new(big.Rat).SetInt(k), n.step)
	if d := first.Cmp(n.min); d < 0 || d == 0 && n.openMin {
		first.Add(first, n.step)
	}
	d := first.Cmp(n.max)
	return d > 0 || d == 0 && n.openMax
}

// integers says that all numbers are, as those of type integer and a constant 1 are.
func (n *number) integers() bool {
	if n.step != nil {
		return n.step.IsInt()
	}
	return n.min != nil && n.max != nil && n.min.Cmp(n.max) == 0 && n.min.IsInt()
}

// multiple says that x is a whole number of steps.
func multiple(x, step *big.Rat) bool { return new(big.Rat).Quo(x, step).IsInt() }

// lcm is the least common multiple of two positive numbers.
func lcm(a, b *big.Rat) *big.Rat {
	x := new(big.Int).Mul(a.Num(), b.Denom())
	y := new(big.Int).Mul(b.Num(), a.Denom())
	m := new(big.Int).Mul(x, y)
	m.Div(m, new(big.Int).GCD(nil, nil, x, y))
	return new(big.Rat).SetFrac(m, new(big.Int).Mul(a.Denom(), b.Denom()))
}

// others is the complement among numbers.
func (n *number) others() []*number {
	var out []*number
	if n.min != nil {
		out = append(out, &number{max: n.min, openMax: !n.openMin})
	}
	if n.max != nil {
		out = append(out, &number{min: n.max, openMin: !n.openMax})
	}
	if n.step != nil {
		out = append(out, &number{not: []*big.Rat{n.step}})
	}
	for _, m := range n.not {
		out = append(out, &number{step: m})
	}
	return out
}
