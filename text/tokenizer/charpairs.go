package tokenizer

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// charPairs is BPE over characters, as SentencePiece trains it (Kudo and
// Richardson 2018, arXiv 1808.06226) and Hugging Face files store it. A
// character that no token has becomes its bytes where the vocabulary has byte
// tokens, or the unknown token.
//
// SentencePiece gives tokens scores instead of merges: of all neighbours that
// are a token together, the pair of highest score merges first, the leftmost
// among equals. That is a list of merges whose ranks follow the scores.
type charPairs struct {
	start    map[string]int32 // the symbol of each character; base and above are not tokens
	ascii    [utf8.RuneSelf]int32
	base     int32
	chars    []string // the characters of the symbols from base on
	merges   mergeTable
	whole    map[string]int32 // as in bytePairs
	fallback fallback
	// apart holds tokens that a text may not become, and what they consist of
	// instead (SentencePiece's unused pieces); nil for none.
	apart map[int32][2]int32
	// joins says where a text may be cut; nil: nowhere.
	joins *joinTable
}

// fallback is what becomes of text that the vocabulary lacks.
type fallback struct {
	bytes   *[256]int32 // nil without byte tokens
	unknown int32       // -1: such text is dropped
	fuse    bool        // neighbours become one unknown token
}

// missing is the symbol of a character that no token has, less its offset in
// the piece.
const missing = -2

// encode splits a piece into characters and merges them.
func (c *charPairs) encode(dst []int32, piece string, sc *scratch) []int32 {
	if id, ok := c.whole[piece]; ok {
		return append(dst, id)
	}
	for len(piece) > maxPiece {
		cut := maxPiece
		for cut > maxPiece-utf8.UTFMax && !utf8.RuneStart(piece[cut]) {
			cut--
		}
		dst = c.encode(dst, piece[:cut], sc)
		piece = piece[cut:]
	}
	m := &sc.merge
	symbols := slices.Grow(m.ids[:0], len(piece))
	for i := 0; i < len(piece); {
		if b := piece[i]; b < utf8.RuneSelf {
			id := c.ascii[b]
			if id < 0 {
				id = missing - int32(i)
			}
			symbols = append(symbols, id)
			i++
			continue
		}
		_, n := utf8.DecodeRuneInString(piece[i:])
		id, ok := c.start[piece[i:i+n]]
		if !ok {
			id = missing - int32(i)
		}
		symbols = append(symbols, id)
		i += n
	}
	from := len(dst)
	dst = c.merges.apply(dst, symbols, m)
	m.keep(symbols)
	return c.finish(dst, from, piece, sc)
}

// finish replaces the symbols in dst[from:] that are not tokens.
func (c *charPairs) finish(dst []int32, from int, piece string, sc *scratch) []int32 {
	plain := c.apart == nil
	for _, id := range dst[from:] {
		plain = plain && 0 <= id && id < c.base
	}
	if plain {
		return dst
	}
	ids := append(sc.ids[:0], dst[from:]...)
	dst = dst[:from]
	for _, id := range ids {
		dst = c.symbol(dst, from, id, piece)
	}
	sc.ids = ids
	return dst
}

func (c *charPairs) symbol(dst []int32, from int, id int32, piece string) []int32 {
	switch {
	case id <= missing:
		at := int(missing - id)
		_, n := utf8.DecodeRuneInString(piece[at:])
		return c.fallback.text(dst, from, piece[at:at+n])
	case id >= c.base:
		return c.fallback.text(dst, from, c.chars[id-c.base])
	}
	if parts, ok := c.apart[id]; ok {
		dst = c.symbol(dst, from, parts[0], piece)
		return c.symbol(dst, from, parts[1], piece)
	}
	return append(dst, id)
}

// text appends the ids of a text that no token has. dst[from:] is what the
// piece has become so far.
func (f *fallback) text(dst []int32, from int, s string) []int32 {
	if f.bytes != nil {
		for i := range len(s) {
			dst = append(dst, f.bytes[s[i]])
		}
		return dst
	}
	if f.unknown < 0 || f.fuse && len(dst) > from && dst[len(dst)-1] == f.unknown {
		return dst
	}
	return append(dst, f.unknown)
}

// newCharPairs takes the pieces that text may become by id ("" for others) and
// rules between them. Symbols of rules from len(pieces) on are characters of
// chars.
func newCharPairs(pieces, chars []string, rules []mergeRule, f fallback) *charPairs {
	c := &charPairs{base: int32(len(pieces)), chars: chars, merges: newMergeTable(rules), fallback: f, start: map[string]int32{}}
	for id, piece := range pieces {
		if oneChar(piece) {
			c.start[piece] = int32(id)
		}
	}
	for i, char := range chars {
		c.start[char] = c.base + int32(i)
	}
	for b := range c.ascii {
		c.ascii[b] = -1
		if id, ok := c.start[string(rune(b))]; ok {
			c.ascii[b] = id
		}
	}
	return c
}

// oneChar says whether s is one valid character.
func oneChar(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && n == len(s) && (r != utf8.RuneError || n > 1)
}

// rulesOfScores turns scores into merges: each way to cut a piece into two
// symbols is a rule, ranked by the piece's score. A symbol is a piece or a
// single character; characters that are no pieces get the symbols from
// len(pieces) on and are returned.
func rulesOfScores(pieces []string, scores []float32) (rules []mergeRule, chars []string) {
	ids := make(map[string]int32, len(pieces))
	var order []int32
	for id, piece := range pieces {
		if piece != "" && utf8.ValidString(piece) {
			ids[piece] = int32(id)
			order = append(order, int32(id))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
	symbol := func(s string) (int32, bool) {
		id, ok := ids[s]
		if !ok && oneChar(s) {
			id, ok = int32(len(pieces)+len(chars)), true
			ids[s] = id
			chars = append(chars, s)
		}
		return id, ok
	}
	rank := uint32(0)
	for i, id := range order {
		if i > 0 && scores[id] != scores[order[i-1]] {
			rank = uint32(i)
		}
		piece := pieces[id]
		if len(piece) > longestSplit {
			continue
		}
		for cut := range piece {
			if cut == 0 {
				continue
			}
			a, ok := symbol(piece[:cut])
			if !ok {
				continue
			}
			if b, ok := symbol(piece[cut:]); ok {
				rules = append(rules, mergeRule{a, b, id, rank})
			}
		}
	}
	return rules, chars
}

// metaspace is the character that stands for a space in SentencePiece's pieces
// (U+2581).
const metaspace = "\u2581"
