package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// isSpace is Python's str.isspace for one character.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// textMethods are the methods of str.
var textMethods map[string]func(r *runner, t Text, a args) (Value, error)

func init() {
	textMethods = map[string]func(r *runner, t Text, a args) (Value, error){
		"strip":        func(r *runner, t Text, a args) (Value, error) { return r.strip(t, a, true, true) },
		"lstrip":       func(r *runner, t Text, a args) (Value, error) { return r.strip(t, a, true, false) },
		"rstrip":       func(r *runner, t Text, a args) (Value, error) { return r.strip(t, a, false, true) },
		"upper":        mapping(upper),
		"lower":        mapping(lower),
		"casefold":     mapping(lower),
		"swapcase":     mapping(swapCase),
		"capitalize":   func(r *runner, t Text, a args) (Value, error) { return r.capitalized(t) },
		"title":        func(r *runner, t Text, a args) (Value, error) { return r.titled(t, isCased) },
		"split":        func(r *runner, t Text, a args) (Value, error) { return r.splitMethod(t, a, false) },
		"rsplit":       func(r *runner, t Text, a args) (Value, error) { return r.splitMethod(t, a, true) },
		"splitlines":   splitLinesMethod,
		"partition":    func(r *runner, t Text, a args) (Value, error) { return r.partition(t, a, strings.Index) },
		"rpartition":   func(r *runner, t Text, a args) (Value, error) { return r.partition(t, a, strings.LastIndex) },
		"startswith":   func(r *runner, t Text, a args) (Value, error) { return r.affix(t, a, strings.HasPrefix) },
		"endswith":     func(r *runner, t Text, a args) (Value, error) { return r.affix(t, a, strings.HasSuffix) },
		"removeprefix": func(r *runner, t Text, a args) (Value, error) { return r.removeAffix(t, a, strings.HasPrefix) },
		"removesuffix": func(r *runner, t Text, a args) (Value, error) { return r.removeAffix(t, a, strings.HasSuffix) },
		"replace":      replaceMethod,
		"join":         func(r *runner, t Text, a args) (Value, error) { return r.joinMethod(t, a) },
		"find":         func(r *runner, t Text, a args) (Value, error) { return r.find(t, a, strings.Index, false) },
		"rfind":        func(r *runner, t Text, a args) (Value, error) { return r.find(t, a, strings.LastIndex, false) },
		"index":        func(r *runner, t Text, a args) (Value, error) { return r.find(t, a, strings.Index, true) },
		"rindex":       func(r *runner, t Text, a args) (Value, error) { return r.find(t, a, strings.LastIndex, true) },
		"count":        countMethod,
		"format":       func(r *runner, t Text, a args) (Value, error) { return r.format(t, a) },
		"ljust":        func(r *runner, t Text, a args) (Value, error) { return r.pad(t, a, 0) },
		"rjust":        func(r *runner, t Text, a args) (Value, error) { return r.pad(t, a, 2) },
		"center":       func(r *runner, t Text, a args) (Value, error) { return r.pad(t, a, 1) },
		"zfill":        zfill,
		"isdigit":      asking(unicode.IsDigit),
		"isdecimal":    asking(unicode.IsDigit),
		"isnumeric":    asking(unicode.IsNumber),
		"isalpha":      asking(unicode.IsLetter),
		"isalnum":      asking(func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }),
		"isspace":      asking(isSpace),
		"isupper": func(r *runner, t Text, a args) (Value, error) {
			return oneCase(t.s, unicode.IsUpper, unicode.IsLower), nil
		},
		"islower": func(r *runner, t Text, a args) (Value, error) {
			return oneCase(t.s, unicode.IsLower, unicode.IsUpper), nil
		},
	}
}

// mapping is a method without arguments that changes characters.
func mapping(f func(string) string) func(r *runner, t Text, a args) (Value, error) {
	return func(r *runner, t Text, a args) (Value, error) { return t.mapped(f), r.charge(len(t.s)) }
}

// asking is a method that asks whether all characters, at least one, are of a
// kind.
func asking(f func(rune) bool) func(r *runner, t Text, a args) (Value, error) {
	return func(r *runner, t Text, a args) (Value, error) {
		return t.s != "" && strings.IndexFunc(t.s, func(c rune) bool { return !f(c) }) < 0, r.charge(len(t.s))
	}
}

