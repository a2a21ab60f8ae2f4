package repair

// Corruptions that often cannot be undone: what a confidence must know of.
var noise = []corruption{
	{"noise/delete", func(d *dice, text string) (broken, bool) {
		i := d.n(len(text))
		return broken{text[:i] + text[min(len(text), i+1+d.n(3)):], text}, true
	}},
	{"noise/insert", func(d *dice, text string) (broken, bool) {
		i := d.n(len(text))
		return broken{text[:i] + pick(d, []string{`"`, ",", "}", "]", "{", "[", ":", "'", "\n", " ", "x", "\\"}) + text[i:], text}, true
	}},
	{"noise/replace", func(d *dice, text string) (broken, bool) {
		i := d.n(len(text))
		return broken{text[:i] + pick(d, []string{`"`, ",", "}", "]", "{", "[", ":", "'", "\n", " ", "x", "\\"}) + text[i+1:], text}, true
	}},
	{"noise/cut", func(d *dice, text string) (broken, bool) {
		return broken{text[:1+d.n(len(text)-1)], text}, true
	}},
	{"noise/punctuation", func(d *dice, text string) (broken, bool) {
		// A token goes: a bracket, comma, colon or quote.
		toks := lex(text)
		t := toks[d.n(len(toks))]
		return broken{splice(text, t.start, t.start+1, ""), text}, true
	}},
}
