package tokenizer

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Sizes of the two caches of a scratch, about 1.7 MiB together: they stay in
// the second-level cache of a core. Powers of two.
const (
	shortSlots = 1 << 15
	longSlots  = 1 << 12
	longBytes  = 1 << 18 // bytes of all keys in the long cache
	longIDs    = 1 << 16 // ids of all values in the long cache
	longKey    = 512     // longest key
)

// shortKey is the most bytes of a piece that the short cache takes: with the
// length it fills two words.
const shortKey = 15

// scratch is what one Encode call works with. Both caches remember what pieces
// become; forgetting an entry costs time only.
type scratch struct {
	short [shortSlots]shortEntry
	long  longCache
	merge merger
	path  []pathNode // of unigram
	ids   []int32
	text  [2][]byte // normalised text, by turns
	lead  [][]byte  // what a step wrote, by step
}

// shortEntry maps a piece of up to shortKey bytes to up to 3 ids.
type shortEntry struct {
	k0, k1 uint64 // the bytes, zero-padded, and the length on top; 0, 0 is empty
	n      int32
	ids    [3]int32
}

// keyMask keeps the first n bytes of two little-endian words and adds nothing;
// keyLength puts n in the top byte.
var keyMask = func() (m [shortKey + 1][2]uint64) {
	for n := range m {
		m[n][0] = 1<<(8*min(n, 8)) - 1
		m[n][1] = 1<<(8*max(n-8, 0)) - 1
	}
	return m
}()

// keyOf packs s[i:i+n], n <= shortKey. It reads 16 bytes where the text has
// them.
func keyOf(s []byte, i, n int) (k0, k1 uint64) {
	var tail [16]byte
	b := tail[:]
	if i+16 <= len(s) {
		b = s[i : i+16]
	} else {
		copy(b, s[i:i+n])
	}
	k0, k1 = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	m := &keyMask[n&shortKey]
	return k0 & m[0], k1&m[1] | uint64(n)<<56
}

func hashKey(k0, k1 uint64) uint64 {
	hi, lo := bits.Mul64(k0^0x9E3779B97F4A7C15, k1^0xE7037ED1A0B428DB)
	return hi ^ lo
}

// longCache maps longer pieces, or pieces of more ids, to ids. When one of its
// arenas is full it starts anew.
type longCache struct {
	slots [longSlots]longEntry
	keys  []byte
	ids   []int32
}

type longEntry struct {
	hash     uint64
	key, id  uint32 // offsets
	keys, ns uint32 // lengths; ns 0 is an empty slot
}

// hashString is a 64-bit hash of any bytes, 16 at a time.
func hashString(s string) uint64 {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	h := uint64(len(s)) * 0x8EBC6AF09C88C6E3
	for len(b) >= 16 {
		h = hashKey(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:])) ^ bits.RotateLeft64(h, 23)
		b = b[16:]
	}
	var tail [16]byte
	copy(tail[:], b)
	return hashKey(binary.LittleEndian.Uint64(tail[:])^h, binary.LittleEndian.Uint64(tail[8:]))
}

// find returns the ids of a piece, or nil.
func (c *longCache) find(piece string, hash uint64) []int32 {
	e := &c.slots[hash%longSlots]
	if e.ns == 0 || e.hash != hash || string(c.keys[e.key:e.key+e.keys]) != piece {
		return nil
	}
	return c.ids[e.id : e.id+e.ns]
}

func (c *longCache) add(piece string, hash uint64, ids []int32) {
	if len(c.keys)+len(piece) > longBytes || len(c.ids)+len(ids) > longIDs {
		clear(c.slots[:])
		c.keys, c.ids = c.keys[:0], c.ids[:0]
	}
	if c.keys == nil {
		c.keys, c.ids = make([]byte, 0, longBytes), make([]int32, 0, longIDs)
	}
	c.slots[hash%longSlots] = longEntry{
		hash: hash, key: uint32(len(c.keys)), id: uint32(len(c.ids)),
		keys: uint32(len(piece)), ns: uint32(len(ids)),
	}
	c.keys = append(c.keys, piece...)
	c.ids = append(c.ids, ids...)
}

// maxIdle is how many scratches a Tokenizer keeps for later calls.
const maxIdle = 64

func (t *Tokenizer) acquire() *scratch {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.idle); n > 0 {
		sc := t.idle[n-1]
		t.idle = t.idle[:n-1]
		return sc
	}
	return &scratch{}
}

func (t *Tokenizer) release(sc *scratch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle) < maxIdle {
		t.idle = append(t.idle, sc)
	}
}
