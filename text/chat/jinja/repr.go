package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is Python's str(v): what printing writes.
func (r *runner) str(v Value) (Text, error) {
	switch v := v.(type) {
	case Text:
		return v, nil
	case undefined:
		return Text{}, nil
	}
	var b builder
	if err := r.repr(&b, v, 0); err != nil {
		return Text{}, err
	}
	return b.text(), r.charge(b.len())
}

// repr writes Python's repr(v). Numbers, booleans and None count as written by
// the template: none of their spellings can be chosen freely.
func (r *runner) repr(b *builder, v Value, depth int) error {
	if err := r.walk(depth); err != nil {
		return err
	}
	if err := r.room(b.len()); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		b.write("None")
	case bool:
		b.write(map[bool]string{false: "False", true: "True"}[v])
	case int64:
		b.write(strconv.FormatInt(v, 10))
	case bigInt:
		b.write(string(v))
	case float64:
		b.write(floatText(v))
	case Text:
		reprText(b, v)
	case undefined:
		b.write("Undefined")
	case *List:
		return r.reprList(b, v, depth)
	case *Dict:
		b.write("{")
		for i, k := range v.keys {
			if i > 0 {
				b.write(", ")
			}
			if err := r.repr(b, k, depth+1); err != nil {
				return err
			}
			b.write(": ")
			if err := r.repr(b, v.values[i], depth+1); err != nil {
				return err
			}
		}
		b.write("}")
	case *namespace:
		b.write("<Namespace ")
		if err := r.repr(b, &v.dict, depth+1); err != nil {
			return err
		}
		b.write(">")
	case *loop:
		b.write(fmt.Sprintf("<LoopContext %d/%d>", v.index+1, len(v.items)))
	case *function:
		b.write("<function " + v.name + ">")
	default:
		b.write("<" + typeName(v) + ">")
	}
	return nil
}

func (r *runner) reprList(b *builder, l *List, depth int) error {
	open, end := "[", "]"
	switch l.kind {
	case kindTuple, kindGroup:
		open, end = "(", ")"
		if len(l.Items) == 1 {
			end = ",)"
		}
	case kindKeys, kindValues, kindItems:
		open, end = typeName(l)+"([", "])"
	}
	b.write(open)
	for i, x := range l.Items {
		if i > 0 {
			b.write(", ")
		}
		if err := r.repr(b, x, depth+1); err != nil {
			return err
		}
	}
	b.write(end)
	return nil
}

// reprText quotes as Python does; escapes carry the mark of what they escape.
func reprText(b *builder, t Text) {
	quote := byte('\'')
	if strings.Contains(t.s, "'") && !strings.Contains(t.s, `"`) {
		quote = '"'
	}
	b.write(string(quote))
	t.Each(func(s string, m Mark) {
		var out []byte
		for i := 0; i < len(s); {
			c, n := utf8.DecodeRuneInString(s[i:])
			switch {
			case c == utf8.RuneError && n == 1:
				out = append(out, s[i])
			case c == '\\' || c == rune(quote):
				out = append(out, '\\', byte(c))
			case c == '\n':
				out = append(out, `\n`...)
			case c == '\r':
				out = append(out, `\r`...)
			case c == '\t':
				out = append(out, `\t`...)
			case unicode.IsPrint(c):
				out = append(out, s[i:i+n]...)
			case c < 0x100:
				out = fmt.Appendf(out, `\x%02x`, c)
			case c < 0x10000:
				out = fmt.Appendf(out, `\u%04x`, c)
			default:
				out = fmt.Appendf(out, `\U%08x`, c)
			}
			i += n
		}
		b.add(string(out), m)
	})
	b.write(string(quote))
}

// floatText is Python's repr of a float: the shortest decimal that reads back,
// with an exponent below 1e-4 and from 1e16 on.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	_, exponent, _ := strings.Cut(s, "e")
	if e, _ := strconv.Atoi(exponent); f != 0 && (e < -4 || e >= 16) {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