// upper and lower follow Unicode's full mappings: "ß" becomes "SS".
func upper(s string) string {
	if ascii(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

// title is one character c, spelled s, at the beginning of a word.
func title(c rune, s string) string {
	if t := unicode.ToTitle(c); t != c {
		return string(t)
	}
	if up := upper(s); c != utf8.RuneError && up != s { // "ß" becomes "Ss"
		n := runeLen(up)
		return up[:n] + lower(up[n:])
	}
	return s
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func swapCase(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsUpper(c) {
			return unicode.ToLower(c)
		}
		return unicode.ToUpper(c)
	}, s)
}

func isCased(c rune) bool {
	return unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c)
}

func oneCase(s string, yes, no func(rune) bool) bool {
	return strings.IndexFunc(s, yes) >= 0 && strings.IndexFunc(s, no) < 0
}

// cased writes each character with the case that f chooses from the one before.
func (r *runner) cased(t Text, upper func(before rune, first bool) bool) (Value, error) {
	var b builder
	before, first := rune(0), true
	t.Each(func(s string, m Mark) {
		var out []byte
		for i := 0; i < len(s); {
			c, n := utf8.DecodeRuneInString(s[i:])
			one := s[i : i+n]
			if upper(before, first) {
				one = title(c, one)
			} else {
				one = lower(one)
			}
			out = append(out, one...)
			before, first = c, false
			i += n
		}
		b.add(string(out), m)
	})
	out := b.text()
	out.safe = t.safe
	return out, r.charge(b.len())
}

func (r *runner) capitalized(t Text) (Value, error) {
	return r.cased(t, func(_ rune, first bool) bool { return first })
}

// titled begins every word, after a character that is none of a word's, with a
// capital.
func (r *runner) titled(t Text, inWord func(rune) bool) (Value, error) {
	return r.cased(t, func(before rune, first bool) bool { return first || !inWord(before) })
}

// strip cuts whitespace, or the characters of the argument, off the ends.
func (r *runner) strip(t Text, a args, left, right bool) (Value, error) {
	v, err := a.bind("strip", "chars?")
	if err != nil {
		return nil, err
	}
	cut := isSpace
	if c := given(v[0], nil); c != nil {
		chars, err := textOf("the argument of strip", c)
		if err != nil {
			return nil, err
		}
		cut = func(c rune) bool { return strings.ContainsRune(chars.s, c) }
	}
	i, j := 0, len(t.s)
	if left {
		i = j - len(strings.TrimLeftFunc(t.s, cut))
	}
	if right {
		j = i + len(strings.TrimRightFunc(t.s[i:], cut))
	}
	return t.slice(i, j), r.charge(j - i)
}

func (r *runner) splitMethod(t Text, a args, last bool) (Value, error) {
	v, err := a.bind("split", "sep?", "maxsplit?")
	if err != nil {
		return nil, err
	}
	limit, err := intOf("maxsplit", given(v[1], int64(-1)))
	if err != nil {
		return nil, err
	}
	sep := given(v[0], nil)
	if sep == nil {
		return r.splitSpace(t, limit, last)
	}
	s, err := textOf("the separator", sep)
	if err != nil {
		return nil, err
	}
	if s.s == "" {
		return nil, failf("empty separator")
	}
	var parts []Value
	rest := t
	for limit != 0 {
		i := strings.Index(rest.s, s.s)
		if last {
			i = strings.LastIndex(rest.s, s.s)
		}
		if i < 0 {
			break
		}
		if limit--; last {
			parts, rest = append(parts, rest.slice(i+len(s.s), len(rest.s))), rest.slice(0, i)
		} else {
			parts, rest = append(parts, rest.slice(0, i)), rest.slice(i+len(s.s), len(rest.s))
		}
		if err := r.chargeItems(1 + len(rest.runs)); err != nil {
			return nil, err
		}
	}
	parts = append(parts, rest)
	if last {
		reverse(parts)
	}
	return NewList(parts...), r.charge(len(t.s))
}

