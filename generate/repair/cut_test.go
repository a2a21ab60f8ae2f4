package repair

import (
	"slices"
	"strings"
)

// closeAll is a text that was cut off, with the brackets that are open closed.
func closeAll(text string, toks []tok) string {
	var open []byte
	for _, t := range toks {
		switch t.role {
		case '{', '[':
			open = append(open, closer(t.role))
		case '}', ']':
			open = open[:len(open)-1]
		}
	}
	slices.Reverse(open)
	return text + string(open)
}

// cutIn makes a corruption that cuts the text inside a fitting token, or right
// behind it: with is what the rest of the token becomes, given its cut text.
func cutIn(name string, fits func(text string, toks []tok, i int) bool, at func(d *dice, s string) int, with func(s, full string) string) corruption {
	return corruption{name, func(d *dice, text string) (broken, bool) {
		toks := lex(text)
		i := choose(d, toks, func(i int) bool { return fits(text, toks, i) && !(i == len(toks)-1) })
		if i < 0 {
			return broken{}, false
		}
		t := toks[i]
		full := text[t.start:t.end]
		n := at(d, full)
		return broken{text[:t.start+n], closeAll(text[:t.start]+with(full[:n], full), toks[:i+1])}, true
	}}
}

func somewhere(d *dice, s string) int { return 1 + d.n(len(s)-1) }
func whole1(_ *dice, s string) int    { return len(s) }
func asIs(s, _ string) string         { return s }

var cuts = []corruption{
	cutIn("cut/string", func(text string, toks []tok, i int) bool {
		return toks[i].role == 's' && toks[i].end-toks[i].start > 4 && !strings.Contains(inner(text, toks[i]), `\`)
	}, func(d *dice, s string) int {
		n := somewhere(d, s)
		for s[n]&0xC0 == 0x80 {
			n++
		}
		return n
	}, func(s, _ string) string { return `"` + strings.TrimRight(s[1:], " ") + `"` }),
	cutIn("cut/escape", func(text string, toks []tok, i int) bool {
		return toks[i].role == 's' && strings.Contains(inner(text, toks[i]), `\`)
	}, func(d *dice, s string) int {
		at := strings.Index(s, `\`)
		if s[at+1] == 'u' {
			return at + 1 + d.n(5)
		}
		return at + 1
	}, func(s, _ string) string {
		return strings.TrimRight(s[:strings.Index(s, `\`)], " ") + `"`
	}),
	cutIn("cut/number", func(text string, toks []tok, i int) bool { return toks[i].role == 'n' && toks[i].end-toks[i].start > 1 },
		somewhere, func(s, _ string) string {
			switch last := s[len(s)-1]; {
			case last == '.' || last == '-' && len(s) == 1:
				return s + "0"
			case !isDigit(last):
				return s + "0"
			}
			return s
		}),
	cutIn("cut/literal", role("l"), somewhere, func(_, full string) string { return full }),
	cutIn("cut/after-value", role("snl}]"), whole1, asIs),
	cutIn("cut/after-comma", role(","), whole1, func(string, string) string { return "" }),
	cutIn("cut/after-open", role("{["), whole1, asIs),
	cutIn("cut/after-colon", role(":"), whole1, func(string, string) string { return ":null" }),
}
