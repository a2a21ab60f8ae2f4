package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// charsmap is the normalisation that a SentencePiece model carries: a trie of
// what is replaced and the texts that replace it. The bytes in a model file are
// the size of the trie (4 bytes, little endian), its 32-bit units in the layout
// of darts-clone, and the replacements, each ended by a zero byte
// (google/sentencepiece, normalizer.cc and third_party/darts_clone).
type charsmap struct {
	units []uint32
	texts string
	raw   []byte
	// plain says that a byte before another ASCII byte stays as it is.
	plain [utf8.RuneSelf]bool
}

// readCharsmap parses the bytes of a model file; none of them mean no map.
func readCharsmap(raw []byte) (*charsmap, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if len(raw) < 4 {
		return nil, errors.New("precompiled_charsmap is cut short")
	}
	size := binary.LittleEndian.Uint32(raw)
	if size%4 != 0 || size == 0 || uint64(size) > uint64(len(raw)-4) {
		return nil, fmt.Errorf("precompiled_charsmap: its trie has %d bytes of the %d that follow", size, len(raw)-4)
	}
	m := &charsmap{units: make([]uint32, size/4), texts: string(raw[4+size:]), raw: raw}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(raw[4+4*i:])
	}
	if !strings.HasSuffix(m.texts, "\x00") {
		return nil, errors.New("precompiled_charsmap: the last replacement is cut short")
	}
	for b := range m.plain {
		m.plain[b] = true
		root := m.child(0, m.units[0])
		at, unit, ok := m.step(root, byte(b))
		if !ok {
			continue
		}
		m.plain[b] = unit>>8&1 == 0
		for next := range byte(utf8.RuneSelf) {
			if _, _, ok := m.step(m.child(at, unit), next); ok {
				m.plain[b] = false
			}
		}
	}
	return m, nil
}

// find returns what replaces the longest key at s[i], or with first the
// shortest key, and the key's length; 0 where no key begins there.
func (m *charsmap) find(s string, i int, first bool) (text string, n int) {
	value := uint32(0)
	pos := m.child(0, m.units[0])
	for j := i; j < len(s); j++ {
		at, unit, ok := m.step(pos, s[j])
		if !ok {
			break
		}
		pos = m.child(at, unit)
		if unit>>8&1 == 1 && uint(pos) < uint(len(m.units)) {
			value, n = m.units[pos]&(1<<31-1), j+1-i
			if first {
				break
			}
		}
	}
	if n == 0 || int(value) >= len(m.texts) {
		return "", 0
	}
	text = m.texts[value:]
	return text[:strings.IndexByte(text, 0)], n
}

// child is where the children of the unit at a place begin.
func (m *charsmap) child(at, unit uint32) uint32 {
	return at ^ (unit>>10)<<((unit&(1<<9))>>6)
}

// step goes on by one byte, which is not zero in any key.
func (m *charsmap) step(pos uint32, c byte) (at, unit uint32, ok bool) {
	at = pos ^ uint32(c)
	if c == 0 || uint(at) >= uint(len(m.units)) {
		return 0, 0, false
	}
	unit = m.units[at]
	return at, unit, unit&(1<<31|0xFF) == uint32(c)
}
