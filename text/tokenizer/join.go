package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// joinTable says which two bytes follow each other in a token that merges make.
// BPE never merges across two that do not, so a text may be cut there without a
// change of its ids, and short pieces are found in the cache.
type joinTable struct {
	bits [256][4]uint64
	// spaces says that a U+2581 behind another character is never in a token:
	// SentencePiece's vocabularies have spaces at the beginning of tokens.
	spaces bool
}

// newJoinTable makes the table of the tokens that merges make.
func newJoinTable(tokens []string) *joinTable {
	j := &joinTable{spaces: true}
	for _, token := range tokens {
		for i := 1; i < len(token); i++ {
			b := token[i]
			j.bits[token[i-1]][b>>6] |= 1 << (b & 63)
		}
		if rest := strings.TrimLeft(token, metaspace); strings.Contains(rest, metaspace) {
			j.spaces = false
		}
	}
	return j
}

// next returns where text from s[i] on may be cut first.
func (j *joinTable) next(s string, i int) int {
	space := strings.HasPrefix(s[i:], metaspace)
	before := s[i]
	for i++; i < len(s); i++ {
		b := s[i]
		if b >= utf8.RuneSelf && !utf8.RuneStart(b) {
			before = b
			continue
		}
		if j.bits[before][b>>6]>>(b&63)&1 == 0 {
			return i
		}
		if b == metaspace[0] && strings.HasPrefix(s[i:], metaspace) {
			if j.spaces && !space {
				return i
			}
		} else {
			space = false
		}
		before = b
	}
	return len(s)
}
