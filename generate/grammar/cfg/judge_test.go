package cfg

import "unicode/utf8"

// A judge recognises a text by the definition of a grammar, without any of the means
// of this package: for every rule and position the set of positions where a text of
// the rule may end, repeated until nothing new is found.
type judge struct {
	g       *Grammar
	text    string
	ends    map[[2]int]map[int]bool // by rule and start
	changed bool
}

// accepts says whether a grammar without languages has a text.
func accepts(g *Grammar, text string) bool {
	j := &judge{g: g, text: text, ends: map[[2]int]map[int]bool{}, changed: true}
	for j.changed {
		j.changed = false
		for i, r := range g.rules {
			for at := range len(text) + 1 {
				for end := range j.match(r.body, at) {
					j.note(i, at, end)
				}
			}
		}
	}
	return j.ends[[2]int{g.start, 0}][len(text)]
}

func (j *judge) note(rule, at, end int) {
	k := [2]int{rule, at}
	if j.ends[k] == nil {
		j.ends[k] = map[int]bool{}
	}
	if !j.ends[k][end] {
		j.ends[k][end] = true
		j.changed = true
	}
}

// match returns where a text of e that begins at a position may end, as far as known.
func (j *judge) match(e *expr, at int) map[int]bool {
	out := map[int]bool{}
	switch e.kind {
	case isText:
		if len(j.text) >= at+len(e.text) && j.text[at:at+len(e.text)] == e.text {
			out[at+len(e.text)] = true
		}
	case isClass:
		r, n := utf8.DecodeRuneInString(j.text[at:])
		in := false
		for i := 0; i < len(e.set); i += 2 {
			in = in || e.set[i] <= r && r <= e.set[i+1]
		}
		if n > 0 && in != e.negated && !(r == utf8.RuneError && n == 1) {
			out[at+n] = true
		}
	case isRef:
		for end := range j.ends[[2]int{e.rule, at}] {
			out[end] = true
		}
	case isAlt:
		for _, kid := range e.kids {
			for end := range j.match(kid, at) {
				out[end] = true
			}
		}
	case isSeq:
		level := map[int]bool{at: true}
		for _, kid := range e.kids {
			level = j.all(kid, level)
		}
		return level
	case isRepeat:
		level := map[int]bool{at: true}
		for n := 0; len(level) > 0 && (e.max < 0 || n <= e.max); n++ {
			grown := false
			for end := range level {
				if n >= e.min && !out[end] {
					out[end], grown = true, true
				}
			}
			if n >= e.min && !grown {
				break
			}
			level = j.all(e.kids[0], level)
		}
	case isExcept:
		out = j.match(e.kids[0], at)
		for end := range j.match(e.kids[1], at) {
			delete(out, end)
		}
	}
	return out
}

func (j *judge) all(e *expr, from map[int]bool) map[int]bool {
	out := map[int]bool{}
	for at := range from {
		for end := range j.match(e, at) {
			out[end] = true
		}
	}
	return out
}
