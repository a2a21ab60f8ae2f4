package generate

import (
	"bytes"
	"unicode/utf8"
)

// holdback releases text only when no stop string can begin in it and no
// character is cut in two.
type holdback struct {
	stops   []string
	pending []byte
}

// push adds a token's bytes and returns what may be shown; stopped says that a
// stop string is complete, the text before it being the last to show.
func (h *holdback) push(b []byte) (show string, stopped bool) {
	h.pending = append(h.pending, b...)
	cut := -1
	for _, s := range h.stops {
		if i := bytes.Index(h.pending, []byte(s)); i >= 0 && (cut < 0 || i < cut) {
			cut = i
		}
	}
	if cut >= 0 {
		show = string(h.pending[:cut])
		h.pending = nil
		return show, true
	}
	keep := incomplete(h.pending)
	for _, s := range h.stops {
		for n := min(len(s)-1, len(h.pending)); n > keep; n-- {
			if bytes.HasSuffix(h.pending, []byte(s[:n])) {
				keep = n
			}
		}
	}
	n := len(h.pending) - keep
	show = string(h.pending[:n])
	h.pending = append(h.pending[:0], h.pending[n:]...)
	return show, false
}

// flush is what is left when nothing more can come.
func (h *holdback) flush() string {
	s := string(h.pending)
	h.pending = nil
	return s
}

// incomplete is the length of a cut-off UTF-8 character at the end of b.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return n
			}
			return 0
		}
	}
	return 0
}
