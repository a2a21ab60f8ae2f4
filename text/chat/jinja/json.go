package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// FromJSON reads one JSON value. Its strings, keys included, come from origin;
// objects keep their order.
func FromJSON(data []byte, origin Origin) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := fromJSON(d, origin, 0)
	if err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("there is more after the JSON value, at byte %d", d.InputOffset())
	}
	return v, nil
}

func fromJSON(d *json.Decoder, origin Origin, depth int) (Value, error) {
	if depth > maxDeep {
		return nil, fmt.Errorf("the JSON value is nested more than %d deep", maxDeep)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case string:
		return NewText(t, origin), nil
	case json.Number:
		return jsonNumber(string(t))
	case json.Delim:
		if t == '[' {
			l := &List{}
			for d.More() {
				v, err := fromJSON(d, origin, depth+1)
				if err != nil {
					return nil, err
				}
				l.Items = append(l.Items, v)
			}
			_, err := d.Token()
			return l, err
		}
		o := &Dict{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := fromJSON(d, origin, depth+1)
			if err != nil {
				return nil, err
			}
			if err := o.put(NewText(key.(string), origin), v); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return o, err
	}
	return t, nil // bool or nil
}

func jsonNumber(s string) (Value, error) {
	if !strings.ContainsAny(s, ".eE") {
		n, err := strconv.ParseInt(s, 10, 64)
		if err == nil {
			return n, nil
		}
		return bigInt(s), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, err
	}
	return f, nil
}

// jsonStyle is the arguments of Python's json.dumps.
type jsonStyle struct {
	ascii, sorted, lines bool
	indent               string
	comma, colon         string
}

// json writes v as json.dumps does. Quotes and brackets count as written by the
// template, escapes carry the mark of what they escape.
func (r *runner) json(b *builder, v Value, style *jsonStyle, depth int) error {
	if err := r.walk(depth); err != nil {
		return err
	}
	if err := r.room(b.len()); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		b.write("null")
	case bool:
		b.write(strconv.FormatBool(v))
	case int64, bigInt, float64:
		b.write(jsonNumberText(v))
	case Text:
		jsonText(b, v, style.ascii)
	case *List:
		if len(v.Items) == 0 {
			b.write("[]")
			return nil
		}
		b.write("[")
		for i, x := range v.Items {
			style.newline(b, i, depth+1)
			if err := r.json(b, x, style, depth+1); err != nil {
				return err
			}
		}
		style.newline(b, -1, depth)
		b.write("]")
	case *Dict:
		return r.jsonObject(b, v, style, depth)
	default:
		return failf("Object of type %s is not JSON serializable", typeName(v))
	}
	return nil
}

func (r *runner) jsonObject(b *builder, d *Dict, style *jsonStyle, depth int) error {
	if len(d.keys) == 0 {
		b.write("{}")
		return nil
	}
	order := make([]int, len(d.keys))
	for i := range order {
		order[i] = i
	}
	if style.sorted {
		var fail error
		slices.SortStableFunc(order, func(i, j int) int {
			c, err := r.compare("<", d.keys[i], d.keys[j], 0)
			if err != nil {
				fail = err
			}
			return c
		})
		if fail != nil {
			return fail
		}
	}
	b.write("{")
	for n, i := range order {
		style.newline(b, n, depth+1)
		switch k := d.keys[i].(type) {
		case Text:
			jsonText(b, k, style.ascii)
		case nil, bool, int64, float64, bigInt:
			b.write(`"`)
			if err := r.json(b, k, style, depth+1); err != nil {
				return err
			}
			b.write(`"`)
		default:
			return failf("keys must be str, int, float, bool or None, not %s", typeName(k))
		}
		b.write(style.colon)
		if err := r.json(b, d.values[i], style, depth+1); err != nil {
			return err
		}
	}
	style.newline(b, -1, depth)
	b.write("}")
	return nil
}

// newline comes before item i, or before the closing bracket for i < 0.
func (style *jsonStyle) newline(b *builder, i, depth int) {
	if i > 0 {
		b.write(style.comma)
	}
	if style.lines {
		b.write("\n" + strings.Repeat(style.indent, depth))
	}
}

func jsonNumberText(v Value) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case bigInt:
		return string(v)
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN"
		case math.IsInf(v, 1):
			return "Infinity"
		case math.IsInf(v, -1):
			return "-Infinity"
		}
		return floatText(v)
	}
	return ""
}

func jsonText(b *builder, t Text, ascii bool) {
	b.write(`"`)
	t.Each(func(s string, m Mark) {
		out := make([]byte, 0, len(s))
		for i := 0; i < len(s); {
			c, n := utf8.DecodeRuneInString(s[i:])
			short := strings.IndexRune("\"\\\n\r\t\f\b", c)
			switch {
			case short >= 0 && n == 1:
				out = append(out, '\\', `"\nrtfb`[short])
			case c < 0x20:
				out = fmt.Appendf(out, `\u%04x`, c)
			case ascii && c >= 0x10000:
				hi, lo := utf16.EncodeRune(c)
				out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
			case ascii && c > 0x7e:
				out = fmt.Appendf(out, `\u%04x`, c)
			default:
				out = append(out, s[i:i+n]...)
			}
			i += n
		}
		b.add(string(out), m)
	})
	b.write(`"`)
}
