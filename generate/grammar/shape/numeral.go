package shape

import (
	"math/big"
	"strconv"
	"strings"
)

// A numeral is one way to write the numbers of a magnitude, as a lazy automaton over
// the characters of a number's text: plain (12.50) or scientific (1.25e1). A state is
// identified by what its future depends on (key); the digits of the text that reached
// it first stand for all texts that do, so liveness is computed exactly, with
// fractions, once a state.
type numeral struct {
	*magnitude
	scientific bool
	// loose: a scientific number with any mantissa, possible where only the sign and
	// being zero matter. Otherwise the mantissa has one digit before the point and is not 0.
	loose   bool
	longest int // digits before the point beyond which the bounds' digits do not matter
	places  int // of the finest step
	states  map[string]*digits
	bytes   []byte // scratch
	ids     *ids
}

// Phases of a number's text.
const (
	atStart = iota // before the first digit, behind a minus
	atSign         // before the minus
	inWhole
	atPoint // behind the point
	inFrac
	atE
	atESign
	inExponent
)

// digits is a state of a numeral.
type digits struct {
	of          *numeral
	id          int32
	phase       uint8
	accepting   bool
	whole, frac string // of a text that leads here
	// the exponent so far, and the range that it must come to lie in
	negative bool
	exponent int
	length   int
	from, to int

	next  [14]*digits // by numberByte; nowhere is no way
	least int         // length of a shortest rest; -1: not computed
}

// nowhere is where dead transitions lead.
var nowhere = &digits{}

// numberByte numbers the characters of numbers; 14 is any other.
func numberByte(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b == '.':
		return 10
	case b == '-':
		return 11
	case b == 'e' || b == 'E':
		return 12
	case b == '+':
		return 13
	}
	return 14
}

// numerals are the ways to write the numbers of a magnitude.
func numerals(m *magnitude, ids *ids) []*numeral {
	plain := &numeral{magnitude: m, states: map[string]*digits{}, ids: ids}
	plain.longest = len(m.lo.whole)
	if m.hi != nil {
		plain.longest = max(plain.longest, len(m.hi.whole))
	}
	for _, s := range m.not {
		plain.places = max(plain.places, s.places)
	}
	if m.step != nil {
		plain.places = max(plain.places, m.step.places)
	}
	if m.step != nil || len(m.not) > 0 {
		return []*numeral{plain}
	}
	sci := &numeral{magnitude: m, scientific: true, states: map[string]*digits{}, ids: ids}
	sci.loose = m.hi == nil && m.lo.value.Sign() == 0
	return []*numeral{plain, sci}
}

// start is the state before the text; nil if no number can be written this way.
func (n *numeral) start() *digits {
	d := &digits{of: n, phase: atStart}
	if n.negative {
		d.phase = atSign
	}
	return n.enter(d)
}

// enter interns a state; nil if it is dead.
func (n *numeral) enter(d *digits) *digits {
	n.bytes = n.key(n.bytes[:0], d)
	if known, ok := n.states[string(n.bytes)]; ok {
		return known
	}
	key := string(n.bytes)
	d.least = -1
	d.id = n.ids.next()
	if n.scientific {
		d.accepting = d.phase == inExponent && n.signed(d) >= d.from && n.signed(d) <= d.to
		if !d.accepting && !n.scientificLive(d) {
			d = nil
		}
	} else {
		whole := d.phase == inWhole || d.phase == inFrac
		d.accepting = whole && n.has(d.value())
		if !d.accepting && !n.plainLive(d) {
			d = nil
		}
	}
	n.states[key] = d
	return d
}

// step reads one character.
func (d *digits) step(char int) *digits {
	if d.next[char] == nil {
		to := d.of.enterStep(d, char)
		if to == nil {
			to = nowhere
		}
		d.next[char] = to
	}
	if d.next[char] == nowhere {
		return nil
	}
	return d.next[char]
}

func (n *numeral) enterStep(d *digits, char int) *digits {
	to := &digits{of: n, phase: d.phase, whole: d.whole, frac: d.frac,
		negative: d.negative, exponent: d.exponent, length: d.length, from: d.from, to: d.to}
	digit := char < 10
	switch {
	case d.phase == atSign && char == 11:
		to.phase = atStart
	case d.phase == atStart && digit:
		to.phase, to.whole = inWhole, string(rune('0'+char))
	case d.phase == inWhole && digit && d.whole != "0":
		to.whole += string(rune('0' + char))
	case d.phase == inWhole && char == 10 && !n.integral:
		to.phase = atPoint
	case (d.phase == atPoint || d.phase == inFrac) && digit:
		to.phase = inFrac
		to.frac += string(rune('0' + char))
	case (d.phase == inWhole || d.phase == inFrac) && char == 12 && n.scientific:
		to.phase = atE
		if to.from, to.to = n.exponents(d); to.from > to.to {
			return nil
		}
	case d.phase == atE && (char == 11 || char == 13):
		to.phase, to.negative = atESign, char == 11
	case (d.phase == atE || d.phase == atESign || d.phase == inExponent && d.length < exponentDigits) && digit:
		to.phase = inExponent
		to.exponent = 10*d.exponent + char
		to.length++
	default:
		return nil
	}
	return n.enter(to)
}

