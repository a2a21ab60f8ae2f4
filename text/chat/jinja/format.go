package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// spec is a format specification: of "%" or of str.format.
type spec struct {
	flags     string
	fill      string
	align     byte // '<', '>', '^', '=' or 0
	width     int
	precision int // -1: none
	comma     bool
	verb      byte
}

// maxWidth limits widths and precisions.
const maxWidth = 10000

// percent is Python's t % x.
func (r *runner) percent(t Text, x Value) (Value, error) {
	var b builder
	values := []Value{x}
	if l, ok := x.(*List); ok && l.kind != kindList {
		values = l.Items
	}
	named, _ := x.(*Dict)
	used := 0
	for i := 0; i < len(t.s); {
		j := strings.IndexByte(t.s[i:], '%')
		if j < 0 {
			b.append(t.slice(i, len(t.s)))
			break
		}
		b.append(t.slice(i, i+j))
		begin := i + j
		i = begin + 1
		var key *string
		if strings.HasPrefix(t.s[i:], "(") {
			k, _, ok := strings.Cut(t.s[i+1:], ")")
			if !ok {
				return nil, failf("incomplete format key")
			}
			key = &k
			i += len(k) + 2
		}
		sp, n, err := percentSpec(t.s[i:])
		if err != nil {
			return nil, err
		}
		i += n
		whole := t.slice(begin, i)
		if sp.verb == '%' {
			b.append(written("%").directed(whole))
			continue
		}
		var v Value
		switch {
		case key != nil && named == nil:
			return nil, failf("format requires a mapping")
		case key != nil:
			var ok bool
			if v, ok = named.Get(*key); !ok {
				return nil, failf("the mapping of the format has no key '%s'", *key)
			}
		case used == len(values):
			return nil, failf("not enough arguments for format string")
		default:
			v = values[used]
			used++
		}
		var one builder
		if err := r.formatted(&one, v, sp); err != nil {
			return nil, err
		}
		b.append(one.text().directed(whole))
	}
	if used < len(values) && named == nil {
		return nil, failf("not all arguments converted during string formatting")
	}
	return b.text(), r.charge(b.len())
}

// percentSpec reads what follows "%" up to its letter.
func percentSpec(s string) (sp spec, n int, err error) {
	sp = spec{precision: -1, fill: " ", align: '>'}
	n = span(s, "-+ #0")
	sp.flags = s[:n]
	w := span(s[n:], "0123456789")
	sp.width, err = size(s[n : n+w])
	n += w
	if err == nil && strings.HasPrefix(s[n:], ".") {
		p := span(s[n+1:], "0123456789")
		sp.precision, err = size(s[n+1 : n+1+p])
		n += 1 + p
	}
	if err != nil {
		return sp, n, err
	}
	if n == len(s) {
		return sp, n, failf("incomplete format")
	}
	sp.verb = s[n]
	if strings.IndexByte("sradiuxXofFeEgGc%", sp.verb) < 0 {
		return sp, n, failf("unsupported format character %q", sp.verb)
	}
	if strings.Contains(sp.flags, "-") {
		sp.align = '<'
	} else if strings.Contains(sp.flags, "0") && strings.IndexByte("srac", sp.verb) < 0 {
		sp.fill, sp.align = "0", '='
	}
	return sp, n + 1, nil
}

func size(digits string) (int, error) {
	if digits == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n > maxWidth {
		return 0, failf("the width or precision %s is more than %d", digits[:min(len(digits), 20)], maxWidth)
	}
	return n, nil
}

// formatted writes v by its specification.
func (r *runner) formatted(b *builder, v Value, sp spec) error {
	var t Text
	var err error
	switch sp.verb {
	case 's':
		t, err = r.str(v)
	case 'r', 'a':
		var q builder
		err = r.repr(&q, v, 0)
		t = q.text()
	case 'c':
		if i, _, isInt, ok := number(v); ok && isInt && i >= 0 && i <= utf8.MaxRune {
			t = written(string(rune(i)))
		} else if t, err = textOf("the value of %c", v); err == nil && utf8.RuneCountInString(t.s) != 1 {
			err = failf("%%c requires int or char")
		}
	default:
		var s string
		if s, err = numberText(v, sp); err == nil {
			return r.align(b, written(s), sp)
		}
	}
	if err != nil {
		return err
	}
	if sp.precision >= 0 && sp.verb != 'c' && sp.precision < r.length(t) {
		t = t.slice(0, byteOf(t.s, sp.precision))
	}
	return r.align(b, t, sp)
}

// numberText writes a number without its width.
func numberText(v Value, sp spec) (string, error) {
	i, f, isInt, ok := number(v)
	if u, isUndefined := v.(undefined); isUndefined {
		return "", u.fail()
	}
	if !ok {
		return "", failf("%%%c format: a real number is required, not %s", sp.verb, typeName(v))
	}
	var s string
	alt := strings.Contains(sp.flags, "#")
	switch sp.verb {
	case 'd', 'i', 'u':
		if !isInt {
			if f >= 1<<63 || f < -1<<63 || f != f {
				return "", errOverflow()
			}
			i = int64(f)
		}
		s = strconv.FormatInt(i, 10)
	case 'x', 'X', 'o', 'b':
		if !isInt {
			return "", failf("%%%c format: an integer is required, not %s", sp.verb, typeName(v))
		}
		s = strconv.FormatInt(i, map[byte]int{'x': 16, 'X': 16, 'o': 8, 'b': 2}[sp.verb])
		if alt {
			sign := strings.HasPrefix(s, "-")
			s = "0" + string(sp.verb|0x20) + strings.TrimPrefix(s, "-")
			if sign {
				s = "-" + s
			}
		}
		if sp.verb == 'X' {
			s = strings.ToUpper(s)
		}
	default:
		precision := sp.precision
		if precision < 0 {
			precision = 6
		}
		if (sp.verb == 'g' || sp.verb == 'G') && precision == 0 {
			precision = 1
		}
		s = strings.NewReplacer("Inf", "inf", "NaN", "nan").Replace(fmt.Sprintf("%."+strconv.Itoa(precision)+string(sp.verb), f))
	}
	if sp.comma {
		s = grouped(s)
	}
	switch {
	case strings.HasPrefix(s, "-"):
	case strings.Contains(sp.flags, "+"):
		s = "+" + s
	case strings.Contains(sp.flags, " "):
		s = " " + s
	}
	return s, nil
}

// grouped puts commas between thousands.
func grouped(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	n := span(s, "0123456789")
	head, tail := s[:n], s[n:]
	for i := len(head) - 3; i > 0; i -= 3 {
		head = head[:i] + "," + head[i:]
	}
	return sign + head + tail
}

// align pads t to the width of the specification.
func (r *runner) align(b *builder, t Text, sp spec) error {
	n := sp.width - r.length(t)
	if n <= 0 {
		b.append(t)
		return r.charge(len(t.s))
	}
	before, sign := n, 0
	switch sp.align {
	case '<':
		before = 0
	case '^':
		before = n / 2
	case '=':
		if t.s != "" && strings.IndexByte("+- ", t.s[0]) >= 0 {
			sign = 1
		}
	}
	b.write(t.s[:sign]) // only numbers have one, and they are the program's
	b.write(strings.Repeat(sp.fill, before))
	b.append(t.slice(sign, len(t.s)))
	b.write(strings.Repeat(sp.fill, n-before))
	return r.charge(sp.width + len(t.s))
}
