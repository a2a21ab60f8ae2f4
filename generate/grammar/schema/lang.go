package schema

import (
	"strings"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// A language is a set of strings. Equal pointers are equal languages; operations are
// remembered, so that terms which meet again and again cost once. nil is all strings.
type language struct {
	*regular.Language
	word map[string]bool // answers of has
}

func (l *language) has(s string) bool {
	if l == nil {
		return true
	}
	if yes, known := l.word[s]; known {
		return yes
	}
	state := l.Start()
	for _, r := range s {
		if state = l.Next(state, r); state == regular.Dead {
			break
		}
	}
	yes := l.Accepting(state)
	if l.word == nil {
		l.word = map[string]bool{}
	}
	l.word[s] = yes
	return yes
}

// languages makes languages for one compilation.
type languages struct {
	words map[string]*language
	ands  map[[2]*language]*language
	nots  map[*language]*language
	spans map[[2]int]*language
	empty map[*language]bool
	fail  func(error)
	spend func(terms int) // counts the work of questions
}

func newLanguages(fail func(error), spend func(int)) *languages {
	return &languages{
		words: map[string]*language{}, ands: map[[2]*language]*language{}, nots: map[*language]*language{},
		spans: map[[2]int]*language{}, empty: map[*language]bool{}, fail: fail, spend: spend,
	}
}

// strings is the language of some words.
func (s *languages) strings(words []string) *language {
	key := strings.Join(words, "\x00")
	l := s.words[key]
	if l == nil {
		l = &language{Language: regular.Strings(words...)}
		s.words[key] = l
	}
	return l
}

// length is the language of the strings of so many code points.
func (s *languages) length(min, max int) *language {
	l := s.spans[[2]int{min, max}]
	if l == nil {
		l = &language{Language: regular.Repeat(regular.Runes(0, 0x10FFFF), min, max)}
		s.spans[[2]int{min, max}] = l
	}
	return l
}

func (s *languages) and(a, b *language) *language {
	if a == nil || a == b {
		return b
	}
	if b == nil {
		return a
	}
	key := [2]*language{a, b}
	l := s.ands[key]
	if l == nil {
		l = &language{Language: regular.Intersect(a.Language, b.Language)}
		s.ands[key] = l
		s.ands[[2]*language{b, a}] = l
	}
	return l
}

func (s *languages) not(a *language) *language {
	l := s.nots[a]
	if l == nil {
		if a == nil {
			l = &language{Language: regular.None()}
		} else {
			l = &language{Language: regular.Complement(a.Language)}
			s.nots[l] = a
		}
		s.nots[a] = l
	}
	return l
}

func (s *languages) minus(a, b *language) *language { return s.and(a, s.not(b)) }

// or is the union, where nil is the language without words.
func (s *languages) orNone(a, b *language) *language {
	if a == nil {
		return b
	}
	return &language{Language: regular.Union(a.Language, b.Language)}
}

func (s *languages) isEmpty(a *language) bool {
	if a == nil {
		return false
	}
	empty, known := s.empty[a]
	if !known {
		var err error
		if empty, err = a.Empty(); err != nil {
			s.fail(err)
			empty = false
		}
		s.spend(a.Size())
		s.empty[a] = empty
	}
	return empty
}