// exponentDigits is how many digits an exponent may have, zeros at its front included.
const exponentDigits = 4

func (n *numeral) signed(d *digits) int {
	if d.negative {
		return -d.exponent
	}
	return d.exponent
}

// value is the number that the digits say, without an exponent.
func (d *digits) value() *big.Rat {
	all, _ := new(big.Int).SetString("0"+d.whole+d.frac, 10)
	return new(big.Rat).SetFrac(all, power10(len(d.frac)))
}

// key appends what the future of a state depends on.
func (n *numeral) key(b []byte, d *digits) []byte {
	b = append(b, d.phase)
	switch {
	case d.phase >= atE:
		b = strconv.AppendInt(b, int64(d.from), 10)
		b = strconv.AppendInt(append(b, ' '), int64(d.to), 10)
		b = strconv.AppendInt(append(b, ' '), int64(n.signed(d)), 10)
		b = strconv.AppendInt(append(b, ' '), int64(d.length), 10)
		return strconv.AppendBool(b, d.negative)
	case d.phase <= atSign:
		return b
	case n.scientific:
		if n.loose {
			zero := strings.Trim(d.whole+d.frac, "0") == ""
			b = strconv.AppendBool(b, n.openLo && zero)
			return strconv.AppendBool(b, d.phase == inWhole && d.whole == "0")
		}
		if len(d.whole) > 1 || d.whole == "0" {
			return append(b, 'x') // no such mantissa
		}
		b = follow(b, d.whole+d.frac, n.lo.digits)
		if n.hi != nil {
			b = follow(b, d.whole+d.frac, n.hi.digits)
		}
		return b
	}
	if d.whole == "0" {
		b = append(b, 'z')
	}
	if d.phase == inWhole {
		b = strconv.AppendInt(b, int64(min(len(d.whole), n.longest+1)), 10)
	}
	if n.lo.value.Sign() > 0 || n.openLo {
		b = n.compare(append(b, ' '), d, n.lo)
	}
	if n.hi != nil {
		b = n.compare(append(b, ' '), d, n.hi)
	}
	if n.step != nil {
		b = residue(append(b, ' '), d, n.step)
	}
	for _, s := range n.not {
		b = residue(append(b, ' '), d, s)
	}
	if n.step != nil || len(n.not) > 0 {
		b = strconv.AppendInt(append(b, ' '), int64(min(len(d.frac), n.places)), 10)
	}
	return b
}

// follow appends how digits compare with those of a constant: less, greater, or equal
// so far and at which place.
func follow(b []byte, digits, constant string) []byte {
	for i := range digits {
		c := byte('0')
		if i < len(constant) {
			c = constant[i]
		}
		switch {
		case digits[i] < c:
			return append(b, '<')
		case digits[i] > c:
			return append(b, '>')
		}
	}
	return strconv.AppendInt(b, int64(min(len(digits), len(constant))), 10)
}

// compare appends how a beginning of a number compares with a constant. Before the
// point the number of digits, which key appends, is part of the answer.
func (n *numeral) compare(b []byte, d *digits, c *decimal) []byte {
	switch {
	case len(d.whole) > len(c.whole):
		return append(b, '>')
	case d.phase == inWhole:
		return follow(b, d.whole, c.whole)
	case len(d.whole) < len(c.whole):
		return append(b, '<')
	}
	return follow(b, d.whole+d.frac, c.whole+c.frac)
}

// residue appends the residue of the digits, as far as the step has places, and
// whether a digit behind them is not 0.
func residue(b []byte, d *digits, s *step) []byte {
	r := uint64(0)
	kept := min(len(d.frac), s.places)
	for _, c := range d.whole + d.frac[:kept] {
		r = (10*r + uint64(c-'0')) % s.a
	}
	b = strconv.AppendUint(b, r, 10)
	if strings.Trim(d.frac[kept:], "0") != "" {
		b = append(b, '+')
	}
	return b
}

// plainLive says whether some digits make the beginning a number of the magnitude.
func (n *numeral) plainLive(d *digits) bool {
	switch d.phase {
	case atStart, atSign:
		return n.exists(span{lo: new(big.Rat)}, nil)
	case atPoint, inFrac:
		v := d.value()
		return n.exists(span{v, new(big.Rat).Add(v, scale(-len(d.frac)))}, nil)
	}
	for more := 0; ; more++ {
		s, ok := n.longer(d, more)
		if !ok {
			return false
		}
		if n.exists(s, nil) {
			return true
		}
	}
}

// longer is the span of numbers whose whole part is that of d, inWhole, and more
// digits; false where all of them are too large, or surely no better than fewer.
func (n *numeral) longer(d *digits, more int) (span, bool) {
	v := d.value()
	if d.whole == "0" && more > 0 || more > len(n.lo.whole)+n.places+20 {
		return span{}, false
	}
	p := scale(more)
	s := span{lo: new(big.Rat).Mul(v, p)}
	s.hi = new(big.Rat).Add(s.lo, p)
	return s, n.hi == nil || s.lo.Cmp(n.hi.value) <= 0
}
