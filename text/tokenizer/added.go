package tokenizer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token found in the text before pre-tokenisation, with the
// fields of tokenizer.json.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	Lstrip     bool   `json:"lstrip"`
	Rstrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`

	inVocab bool   // model.vocab has it too
	late    bool   // it is looked for in normalised text
	pattern string // what is looked for; "" means content
}

// sought is the text that the token is found by.
func (a *addedToken) sought() string {
	if a.pattern != "" {
		return a.pattern
	}
	return a.Content
}

// matcher finds added tokens in text: at each place the longest. The cost per
// byte is bounded by the number of different token lengths.
type matcher struct {
	tokens  map[string]*addedToken
	lengths [256][]int // by first byte, longest first
	first   string     // the first byte where all tokens share one
}

func newMatcher(added []addedToken, use func(*addedToken) bool) matcher {
	m := matcher{tokens: map[string]*addedToken{}}
	firsts := map[byte]bool{}
	for i := range added {
		a := &added[i]
		s := a.sought()
		if !use(a) || s == "" {
			continue
		}
		m.tokens[s] = a
		b := s[0]
		firsts[b] = true
		if !slices.Contains(m.lengths[b], len(s)) {
			m.lengths[b] = append(m.lengths[b], len(s))
		}
	}
	for b := range firsts {
		slices.SortFunc(m.lengths[b], func(x, y int) int { return y - x })
		if len(firsts) == 1 {
			m.first = string([]byte{b})
		}
	}
	return m
}

// next finds the first added token at or after s[start]; text between from and
// to becomes id.
func (m *matcher) next(s string, start int) (from, to int, id int32, ok bool) {
	if len(m.tokens) == 0 {
		return 0, 0, 0, false
	}
	for i := start; i < len(s); i++ {
		if m.first != "" {
			skip := strings.IndexByte(s[i:], m.first[0])
			if skip < 0 {
				break
			}
			i += skip
		}
		for _, n := range m.lengths[s[i]] {
			if i+n > len(s) {
				continue
			}
			a := m.tokens[s[i:i+n]]
			if a == nil || a.SingleWord && !alone(s, i, i+n) {
				continue
			}
			from, to = i, i+n
			if a.Lstrip {
				from = start + len(strings.TrimRightFunc(s[start:i], unicode.IsSpace))
			}
			if a.Rstrip {
				to = len(s) - len(strings.TrimLeftFunc(s[to:], unicode.IsSpace))
			}
			return from, to, a.ID, true
		}
	}
	return 0, 0, 0, false
}

// alone says whether s[from:to] has no word character right before or after it.
func alone(s string, from, to int) bool {
	word := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
	before, _ := utf8.DecodeLastRuneInString(s[:from])
	after, _ := utf8.DecodeRuneInString(s[to:])
	return !(from > 0 && word(before)) && !(to < len(s) && word(after))
}