// splitSpace splits at runs of whitespace and drops empty parts.
func (r *runner) splitSpace(t Text, limit int, last bool) (Value, error) {
	var parts []Value
	rest := t
	for {
		i := len(rest.s) - len(strings.TrimLeftFunc(rest.s, isSpace))
		j := len(strings.TrimRightFunc(rest.s, isSpace))
		if last {
			rest = rest.slice(0, j)
		} else {
			rest = rest.slice(i, len(rest.s))
		}
		if strings.TrimFunc(rest.s, isSpace) == "" {
			break
		}
		from, to := 0, strings.IndexFunc(rest.s, isSpace)
		if last {
			from, to = strings.LastIndexFunc(rest.s, isSpace), len(rest.s)
			if from >= 0 {
				from += runeLen(rest.s[from:])
			}
		}
		if limit == 0 || from < 0 || to < 0 {
			parts = append(parts, rest)
			break
		}
		if limit--; last {
			parts, rest = append(parts, rest.slice(from, to)), rest.slice(0, from)
		} else {
			parts, rest = append(parts, rest.slice(from, to)), rest.slice(to, len(rest.s))
		}
		if err := r.chargeItems(1 + len(rest.runs)); err != nil {
			return nil, err
		}
	}
	if last {
		reverse(parts)
	}
	return NewList(parts...), r.charge(len(t.s))
}

func reverse(v []Value) {
	for i, j := 0, len(v)-1; i < j; i, j = i+1, j-1 {
		v[i], v[j] = v[j], v[i]
	}
}

// lines splits at Python's line ends, which are kept where asked for.
func lines(t Text, keep bool) []Text {
	var out []Text
	from := 0
	for i := 0; i < len(t.s); {
		c, n := utf8.DecodeRuneInString(t.s[i:])
		if c == '\r' && strings.HasPrefix(t.s[i+1:], "\n") {
			n = 2
		}
		if strings.ContainsRune("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029", c) {
			end := i
			if keep {
				end += n
			}
			out = append(out, t.slice(from, end))
			from = i + n
		}
		i += n
	}
	if from < len(t.s) {
		out = append(out, t.slice(from, len(t.s)))
	}
	return out
}

func splitLinesMethod(r *runner, t Text, a args) (Value, error) {
	v, err := a.bind("splitlines", "keepends?")
	if err != nil {
		return nil, err
	}
	if err := r.charge(len(t.s)); err != nil {
		return nil, err
	}
	l := &List{}
	for _, line := range lines(t, truth(given(v[0], false))) {
		l.Items = append(l.Items, line)
	}
	return l, r.chargeItems(len(l.Items))
}

func (r *runner) partition(t Text, a args, index func(s, sep string) int) (Value, error) {
	v, err := a.bind("partition", "sep")
	if err != nil {
		return nil, err
	}
	sep, err := textOf("the separator", v[0])
	if err != nil {
		return nil, err
	}
	if sep.s == "" {
		return nil, failf("empty separator")
	}
	i := index(t.s, sep.s)
	parts := []Value{t, Text{}, Text{}}
	switch {
	case i >= 0:
		j := i + len(sep.s)
		parts = []Value{t.slice(0, i), t.slice(i, j), t.slice(j, len(t.s))}
	case index("aa", "a") == 1: // the last
		parts = []Value{Text{}, Text{}, t}
	}
	return &List{parts, kindTuple}, r.charge(len(t.s))
}

// affix is startswith and endswith, of a string or of any of a tuple.
func (r *runner) affix(t Text, a args, has func(s, affix string) bool) (Value, error) {
	v, err := a.bind("startswith", "prefix", "start?", "end?")
	if err != nil {
		return nil, err
	}
	if t, err = r.part(t, v[1], v[2]); err != nil {
		return nil, err
	}
	candidates := []Value{v[0]}
	if l, ok := v[0].(*List); ok && l.kind == kindTuple {
		candidates = l.Items
	}
	for _, c := range candidates {
		s, err := textOf("the argument of startswith or endswith", c)
		if err != nil {
			return nil, err
		}
		if has(t.s, s.s) {
			return true, r.charge(len(s.s))
		}
	}
	return false, r.step()
}

func (r *runner) removeAffix(t Text, a args, has func(s, affix string) bool) (Value, error) {
	v, err := a.bind("removeprefix", "affix")
	if err != nil {
		return nil, err
	}
	s, err := textOf("the argument", v[0])
	if err != nil || !has(t.s, s.s) {
		return t, err
	}
	if strings.HasPrefix(t.s, s.s) && has("ab", "a") {
		return t.slice(len(s.s), len(t.s)), r.step()
	}
	return t.slice(0, len(t.s)-len(s.s)), r.step()
}
