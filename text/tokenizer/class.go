package tokenizer

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// Bits of a character's class, as the pre-tokenisation patterns see it. Each
// character has exactly one of letter, number, space and other.
const (
	letter  = 1 << iota // \p{L}
	number              // \p{N}
	space               // \s, that is White_Space
	other               // [^\s\p{L}\p{N}]
	newline             // [\r\n], besides space
	upper               // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
	lower               // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
	mark                // \p{M}, besides other
	sign                // [\p{P}\p{S}], besides other
	punct               // \p{P}, besides sign
)

// classTable gives the class of every character: ascii for one byte (0 for a
// byte of a longer character, and for no other), blocks of 256 for the rest.
type classTable struct {
	ascii  [256]uint16
	index  [(unicode.MaxRune + 1) >> 8]uint16
	blocks [][256]uint16
}

// classes builds the table from package unicode on first use.
var classes = sync.OnceValue(func() *classTable {
	flat := make([]uint16, unicode.MaxRune+1)
	add := func(t *unicode.RangeTable, bit uint16) {
		for _, r := range t.R16 {
			for c := uint32(r.Lo); c <= uint32(r.Hi); c += uint32(r.Stride) {
				flat[c] |= bit
			}
		}
		for _, r := range t.R32 {
			for c := r.Lo; c <= r.Hi; c += r.Stride {
				flat[c] |= bit
			}
		}
	}
	add(unicode.L, letter)
	add(unicode.N, number)
	add(unicode.White_Space, space)
	for _, t := range []*unicode.RangeTable{unicode.Lu, unicode.Lt, unicode.Lm, unicode.Lo, unicode.M} {
		add(t, upper)
	}
	for _, t := range []*unicode.RangeTable{unicode.Ll, unicode.Lm, unicode.Lo, unicode.M} {
		add(t, lower)
	}
	add(unicode.M, mark)
	add(unicode.P, sign|punct)
	add(unicode.S, sign)
	flat['\r'] |= newline
	flat['\n'] |= newline
	t := &classTable{}
	seen := map[[256]uint16]uint16{}
	for b := range t.index {
		var block [256]uint16
		copy(block[:], flat[b<<8:])
		for i := range block {
			if block[i]&(letter|number|space) == 0 {
				block[i] |= other
			}
		}
		n, ok := seen[block]
		if !ok {
			n = uint16(len(t.blocks))
			seen[block] = n
			t.blocks = append(t.blocks, block)
		}
		t.index[b] = n
	}
	copy(t.ascii[:utf8.RuneSelf], t.blocks[t.index[0]][:])
	return t
})

// at returns the class and the length of the character at s[i]. A byte that
// starts no valid character has the class of U+FFFD, and length 1.
func (t *classTable) at(s string, i int) (class uint16, n int) {
	if class = t.ascii[s[i]]; class != 0 {
		return class, 1
	}
	return t.wide(s, i)
}

// wide is at for a byte that is not ASCII.
func (t *classTable) wide(s string, i int) (class uint16, n int) {
	r, n := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && n == 1 {
		return other | sign, 1
	}
	return t.blocks[t.index[uint32(r)>>8]][r&255], n
}

// run returns the end of the run of characters with one of the mask's bits
// that starts at i.
func (t *classTable) run(s string, i int, mask uint16) int {
	for i < len(s) && t.ascii[s[i]]&mask != 0 {
		i++
	}
	if i == len(s) || s[i] < utf8.RuneSelf {
		return i
	}
	return t.wideRun(s, i, mask)
}

// letters is run for \p{L}, eight bytes at a time: the length of a word is hard
// to predict, and a loop over bytes pays for that at each word's end.
func (t *classTable) letters(s string, i int) int {
	const ones = 0x0101010101010101
	for i+8 <= len(s) {
		w := binary.LittleEndian.Uint64(unsafe.Slice(unsafe.StringData(s[i:]), 8))
		low := (w | 0x20*ones) & (0x7F * ones)
		// The top bit of each byte: at least 'a', not above 'z', and ASCII.
		in := (low + (0x80-'a')*ones) &^ (low + (0x80-'z'-1)*ones) &^ w
		if out := ^in & (0x80 * ones); out != 0 {
			i += bits.TrailingZeros64(out) / 8
			if s[i] < utf8.RuneSelf {
				return i
			}
			break
		}
		i += 8
	}
	return t.run(s, i, letter)
}

func (t *classTable) wideRun(s string, i int, mask uint16) int {
	for i < len(s) {
		c, n := t.at(s, i)
		if c&mask == 0 {
			return i
		}
		i += n
	}
	return i
}
