package grammar

import (
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"
)

// maxTokenBytes bounds a token; real vocabularies end at some hundred bytes.
const maxTokenBytes = 1<<16 - 1

// Vocabulary is the tokens of a model, laid out for walking. It does not change and
// may be shared by any number of grammars and goroutines.
type Vocabulary struct {
	text  [][]byte // of each id; empty for special and unused ids
	end   []int32
	words int // of a mask
	all   *trie
	open  []uint64 // ids that stand for text
	// missing are the bytes that no token of one byte stands for.
	missing [256]bool
	lacks   bool // some are

	// Tokens that end within a character are among the others in strict, so that each
	// is judged; in loose they count as if they had the whole character.
	strict, loose groups

	lettersOf []letters // of the ordinary characters that each token begins with
	below     []letters // of the subtree of each node of all, without the node

	mu    sync.Mutex // of loops
	loops map[letters]*loop
}

// groups are the tokens by the ordinary characters that they begin with.
type groups struct {
	// Tokens of ordinary characters only, as sets: bulk[k] are those of at most
	// k characters. Longer than maxBulk is for the walk.
	bulk [][]uint64
	// The other tokens are some ordinary characters and a tail: tails[k] are the
	// tails behind k characters, nil where there are none, and tail is all of them.
	tails []*trie
	tail  *trie
	later *trie // those behind one character and more
}

// maxBulk bounds the characters of tokens that masks take in bulk; few real tokens
// are longer.
const maxBulk = 254

// NewVocabulary lays out a vocabulary: tokens[id] is the text of id inside a text,
// special tokens are never part of a text, and those of end say that it is over.
// There must be at least one of end.
func NewVocabulary(tokens [][]byte, special []bool, end []int32) (*Vocabulary, error) {
	if len(special) != 0 && len(special) != len(tokens) {
		return nil, fmt.Errorf("vocabulary: %d tokens but %d marks of special ones", len(tokens), len(special))
	}
	if len(end) == 0 {
		return nil, fmt.Errorf("vocabulary: no end token: a text that fits a grammar could not be ended")
	}
	v := &Vocabulary{text: make([][]byte, len(tokens)), end: slices.Clone(end), words: (len(tokens) + 63) / 64}
	slices.Sort(v.end)
	v.end = slices.Compact(v.end)
	for _, id := range v.end {
		if id < 0 || int(id) >= len(tokens) {
			return nil, fmt.Errorf("vocabulary: end token %d is outside of the %d tokens", id, len(tokens))
		}
	}
	v.open = make([]uint64, v.words)
	for b := range v.missing {
		v.missing[b] = true
	}
	var all []entry
	for id, text := range tokens {
		if len(text) == 0 || len(special) > 0 && special[id] || slices.Contains(v.end, int32(id)) {
			continue
		}
		if len(text) > maxTokenBytes {
			return nil, fmt.Errorf("vocabulary: token %d has %d bytes, more than %d", id, len(text), maxTokenBytes)
		}
		v.text[id] = slices.Clone(text)
		set(v.open, int32(id))
		all = append(all, entry{v.text[id], int32(id)})
		if len(text) == 1 {
			v.missing[text[0]] = false
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("vocabulary: none of the %d tokens stands for text", len(tokens))
	}
	v.lacks = slices.Contains(v.missing[:], true)
	v.strict, v.loose = v.group(all, false), v.group(all, true)
	v.all = newTrie(all)
	v.prepare()
	return v, nil
}

// group makes groups.
func (v *Vocabulary) group(all []entry, loose bool) (g groups) {
	plain := make([][]int32, 1)
	tails := make([][]entry, 1)
	var every, later []entry
	for _, e := range all {
		runes, at := ordinary(e.text)
		if loose && at < len(e.text) && !utf8.FullRune(e.text[at:]) {
			runes, at = runes+1, len(e.text)
		}
		switch {
		case at < len(e.text):
			for len(tails) <= runes {
				tails = append(tails, nil)
			}
			tail := entry{e.text[at:], e.id}
			tails[runes] = append(tails[runes], tail)
			every = append(every, tail)
			if runes > 0 {
				later = append(later, tail)
			}
		case runes <= maxBulk:
			for len(plain) <= runes {
				plain = append(plain, nil)
			}
			plain[runes] = append(plain[runes], e.id)
		}
	}
	sum := make([]uint64, v.words)
	for _, ids := range plain {
		if len(ids) > 0 || len(g.bulk) == 0 {
			sum = slices.Clone(sum)
			for _, id := range ids {
				set(sum, id)
			}
		}
		g.bulk = append(g.bulk, sum)
	}
	g.tails = make([]*trie, len(tails))
	for k, entries := range tails {
		if len(entries) > 0 {
			g.tails[k] = newTrie(entries)
		}
	}
	g.tail, g.later = newTrie(every), newTrie(later)
	return g
}

// Size is the number of ids.
func (v *Vocabulary) Size() int { return len(v.text) }

// End are the ids that end a text, in order. The slice must not be changed.
func (v *Vocabulary) End() []int32 { return v.end }

// Text is the bytes of an id inside a text, empty for ids that are no part of one.
// The slice must not be changed.
func (v *Vocabulary) Text(id int32) []byte {
	if id < 0 || int(id) >= len(v.text) {
		return nil
	}
	return v.text[id]
}

// ordinary counts the ordinary characters (machine.Free) at the beginning of text,
// and the bytes that they take.
func ordinary(text []byte) (runes, bytes int) {
	for bytes < len(text) {
		n := ordinaryRune(text[bytes:])
		if n == 0 {
			break
		}
		runes, bytes = runes+1, bytes+n
	}
	return runes, bytes
}

// ordinaryRune is the length of the ordinary character at the beginning of text, 0 if
// there is none.
func ordinaryRune(text []byte) int {
	r, n := utf8.DecodeRune(text)
	if r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError && n == 1 {
		return 0
	}
	return n
}

// plainRests says for each place of a text whether it goes on from there by ordinary
// characters only.
func plainRests(text []byte, dst []bool) []bool {
	dst = slices.Grow(dst[:0], len(text)+1)[:len(text)+1]
	dst[len(text)] = true
	for at := len(text) - 1; at >= 0; at-- {
		n := ordinaryRune(text[at:])
		dst[at] = n > 0 && dst[at+n]
	}
	return dst
}

// set adds an id to a mask.
func set(words []uint64, id int32) { words[id>>6] |= 1 << (id & 63) }

// unset takes an id from a mask.
func unset(words []uint64, id int32) { words[id>>6] &^= 1 << (id & 63) }

// has says whether a mask has an id.
func has(words []uint64, id int32) bool { return words[id>>6]>>(id&63)&1 != 0 }
