package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func formatFilter(r *runner, t Text, a args) (Value, error) {
	if len(a.names) == 0 {
		return r.percent(t, &List{a.positional, kindTuple})
	}
	if len(a.positional) > 0 {
		return nil, failf("format cannot take positional and keyword arguments at the same time")
	}
	d := &Dict{}
	for i := range a.names {
		if err := d.put(a.key(i), a.named[i]); err != nil {
			return nil, err
		}
	}
	return r.percent(t, d)
}

// indentFilter puts width spaces, or a text, before all lines but the first.
func indentFilter(r *runner, t Text, a args) (Value, error) {
	v, err := a.bind("indent", "width?", "first?", "blank?")
	if err != nil {
		return nil, err
	}
	with, ok := v[0].(Text)
	if !ok {
		n, err := intOf("the width", given(v[0], int64(4)))
		if err != nil {
			return nil, err
		}
		spaces, err := r.repeat(written(" "), int64(n))
		if err != nil {
			return nil, err
		}
		with = spaces.(Text)
	}
	first, blank := truth(given(v[1], false)), truth(given(v[2], false))
	var end, out builder
	end.append(t)
	end.write("\n")
	for i, line := range lines(end.text(), false) {
		if i > 0 {
			out.write("\n")
		}
		if i == 0 && first || i > 0 && (blank || line.s != "") {
			out.append(with)
		}
		out.append(line)
		if err := r.room(out.len()); err != nil {
			return nil, err
		}
	}
	return out.text(), r.charge(out.len() + len(t.s))
}

// truncateFilter cuts a text at a word, unless it is only a little too long.
func truncateFilter(r *runner, t Text, a args) (Value, error) {
	v, err := a.bind("truncate", "length?", "killwords?", "end?", "leeway?")
	if err != nil {
		return nil, err
	}
	length, err := intOf("the length", given(v[0], int64(255)))
	if err != nil {
		return nil, err
	}
	end, err := textOf("the end", given(v[2], written("...")))
	if err != nil {
		return nil, err
	}
	leeway := 5
	if l := given(v[3], nil); l != nil {
		if leeway, err = intOf("the leeway", l); err != nil {
			return nil, err
		}
	}
	keep := length - utf8.RuneCountInString(end.s)
	if keep < 0 || leeway < 0 {
		return nil, failf("truncate: the length must be at least that of the end, the leeway not negative")
	}
	if n := r.length(t); n <= length || n-length <= leeway {
		return t, nil
	}
	cut := t.slice(0, byteOf(t.s, keep))
	if !truth(given(v[1], false)) {
		if i := strings.LastIndexByte(cut.s, ' '); i >= 0 {
			cut = cut.slice(0, i)
		}
	}
	return r.concat(cut, end)
}

func centerFilter(r *runner, t Text, a args) (Value, error) {
	v, err := a.bind("center", "width?")
	if err != nil {
		return nil, err
	}
	return r.pad(t, args{positional: []Value{given(v[0], int64(80))}}, 1)
}

func wordCountFilter(r *runner, t Text, a args) (Value, error) {
	words := strings.FieldsFunc(t.s, func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsNumber(c) })
	return int64(len(words)), r.charge(len(t.s))
}

var htmlEscapes = map[byte]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\'': "&#39;", '"': "&#34;"}

func escapeFilter(r *runner, t Text, a args) (Value, error) {
	t = escaped(t)
	return t, r.charge(len(t.s))
}

func forceEscapeFilter(r *runner, t Text, a args) (Value, error) {
	t.safe = false
	return escapeFilter(r, t, a)
}

func safeFilter(r *runner, t Text, a args) (Value, error) {
	t.safe = true
	return t, nil
}

// escaped is t as Markup.
func escaped(t Text) Text {
	if t.safe {
		return t
	}
	t = t.mapped(func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			if e, ok := htmlEscapes[s[i]]; ok {
				b.WriteString(e)
			} else {
				b.WriteByte(s[i])
			}
		}
		return b.String()
	})
	t.safe = true
	return t
}

// urlEncodeFilter quotes a text, or the keys and values of a mapping.
func urlEncodeFilter(r *runner, x Value, a args) (Value, error) {
	quote := func(v Value, safe string) (Text, error) {
		t, err := r.str(v)
		if err != nil {
			return t, err
		}
		return t.mapped(func(s string) string { return percentEncoded(s, safe) }), r.charge(3 * len(t.s))
	}
	if _, ok := x.(Text); ok || !iterable(x) {
		return quote(x, "/")
	}
	items, err := r.iterate(x)
	if d, ok := x.(*Dict); ok {
		items = d.items()
	}
	if err != nil {
		return nil, err
	}
	return r.joined(written("&"), slices.Clone(items), func(v Value) (Text, error) {
		kv, err := r.iterate(v)
		if err != nil {
			return Text{}, err
		}
		if len(kv) != 2 {
			return Text{}, failf("urlencode wants pairs, not %d values", len(kv))
		}
		var b builder
		for i, x := range kv {
			if i > 0 {
				b.write("=")
			}
			t, err := quote(x, "")
			if err != nil {
				return Text{}, err
			}
			b.append(t.mapped(func(s string) string { return strings.ReplaceAll(s, "%20", "+") }))
		}
		return b.text(), nil
	})
}

func percentEncoded(s, safe string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || strings.IndexByte("_.-~"+safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
