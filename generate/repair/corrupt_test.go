package repair

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/internal/rng"
)

// The corruptions of this file are made so that one reading is left: each says
// under which condition. What they return as want is the text whose value the
// repair must have.

// dice draws numbers of one stream.
type dice struct {
	stream, index uint64
}

func (d *dice) n(n int) int {
	d.index++
	return rng.Intn(20, d.stream, d.index, n)
}

func pick[T any](d *dice, list []T) T { return list[d.n(len(list))] }

// tok is a token of valid JSON: a bracket, comma or colon by its byte, 'k' a
// key, 's' a string, 'n' a number, 'l' a literal.
type tok struct {
	start, end int
	role       byte
	in         byte // the bracket it stands in, 0 at the top
}

func lex(text string) (toks []tok) {
	var open []byte
	in := func() byte {
		if len(open) == 0 {
			return 0
		}
		return open[len(open)-1]
	}
	for i := 0; i < len(text); {
		c := text[i]
		t := tok{start: i, end: i + 1, role: c, in: in()}
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
			continue
		case c == '{' || c == '[':
			open = append(open, c)
		case c == '}' || c == ']':
			open = open[:len(open)-1]
			t.in = in()
		case c == '"':
			t.role = 's'
			for t.end = i + 1; text[t.end] != '"'; t.end++ {
				if text[t.end] == '\\' {
					t.end++
				}
			}
			t.end++
			rest := strings.TrimLeft(text[t.end:], " \t\r\n")
			if t.in == '{' && strings.HasPrefix(rest, ":") {
				t.role = 'k'
			}
		case c != ',' && c != ':':
			t.role = 'l'
			if c == '-' || isDigit(c) {
				t.role = 'n'
			}
			for t.end < len(text) && strings.IndexByte(",:]} \t\r\n", text[t.end]) < 0 {
				t.end++
			}
		}
		toks = append(toks, t)
		i = t.end
	}
	return toks
}

// a broken text and the valid one whose value it should get back.
type broken struct {
	text, want string
}

// corruption makes a broken text of a valid one; ok is false where the text
// offers no place that meets the condition.
type corruption struct {
	name string
	do   func(d *dice, text string) (b broken, ok bool)
}

// choose picks a token that fits, -1 if none does.
func choose(d *dice, toks []tok, fits func(i int) bool) int {
	var list []int
	for i := range toks {
		if fits(i) {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return -1
	}
	return pick(d, list)
}

// splice replaces [start, end).
func splice(text string, start, end int, with string) string {
	return text[:start] + with + text[end:]
}

// one makes a corruption that replaces one fitting token.
func one(name string, fits func(text string, toks []tok, i int) bool, with func(d *dice, s string) string) corruption {
	return corruption{name, func(d *dice, text string) (broken, bool) {
		toks := lex(text)
		i := choose(d, toks, func(i int) bool { return fits(text, toks, i) })
		if i < 0 {
			return broken{}, false
		}
		t := toks[i]
		return broken{splice(text, t.start, t.end, with(d, text[t.start:t.end])), text}, true
	}}
}

// all makes a corruption that rewrites every string, if all of them fit.
func all(name string, roles string, fits func(s string) bool, with func(s string) string) corruption {
	return corruption{name, func(d *dice, text string) (broken, bool) {
		var b strings.Builder
		at, n := 0, 0
		for _, t := range lex(text) {
			if strings.IndexByte(roles, t.role) < 0 {
				continue
			}
			inner := text[t.start+1 : t.end-1]
			if !fits(inner) {
				return broken{}, false
			}
			b.WriteString(text[at:t.start] + with(inner))
			at = t.end
			n++
		}
		return broken{b.String() + text[at:], text}, n > 0
	}}
}

var (
	word     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	words    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*( [A-Za-z][A-Za-z0-9_]*)*$`)
	sentence = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_ .;!?-]*$`)
)

func isLiteral(s string) bool { return literals[strings.ToLower(s)] != "" }

func role(roles string) func(string, []tok, int) bool {
	return func(_ string, toks []tok, i int) bool { return strings.IndexByte(roles, toks[i].role) >= 0 }
}

func inner(text string, t tok) string { return text[t.start+1 : t.end-1] }

