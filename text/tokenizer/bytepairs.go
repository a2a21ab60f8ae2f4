package tokenizer

import (
	"fmt"
	"slices"
)

// model turns a piece of normalised text into ids: one of bytePairs,
// charPairs, unigram, wordPiece and longestMatch.
type model interface {
	// encode appends the ids of a piece. It is a function of the piece alone.
	encode(dst []int32, piece string, sc *scratch) []int32
}

// bytePairs is byte-level BPE: a piece is its bytes, then the rules apply.
type bytePairs struct {
	ids    [256]int32 // of each byte; -1 for bytes that have no token
	merges mergeTable
	whole  map[string]int32 // pieces that are tokens without merges; nil for none
	// partial says that bytes which no UTF-8 text has (0xC0, 0xC1, from 0xF5 on)
	// have no tokens, as in DeepSeek's vocabularies: they are dropped.
	partial bool
}

func newBytePairs(vocab map[string]int32, rules []mergeRule, ignoreMerges bool) (*bytePairs, error) {
	b := &bytePairs{merges: newMergeTable(rules)}
	missing := 0
	for i := range b.ids {
		id, ok := vocab[string([]byte{byte(i)})]
		switch {
		case ok:
			b.ids[i] = id
			continue
		case i == 0xC0 || i == 0xC1 || i >= 0xF5:
			b.partial = true
		default:
			missing++
		}
		b.ids[i] = -1
	}
	if missing > 0 {
		return nil, fmt.Errorf("model.vocab: %d of the 256 byte tokens are missing, so text would be lost: train with the whole byte alphabet", missing)
	}
	if ignoreMerges {
		b.whole = vocab
	}
	return b, nil
}

// maxPiece bounds the memory for one piece: a longer one is encoded in parts.
const maxPiece = 1 << 24

func (b *bytePairs) encode(dst []int32, piece string, sc *scratch) []int32 {
	if id, ok := b.whole[piece]; ok {
		return append(dst, id)
	}
	for len(piece) > maxPiece {
		dst = b.merge(dst, piece[:maxPiece], &sc.merge)
		piece = piece[maxPiece:]
	}
	return b.merge(dst, piece, &sc.merge)
}

func (b *bytePairs) merge(dst []int32, piece string, m *merger) []int32 {
	symbols := slices.Grow(m.ids[:0], len(piece))[:len(piece)]
	for i := range symbols {
		symbols[i] = b.ids[piece[i]]
	}
	from := len(dst)
	dst = b.merges.apply(dst, symbols, m)
	m.keep(symbols)
	if b.partial {
		kept := slices.DeleteFunc(dst[from:], func(id int32) bool { return id < 0 })
		dst = dst[:from+len(kept)]
	}
	return dst
}

// keep makes symbols the scratch memory of the next piece, unless it is large.
func (m *merger) keep(symbols []int32) {
	if m.ids = symbols; cap(symbols) > keepScratch {
		m.ids = nil
	}
}
