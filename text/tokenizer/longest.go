package tokenizer

import "unsafe"

// longestMatch takes at each place the longest token (RWKV's world vocabulary).
type longestMatch struct {
	trie    *trie
	unknown int32 // of a byte at which no token begins; -1: it is dropped
}

func (l *longestMatch) encode(dst []int32, piece string, _ *scratch) []int32 {
	for i := 0; i < len(piece); {
		n, id := l.trie.longest(piece, i)
		if n == 0 {
			n, id = 1, l.unknown
		}
		if id >= 0 {
			dst = append(dst, id)
		}
		i += n
	}
	return dst
}

// wordPiece cuts a word into the longest pieces that fit, from the left (Schuster
// and Nakajima 2012; Devlin et al. 2018, arXiv 1810.04805). A word that can't be
// cut is one unknown token.
type wordPiece struct {
	first, rest *trie // pieces that begin a word, and those that go on
	unknown     int32
	maxChars    int // of a word
}

func (w *wordPiece) encode(dst []int32, word string, _ *scratch) []int32 {
	from := len(dst)
	chars := 0
	for i := range len(word) {
		if word[i]&0xC0 != 0x80 {
			chars++
		}
	}
	if chars > w.maxChars {
		return append(dst, w.unknown)
	}
	pieces := w.first
	for i := 0; i < len(word); pieces = w.rest {
		n, id := pieces.longest(word, i)
		if n == 0 {
			return append(dst[:from], w.unknown)
		}
		dst = append(dst, id)
		i += n
	}
	return dst
}

// view is the text in b, which must not change while the text is in use.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
