package search

import (
	"context"
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// equation is "expression = number": GSM8K's <<16-3-4=9>> and equations in prose.
// A calculator annotation stands inside an equation in prose, so the marks are
// removed first, with their content where it repeats what stands before.
var (
	annotation = regexp.MustCompile(`<<([^<>]{1,200})>>`)
	equation   = regexp.MustCompile(`([-+*/×÷xX−().,$€£0-9 ]*[-+*/×÷xX−][-+*/×÷xX−().,$€£0-9 ]*)=[ ]*([-−]?[$€£]?[0-9][0-9,]*(?:\.[0-9]+)?)`)
)

// maxEquations bounds what Arithmetic checks in a text.
const maxEquations = 1000

// Arithmetic checks the equations that a text shows, such as "3 * 4 = 12" and
// GSM8K's "<<3*4=12>>". It passes a text whose equations are all right, and refuses
// one without any; the score is the share that is right. Results rounded to the
// decimals that they show are right.
func Arithmetic(_ context.Context, c *Candidate) (Verdict, error) {
	text := c.Text
	var all [][]string
	for _, m := range annotation.FindAllStringSubmatch(text, maxEquations) {
		if left, right, ok := strings.Cut(m[1], "="); ok {
			all = append(all, []string{m[1], left, right})
		}
	}
	if all == nil { // annotations repeat what the prose says
		all = equation.FindAllStringSubmatch(text, maxEquations)
	}
	right, wrong, why := 0, 0, ""
	for _, m := range all {
		switch want, ok := Evaluate(m[1]); {
		case !ok:
			// Not an expression: "x = 3" of prose says nothing that can be checked.
		case equalAsShown(want, m[2]):
			right++
		default:
			if wrong++; why == "" {
				why = fmt.Sprintf("%s: it is %s", strings.TrimSpace(m[0]), shown(want))
			}
		}
	}
	if right+wrong == 0 {
		return Verdict{Why: "no equation to check"}, nil
	}
	return Verdict{Pass: wrong == 0, Score: float64(right) / float64(right+wrong), Why: why}, nil
}

func shown(r *big.Rat) string {
	return strings.TrimRight(strings.TrimRight(r.FloatString(4), "0"), ".")
}

// equalAsShown compares with a result of a certain number of decimals.
func equalAsShown(want *big.Rat, s string) bool {
	got, ok := ParseNumber(strings.TrimSpace(s))
	if !ok {
		return false
	}
	if got.Cmp(want) == 0 {
		return true
	}
	_, decimals, ok := strings.Cut(s, ".")
	if !ok || len(decimals) > maxDigits {
		return false
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(strings.TrimSpace(decimals)))), nil)
	half := new(big.Rat).SetFrac(big.NewInt(1), unit.Mul(unit, big.NewInt(2)))
	d := new(big.Rat).Sub(got, want)
	return d.Abs(d).Cmp(half) <= 0
}

// Evaluate computes an expression of numbers, + - * / and parentheses exactly; x,
// ×, ÷ and − are read as what they mean, and currencies dropped. Ok is false for
// what is none, for a division by zero and for numbers of more than maxDigits.
func Evaluate(expression string) (value *big.Rat, ok bool) {
	if len(expression) > 1<<12 {
		return nil, false
	}
	p := arithmetic{s: strings.NewReplacer("×", "*", "x", "*", "X", "*", "÷", "/", "−", "-", "$", "", "€", "", "£", "", ",", "", "%", "/100").Replace(expression)}
	value = p.sum(0)
	p.blank()
	return value, value != nil && p.s == ""
}

// arithmetic is what of an expression is not read yet. Its methods return nil for
// what they cannot compute.
type arithmetic struct{ s string }

func (p *arithmetic) blank() { p.s = strings.TrimLeft(p.s, " \t") }

// operator reads one of the given ones, 0 for none.
func (p *arithmetic) operator(of string) byte {
	p.blank()
	if p.s == "" || !strings.Contains(of, p.s[:1]) {
		return 0
	}
	c := p.s[0]
	p.s = p.s[1:]
	return c
}

// maxNesting bounds parentheses and signs.
const maxNesting = 100

func (p *arithmetic) sum(depth int) *big.Rat {
	a := p.product(depth)
	for a != nil {
		op := p.operator("+-")
		if op == 0 {
			return a
		}
		b := p.product(depth)
		if b == nil {
			return nil
		}
		if op == '-' {
			b.Neg(b)
		}
		a = small(a.Add(a, b))
	}
	return nil
}

func (p *arithmetic) product(depth int) *big.Rat {
	a := p.factor(depth)
	for a != nil {
		op := p.operator("*/")
		if op == 0 {
			return a
		}
		b := p.factor(depth)
		switch {
		case b == nil || op == '/' && b.Sign() == 0:
			return nil
		case op == '/':
			a = small(a.Quo(a, b))
		default:
			a = small(a.Mul(a, b))
		}
	}
	return nil
}

func (p *arithmetic) factor(depth int) *big.Rat {
	if depth > maxNesting {
		return nil
	}
	switch p.operator("-+(") {
	case '-':
		if a := p.factor(depth + 1); a != nil {
			return a.Neg(a)
		}
		return nil
	case '+':
		return p.factor(depth + 1)
	case '(':
		a := p.sum(depth + 1)
		if p.operator(")") == 0 {
			return nil
		}
		return a
	}
	n := 0
	for n < len(p.s) && (p.s[n] >= '0' && p.s[n] <= '9' || p.s[n] == '.') {
		n++
	}
	a, ok := decimal(p.s[:n])
	if !ok {
		return nil
	}
	p.s = p.s[n:]
	return a
}

// small is r, nil where it has grown out of bounds.
func small(r *big.Rat) *big.Rat {
	const bits = 10 * maxDigits / 3
	if r.Num().BitLen() > bits || r.Denom().BitLen() > bits {
		return nil
	}
	return r
}
