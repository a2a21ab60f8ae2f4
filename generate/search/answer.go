package search

import (
	"fmt"
	"regexp"
	"strings"
)

// Extractor takes the answer out of a text, in a form in which equal answers are
// equal strings; ok is false where the text has none.
type Extractor func(text string) (answer string, ok bool)

// MaxAnswerBytes bounds the text that answers are looked for in: of a longer one
// only the last so many bytes are read, where an answer stands.
const MaxAnswerBytes = 1 << 20

// ParseExtractor reads the name of an extractor: number, choice, json, code, text
// or regex:EXPRESSION, whose first group, or whole match, is the answer.
func ParseExtractor(name string) (Extractor, error) {
	switch name {
	case "number":
		return bounded(Number), nil
	case "choice":
		return bounded(MultipleChoice), nil
	case "json":
		return bounded(JSON), nil
	case "code":
		return bounded(GoCode), nil
	case "text":
		return bounded(Whole), nil
	}
	if expr, ok := strings.CutPrefix(name, "regex:"); ok {
		re, err := regexp.Compile(expr)
		if err != nil {
			return nil, fmt.Errorf("extraction by regex: %w", err)
		}
		return bounded(byRegexp(re)), nil
	}
	return nil, fmt.Errorf("extraction %q is unknown: there are number, choice, json, code, text and regex:EXPRESSION", name)
}

// bounded shows an extractor the end of long texts only.
func bounded(x Extractor) Extractor {
	return func(text string) (string, bool) {
		if len(text) > MaxAnswerBytes {
			text = text[len(text)-MaxAnswerBytes:]
		}
		return x(text)
	}
}

// Whole is the text itself, its white space normalised.
func Whole(text string) (string, bool) {
	text = strings.Join(strings.Fields(text), " ")
	return text, text != ""
}

// byRegexp is the last match.
func byRegexp(re *regexp.Regexp) Extractor {
	return func(text string) (string, bool) {
		all := re.FindAllStringSubmatch(text, -1)
		if len(all) == 0 {
			return "", false
		}
		m := all[len(all)-1]
		if len(m) > 1 {
			return m[1], true
		}
		return m[0], true
	}
}

// answerMark is what people and models write before an answer, and what follows it
// on its line.
var answerMark = regexp.MustCompile(`(?mi)(?:####|\bthe (?:final |correct )?answer is:?|\b(?:final |correct )?answer:|^[ \t]*a:)[ \t]*(.*)$`)

// marked is the text after the last mark of an answer, if there is one.
func marked(text string) (string, bool) {
	all := answerMark.FindAllStringSubmatchIndex(text, -1)
	for i := len(all) - 1; i >= 0; i-- {
		if rest := strings.TrimSpace(text[all[i][2]:all[i][3]]); rest != "" {
			return rest, true
		}
	}
	return "", false
}

// boxed is what the last \boxed{...} of TeX holds.
func boxed(text string) (string, bool) {
	at := strings.LastIndex(text, `\boxed{`)
	if at < 0 {
		return "", false
	}
	text = text[at+len(`\boxed{`):]
	depth := 1
	for i, r := range text {
		switch r {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[:i], true
			}
		}
	}
	return "", false
}

var (
	choiceOnly   = regexp.MustCompile(`^[*_"'(\[]*([A-Za-z])[*_"')\].:,;]*$`)
	choiceAlone  = regexp.MustCompile(`^[*_"'(\[]*([A-Za-z])(?:[*_"')\].:,;]|$)`)
	choiceMarked = regexp.MustCompile(`(?i)\b(?:option|choice)s? \(?([a-z])\b`)
	choiceParens = regexp.MustCompile(`[(\[]([A-Za-z])[)\]]`)
	choiceLine   = regexp.MustCompile(`(?m)^[ \t*_]*([A-Z])[.):]?[ \t*_]*$`)
)

// MultipleChoice is a letter, in upper case: after the last mark of an answer
// ("The answer is (b)." is B), the whole text, the last one that stands in
// parentheses, after "option" or alone on a line, or the beginning ("B. Paris").
func MultipleChoice(text string) (string, bool) {
	first := func(re *regexp.Regexp, s string) (string, bool) {
		if m := re.FindStringSubmatch(s); m != nil {
			return strings.ToUpper(m[1]), true
		}
		return "", false
	}
	tail, isMarked := boxed(text)
	if !isMarked {
		tail, isMarked = marked(text)
	}
	if isMarked {
		tail = strings.TrimSpace(tail)
		for _, re := range []*regexp.Regexp{choiceAlone, choiceMarked, choiceParens} {
			if a, ok := first(re, tail); ok {
				return a, true
			}
		}
	}
	text = strings.TrimSpace(text)
	if a, ok := first(choiceOnly, text); ok {
		return a, true
	}
	at, answer := -1, ""
	for _, re := range []*regexp.Regexp{choiceParens, choiceMarked, choiceLine} {
		if all := re.FindAllStringSubmatchIndex(text, -1); all != nil {
			if m := all[len(all)-1]; m[2] > at {
				at, answer = m[2], strings.ToUpper(text[m[2]:m[3]])
			}
		}
	}
	if at >= 0 {
		return answer, true
	}
	return first(choiceAlone, text)
}
