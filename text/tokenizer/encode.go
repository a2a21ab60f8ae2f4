package tokenizer

import (
	"slices"
	"unsafe"
)

// Encode returns the ids of s. Special tokens in s are ordinary text: text
// from users cannot forge them. Added tokens that are not special, which some
// vocabularies have for runs of spaces or for markup, are found as in Hugging
// Face tokenizers.
func (t *Tokenizer) Encode(s string) []int32 {
	return t.EncodeAppend(make([]int32, 0, len(s)/3+1), s)
}

// EncodeAppend is Encode that appends to dst. It allocates only to grow dst,
// once the caches are warm.
func (t *Tokenizer) EncodeAppend(dst []int32, s string) []int32 {
	return t.encode(dst, s, &t.early, &t.late)
}

// EncodeAfter appends the ids of s, as text that goes on where the text of dst ends: the
// space that encoding puts before every text is left out there, or is the one that s
// begins with.
func (t *Tokenizer) EncodeAfter(dst []int32, s string) []int32 {
	switch {
	case !t.BlankAfter(nil), t.BlankAfter(dst):
		return t.EncodeAppend(dst, s)
	case len(s) > 1 && s[0] == ' ':
		return t.EncodeAppend(dst, s[1:])
	}
	for _, before := range []string{"\n", "."} { // which vocabularies join with nothing behind
		anchor := t.Encode(before)
		if ids := t.Encode(before + s); len(ids) > len(anchor) && slices.Equal(ids[:len(anchor)], anchor) {
			return append(dst, ids[len(anchor):]...)
		}
	}
	return t.EncodeAppend(dst, s)
}

// EncodeSpecial returns the ids of s with each special token in it as its id:
// at each place the longest. Use it for text made by the program, such as a
// rendered chat template.
func (t *Tokenizer) EncodeSpecial(s string) []int32 {
	return t.encode(make([]int32, 0, len(s)/3+1), s, &t.earlyAll, &t.lateAll)
}

// encode cuts s at the early added tokens and encodes what lies between.
func (t *Tokenizer) encode(dst []int32, s string, early, late *matcher) []int32 {
	sc := t.acquire()
	start := 0
	for start < len(s) {
		from, to, id, ok := early.next(s, start)
		if !ok {
			break
		}
		dst = t.segment(dst, s[start:from], start == 0, late, sc)
		dst = append(dst, id)
		start = to
	}
	dst = t.segment(dst, s[start:], start == 0, late, sc)
	t.release(sc)
	return dst
}

// segment encodes text that holds no early tokens. first says that it begins
// the whole text.
func (t *Tokenizer) segment(dst []int32, s string, first bool, late *matcher, sc *scratch) []int32 {
	turn := 0
	for _, n := range t.normalizers {
		var buf []byte
		s, buf = n.apply(s, sc.text[turn])
		sc.text[turn] = buf
		if s != "" && unsafe.StringData(s) == unsafe.SliceData(buf) {
			turn = 1 - turn
		}
	}
	start := 0
	for start < len(s) {
		from, to, id, ok := late.next(s, start)
		if !ok {
			break
		}
		dst = t.cut(dst, s[start:from], first && start == 0, 0, sc)
		dst = append(dst, id)
		start = to
	}
	return t.cut(dst, s[start:], first && start == 0, 0, sc)
}

// pieces is the hot loop: find the next piece, look it up, append its ids.
func (t *Tokenizer) pieces(dst []int32, s string, sc *scratch) []int32 {
	if t.split.rule == splitBytes {
		ids := &t.model.(*bytePairs).ids
		for i := range len(s) {
			dst = append(dst, ids[s[i]])
		}
		return dst
	}
	b := unsafe.Slice(unsafe.StringData(s), len(s)) // never written
	for i := 0; i < len(s); {
		end := t.split.next(s, i)
		n := end - i
		if n > shortKey {
			dst = t.longPiece(dst, s[i:end], sc)
			i = end
			continue
		}
		k0, k1 := keyOf(b, i, n)
		e := &sc.short[hashKey(k0, k1)%shortSlots]
		if e.k0 == k0 && e.k1 == k1 {
			switch e.n {
			case 1:
				dst = append(dst, e.ids[0])
			case 2:
				dst = append(dst, e.ids[0], e.ids[1])
			default:
				dst = append(dst, e.ids[0], e.ids[1], e.ids[2])
			}
		} else {
			from := len(dst)
			dst = t.longPiece(dst, s[i:end], sc)
			if ids := dst[from:]; len(ids) <= len(e.ids) {
				e.k0, e.k1, e.n = k0, k1, int32(copy(e.ids[:], ids))
			}
		}
		i = end
	}
	return dst
}

// longPiece encodes a piece that the short cache does not have.
func (t *Tokenizer) longPiece(dst []int32, piece string, sc *scratch) []int32 {
	if len(piece) > longKey {
		return t.model.encode(dst, piece, sc)
	}
	hash := hashString(piece)
	if ids := sc.long.find(piece, hash); ids != nil {
		return append(dst, ids...)
	}
	from := len(dst)
	dst = t.model.encode(dst, piece, sc)
	if len(piece) > shortKey || len(dst)-from > len(shortEntry{}.ids) {
		sc.long.add(piece, hash, dst[from:])
	}
	return dst
}