// closersOnly tells whether only closing brackets follow token i.
func closersOnly(toks []tok, i int) bool {
	for _, t := range toks[i+1:] {
		if t.role != '}' && t.role != ']' {
			return false
		}
	}
	return true
}

// next is the role of token i, 0 beyond the end.
func next(toks []tok, i int) byte {
	if i < len(toks) {
		return toks[i].role
	}
	return 0
}

// keyAfter tells whether a comma and a key, or the next object, follow token i
// and its closing brackets: where a quote is missing this shows it.
func keyAfter(toks []tok, i int) bool {
	j := i + 1
	for next(toks, j) == '}' {
		j++
	}
	if next(toks, j) != ',' {
		return false
	}
	return next(toks, j+1) == 'k' || next(toks, j+1) == '{' && next(toks, j+2) == 'k' && j > i+1
}

var quoteCorruptions = []corruption{
	all("quotes/single", "ks", func(string) bool { return true }, func(s string) string { return "'" + strings.ReplaceAll(s, "'", `\'`) + "'" }),
	all("quotes/smart", "ks", func(s string) bool { return !strings.ContainsAny(s, "“”") }, func(s string) string { return "“" + s + "”" }),
	all("quotes/back", "ks", func(s string) bool { return !strings.ContainsAny(s, "`") }, func(s string) string { return "`" + s + "`" }),
	all("quotes/doubled", "ks", words.MatchString, func(s string) string { return `""` + s + `""` }),
	one("quotes/no-open-key", func(text string, toks []tok, i int) bool {
		return toks[i].role == 'k' && word.MatchString(inner(text, toks[i]))
	},
		func(_ *dice, s string) string { return s[1:] }),
	one("quotes/no-open-value", func(text string, toks []tok, i int) bool {
		return toks[i].role == 's' && words.MatchString(inner(text, toks[i])) && !isLiteral(inner(text, toks[i]))
	}, func(_ *dice, s string) string { return s[1:] }),
	one("quotes/no-close-key", func(text string, toks []tok, i int) bool {
		return toks[i].role == 'k' && word.MatchString(inner(text, toks[i])) && next(toks, i+2) == 's'
	},
		func(_ *dice, s string) string { return s[:len(s)-1] }),
	one("quotes/no-close-value", func(text string, toks []tok, i int) bool {
		if toks[i].role != 's' || !sentence.MatchString(inner(text, toks[i])) {
			return false
		}
		if toks[i].in == '[' {
			return closersOnly(toks, i) || next(toks, i+1) == ',' && next(toks, i+2) == 's'
		}
		return closersOnly(toks, i) || keyAfter(toks, i)
	}, func(_ *dice, s string) string { return strings.TrimRight(s[:len(s)-1], " ") }),
	all("quotes/no-quotes-keys", "k", word.MatchString, func(s string) string { return s }),
	one("quotes/no-quotes-value", func(text string, toks []tok, i int) bool {
		return toks[i].role == 's' && words.MatchString(inner(text, toks[i])) && !isLiteral(inner(text, toks[i]))
	}, func(_ *dice, s string) string { return s[1 : len(s)-1] }),
	{"quotes/inner", func(d *dice, text string) (broken, bool) {
		// A pair of quotes around one word of a text of several words.
		toks := lex(text)
		i := choose(d, toks, func(i int) bool {
			return toks[i].role == 's' && words.MatchString(inner(text, toks[i])) && strings.Count(inner(text, toks[i]), " ") > 1
		})
		if i < 0 {
			return broken{}, false
		}
		list := strings.Split(inner(text, toks[i]), " ")
		k := d.n(len(list))
		plain, escaped := slices.Clone(list), slices.Clone(list)
		plain[k] = `"` + list[k] + `"`
		escaped[k] = `\"` + list[k] + `\"`
		return broken{splice(text, toks[i].start, toks[i].end, `"`+strings.Join(plain, " ")+`"`),
			splice(text, toks[i].start, toks[i].end, `"`+strings.Join(escaped, " ")+`"`)}, true
	}},
	{"quotes/control", func(d *dice, text string) (broken, bool) {
		// A line break or tab in the middle of a text, as it is.
		toks := lex(text)
		i := choose(d, toks, func(i int) bool {
			return toks[i].role == 's' && strings.Contains(inner(text, toks[i]), " ") && sentence.MatchString(inner(text, toks[i]))
		})
		if i < 0 {
			return broken{}, false
		}
		t := toks[i]
		at := t.start + strings.Index(text[t.start:t.end], " ")
		raw, esc := "\n", `\n`
		if d.n(2) == 0 {
			raw, esc = "\t", `\t`
		}
		return broken{splice(text, at, at+1, raw), splice(text, at, at+1, esc)}, true
	}},
	{"quotes/concat", func(d *dice, text string) (broken, bool) {
		toks := lex(text)
		i := choose(d, toks, func(i int) bool {
			return toks[i].role == 's' && len(inner(text, toks[i])) > 3 && !strings.Contains(inner(text, toks[i]), `\`)
		})
		if i < 0 {
			return broken{}, false
		}
		at := toks[i].start + 2
		for text[at]&0xC0 == 0x80 {
			at++
		}
		return broken{splice(text, at, at, pick(d, []string{`" + "`, `"+"`, "\" +\n    \""})), text}, true
	}},
	{"quotes/escaped", func(d *dice, text string) (broken, bool) {
		b, _ := json.Marshal(text)
		var buf bytes.Buffer
		e := json.NewEncoder(&buf)
		e.SetEscapeHTML(false)
		_ = e.Encode(text)
		b = bytes.TrimSpace(buf.Bytes())
		return broken{string(b[1 : len(b)-1]), text}, strings.Contains(text, `"`)
	}},
}

func space1(*dice, string) string { return " " }

var punctuation = []corruption{
	one("commas/missing", role(","), space1),
	one("commas/missing-line", role(","), func(*dice, string) string { return "\n" }),
	one("commas/trailing", func(_ string, toks []tok, i int) bool {
		return (toks[i].role == '}' || toks[i].role == ']') && strings.IndexByte("{[", next(toks, i-1)) < 0
	}, func(_ *dice, s string) string { return "," + s }),
	one("commas/doubled", role(","), func(d *dice, s string) string { return pick(d, []string{",,", ", ,", ",,,"}) }),
	one("commas/leading", func(_ string, toks []tok, i int) bool {
		return (toks[i].role == '{' || toks[i].role == '[') && strings.IndexByte("}]", next(toks, i+1)) < 0
	}, func(_ *dice, s string) string { return s + "," }),
	one("colons/missing", func(_ string, toks []tok, i int) bool { return toks[i].role == ':' && next(toks, i+1) != 'l' }, space1),
	one("colons/other", role(":"), func(d *dice, _ string) string { return pick(d, []string{"=", "=>", "::", " = "}) }),
	{"brackets/missing-end", func(d *dice, text string) (broken, bool) {
		toks := lex(text)
		n := 0
		for n < len(toks) && (toks[len(toks)-1-n].role == '}' || toks[len(toks)-1-n].role == ']') {
			n++
		}
		return broken{text[:toks[len(toks)-1-d.n(n)].start], text}, true
	}},
	one("brackets/missing-inside", func(_ string, toks []tok, i int) bool {
		// The bracket that follows, or the key, shows that one is missing.
		switch t := toks[i]; {
		case t.role == ']' && t.in == '{':
			return next(toks, i+1) == '}' || next(toks, i+1) == ',' && next(toks, i-1) != '['
		case t.role == '}' && t.in == '[' && next(toks, i-1) != '{':
			return next(toks, i+1) == ']' || next(toks, i+1) == ',' && next(toks, i+2) == '{'
		}
		return false
	}, func(*dice, string) string { return "" }),
	one("brackets/extra-end", func(_ string, toks []tok, i int) bool { return i == len(toks)-1 },
		func(d *dice, s string) string { return s + pick(d, []string{"}", "]", "}}", "]}", "]]", " }"}) }),
	one("brackets/extra-inside", func(_ string, toks []tok, i int) bool {
		// A closing bracket twice, where the second has nothing to close.
		t := toks[i]
		return i < len(toks)-1 && (t.role == '}' && t.in == '[' || t.role == ']' && t.in == '{') && next(toks, i+1) == ','
	}, func(_ *dice, s string) string { return s + s }),
	one("brackets/mismatch", func(_ string, toks []tok, i int) bool {
		t := toks[i]
		if t.role != '}' && t.role != ']' {
			return false
		}
		// At the end, or before a comma that fits the container around only.
		return i == len(toks)-1 || t.role == ']' && t.in == '{' && next(toks, i+1) == ',' || t.role == '}' && t.in == '{' && next(toks, i+1) == ','
	}, func(_ *dice, s string) string {
		if s == "}" {
			return "]"
		}
		return "}"
	}),
}

var around = []corruption{
	one("comments", role("{[,:"), func(d *dice, s string) string {
		return s + pick(d, []string{" /* the next, one */ ", " // a \"note\": here\n", " # see [1]\n", "/**/", " // it's {this}\n"})
	}),
	{"prose/before", func(d *dice, text string) (broken, bool) {
		return broken{pick(d, prefaces) + text, text}, true
	}},
	{"prose/after", func(d *dice, text string) (broken, bool) {
		return broken{text + pick(d, epilogues), text}, true
	}},
	{"prose/both", func(d *dice, text string) (broken, bool) {
		return broken{pick(d, prefaces) + text + pick(d, epilogues), text}, true
	}},
	{"fence", func(d *dice, text string) (broken, bool) {
		return broken{pick(d, []string{"```json\n", "```\n", "``` json\n", "```JSON\n"}) + text + pick(d, []string{"\n```", "\n```\n", "```"}), text}, true
	}},
	{"fence/prose", func(d *dice, text string) (broken, bool) {
		return broken{pick(d, prefaces) + "```json\n" + text + "\n```\n" + pick(d, epilogues), text}, true
	}},
	{"fence/open", func(d *dice, text string) (broken, bool) {
		return broken{"```json\n" + text, text}, true
	}},
	{"wrapper/jsonp", func(d *dice, text string) (broken, bool) {
		return broken{pick(d, []string{"callback(", "/**/ cb_1 (", "window.done("}) + text + pick(d, []string{")", ");", " );\n"}), text}, true
	}},
	one("wrapper/call", role("sn"), func(d *dice, s string) string {
		return pick(d, []string{"ObjectId(", "ISODate(", "NumberLong("}) + s + ")"
	}),
	{"documents/lines", func(d *dice, text string) (broken, bool) {
		// Documents on lines of their own are the items of one array.
		var a bytes.Buffer
		if json.Compact(&a, []byte(text)) != nil {
			return broken{}, false
		}
		sep := pick(d, []string{"\n", ",\n", "\n\n"})
		other := `{"id":2,"ok":true}`
		return broken{a.String() + sep + other + sep + other, "[" + a.String() + "," + other + "," + other + "]"}, true
	}},
	{"encoding/bom", func(d *dice, text string) (broken, bool) { return broken{"\ufeff" + text, text}, true }},
	one("encoding/space", role(",:"), func(d *dice, s string) string { return s + pick(d, []string{"\u00a0", "\u3000", "\u2003", "\v"}) }),
	{"commas/dots", func(d *dice, text string) (broken, bool) {
		toks := lex(text)
		i := choose(d, toks, func(i int) bool { return toks[i].role == ']' && next(toks, i-1) != '[' })
		if i < 0 {
			return broken{}, false
		}
		return broken{splice(text, toks[i].start, toks[i].start, pick(d, []string{", ...", ",...", " ...", ", …"})), text}, true
	}},
}

var prefaces = []string{
	"Here is the JSON you asked for:\n\n", "Sure! ", "Based on the text, it's:\n", "The \"answer\" (as JSON) is: ",
	"I found 3 items.\n", "Result -> ", "Step 1. Read the text.\nStep 2. Answer:\n", "json\n",
}

var epilogues = []string{
	"\n\nLet me know if you need anything else!", " That's all.", "\n\nNote: the \"id\" was not in the text.", "\n-- \nEnd (see [1])", "\nI hope this helps :)",
}

// literalsOf writes literals in the way of another language.
func literalsOf(name string, write map[string]string) corruption {
	return corruption{name, func(d *dice, text string) (broken, bool) {
		var b strings.Builder
		at, n := 0, 0
		for _, t := range lex(text) {
			if with, ok := write[text[t.start:t.end]]; ok && t.role == 'l' {
				b.WriteString(text[at:t.start] + with)
				at = t.end
				n++
			}
		}
		return broken{b.String() + text[at:], text}, n > 0
	}}
}

func number(match string) func(string, []tok, int) bool {
	re := regexp.MustCompile(match)
	return func(text string, toks []tok, i int) bool {
		return toks[i].role == 'n' && re.MatchString(text[toks[i].start:toks[i].end])
	}
}

var scalars = []corruption{
	literalsOf("literals/python", map[string]string{"true": "True", "false": "False", "null": "None"}),
	literalsOf("literals/javascript", map[string]string{"null": "undefined"}),
	literalsOf("literals/nan", map[string]string{"null": "NaN"}),
	literalsOf("literals/upper", map[string]string{"true": "TRUE", "false": "FALSE", "null": "NULL"}),
	one("numbers/plus", number(`^[0-9]`), func(_ *dice, s string) string { return "+" + s }),
	one("numbers/point", number(`^-?0\.[0-9]`), func(_ *dice, s string) string { return strings.Replace(s, "0.", ".", 1) }),
	one("numbers/dot", number(`^-?[0-9]+$`), func(_ *dice, s string) string { return s + "." }),
	one("numbers/underscore", number(`^[0-9]{4,}$`), func(_ *dice, s string) string { return s[:len(s)-3] + "_" + s[len(s)-3:] }),
	one("numbers/hex", number(`^[0-9]{1,15}$`), func(_ *dice, s string) string {
		var n int64
		fmt.Sscan(s, &n)
		return fmt.Sprintf("0x%x", n)
	}),
	{"brackets/tuple", func(d *dice, text string) (broken, bool) {
		toks := lex(text)
		i := choose(d, toks, func(i int) bool { return toks[i].role == '[' && plainItems(toks, i) > 1 })
		if i < 0 {
			return broken{}, false
		}
		j := i + 2*plainItems(toks, i)
		out := splice(text, toks[j].start, toks[j].end, ")")
		return broken{splice(out, toks[i].start, toks[i].end, "("), text}, true
	}},
	{"brackets/set", func(d *dice, text string) (broken, bool) {
		toks := lex(text)
		i := choose(d, toks, func(i int) bool { return toks[i].role == '[' && plainItems(toks, i) > 1 })
		if i < 0 {
			return broken{}, false
		}
		for k := i + 1; toks[k].role != ']'; k++ {
			if toks[k].role == 'l' || toks[k].role == 's' && strings.Contains(text[toks[k].start:toks[k].end], `\`) {
				return broken{}, false
			}
		}
		j := i + 2*plainItems(toks, i)
		out := splice(text, toks[j].start, toks[j].end, "}")
		return broken{splice(out, toks[i].start, toks[i].end, "{"), text}, true
	}},
	one("escapes/apostrophe", func(text string, toks []tok, i int) bool {
		return toks[i].role == 's' && strings.Contains(text[toks[i].start:toks[i].end], "'") && !strings.Contains(text[toks[i].start:toks[i].end], `\`)
	}, func(_ *dice, s string) string { return strings.ReplaceAll(s, "'", `\'`) }),
}

// plainItems is the number of items of the array at i if all are scalars, 0
// otherwise.
func plainItems(toks []tok, i int) int {
	n := 0
	for j := i + 1; j < len(toks); j += 2 {
		if strings.IndexByte("snl", toks[j].role) < 0 {
			return 0
		}
		n++
		if next(toks, j+1) == ']' {
			return n
		}
	}
	return 0
}

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
	cutIn("cut/literal", role2("l"), somewhere, func(_, full string) string { return full }),
	cutIn("cut/after-value", role2("snl}]"), whole1, asIs),
	cutIn("cut/after-comma", role2(","), whole1, func(string, string) string { return "" }),
	cutIn("cut/after-open", role2("{["), whole1, asIs),
	cutIn("cut/after-colon", role2(":"), whole1, func(string, string) string { return ":null" }),
}

func role2(roles string) func(string, []tok, int) bool { return role(roles) }
