package schema

import (
	"slices"
	"unicode/utf8"
)

// A text is a set of strings: some words, or the strings of a language whose length
// in code points is bounded, but for some words.
type text struct {
	words    []string  // if not nil: these, sorted, and nothing else counts
	lang     *language // nil: all
	min, max int       // max < 0: no bound
	except   []string  // sorted
}

// andTexts is the intersection: one part, or none if it is empty.
func (c *compiler) andTexts(a, b *text) []*text {
	if a.words == nil && b.words != nil {
		a, b = b, a
	}
	if a.words != nil {
		words := make([]string, 0, len(a.words))
		for _, w := range a.words {
			if b.has(w) {
				words = append(words, w)
			}
		}
		switch len(words) {
		case 0:
			return nil
		case len(a.words):
			return []*text{a}
		}
		return []*text{{words: words, max: -1}}
	}
	t := &text{min: max(a.min, b.min), max: smaller(a.max, b.max), lang: c.lang.and(a.lang, b.lang), except: merged(a.except, b.except)}
	if t.max >= 0 && t.min > t.max || c.lang.isEmpty(t.lang) {
		return nil
	}
	return []*text{t}
}

// has says whether a string is in the set.
func (t *text) has(s string) bool {
	if t.words != nil {
		_, ok := slices.BinarySearch(t.words, s)
		return ok
	}
	if t.min > 0 || t.max >= 0 {
		if n := utf8.RuneCountInString(s); n < t.min || t.max >= 0 && n > t.max {
			return false
		}
	}
	if _, no := slices.BinarySearch(t.except, s); no {
		return false
	}
	return t.lang.has(s)
}

// others is the complement among strings.
func (c *compiler) others(t *text) []*text {
	if t.words != nil {
		return []*text{{except: t.words, max: -1}}
	}
	var out []*text
	if t.except != nil {
		out = append(out, &text{words: t.except, max: -1})
	}
	if t.min > 0 {
		out = append(out, &text{max: t.min - 1})
	}
	if t.max >= 0 {
		out = append(out, &text{min: t.max + 1, max: -1})
	}
	if t.lang != nil {
		out = append(out, &text{lang: c.lang.not(t.lang), max: -1})
	}
	return out
}

// language is the set as a language; nil: all strings.
func (c *compiler) language(t *text) *language {
	l := c.unmeasured(t)
	if t.words != nil || t.min == 0 && t.max < 0 {
		return l
	}
	return c.lang.and(l, c.lang.length(t.min, t.max))
}

// unmeasured is the set as a language, but for the bounds of the length.
func (c *compiler) unmeasured(t *text) *language {
	if t.words != nil {
		return c.lang.strings(t.words)
	}
	if t.except != nil {
		return c.lang.minus(t.lang, c.lang.strings(t.except))
	}
	return t.lang
}

// merged is the union of two sorted lists.
func merged(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
