package generate

import (
	"bytes"
	"unicode/utf8"
)

// holdback releases text only when no stop string or match can begin in it and no
// character is cut in two. What it decides depends on the text alone, not on how
// the text comes.
type holdback struct {
	stops   []string
	find    *finder // nil without a regular expression
	calm    calm
	pending []byte
	shown   int  // bytes released
	skip    int  // bytes that are passed over first
	blank   bool // and then a space, if there is one
}

// stopped is what a text stops before.
type stopped struct {
	why  string // FinishString or FinishRegex; "": it goes on
	text string
}

// push adds a token's bytes and returns what may be shown, the last of it where
// the text stops.
func (h *holdback) push(b []byte) (show string, by stopped) {
	n := min(h.skip, len(b))
	h.skip, b = h.skip-n, b[n:]
	if h.blank && len(b) > 0 {
		h.blank, b = false, bytes.TrimPrefix(b, []byte(" "))
	}
	for _, c := range b {
		h.pending = append(h.pending, c)
		if h.calm.begins(c) {
			h.stops, h.find = nil, nil
		}
		if cut, by := h.look(); by.why != "" {
			show = string(h.pending[:cut])
			h.pending = nil
			return show, by
		}
	}
	n = len(h.pending) - h.keep()
	show = string(h.pending[:n])
	h.pending = append(h.pending[:0], h.pending[n:]...)
	h.shown += n
	return show, stopped{}
}

// calm looks for where a NoStop begins.
type calm struct {
	NoStop
	read int    // bytes
	last []byte // of them, as many as From has
}

// begins says that the text has come to an end of From with its next byte.
func (c *calm) begins(b byte) bool {
	if c.From == "" || c.First && c.read == len(c.From) {
		return false
	}
	c.read++
	c.last = append(c.last, b)
	c.last = c.last[max(0, len(c.last)-len(c.From)):]
	return string(c.last) == c.From
}

// look says whether the text stops with its last byte, and where it is cut.
func (h *holdback) look() (cut int, by stopped) {
	cut = len(h.pending)
	for _, s := range h.stops {
		if at := len(h.pending) - len(s); at < cut && bytes.HasSuffix(h.pending, []byte(s)) {
			cut, by = at, stopped{FinishString, s}
		}
	}
	if h.find != nil {
		if at := h.find.watch(h.pending, h.shown); at >= 0 && at < cut {
			cut, by = at, stopped{FinishRegex, string(h.pending[at : h.find.at-h.shown])}
		}
	}
	return cut, by
}

// keep is the length of what must not be shown yet.
func (h *holdback) keep() int {
	keep := incomplete(h.pending)
	for _, s := range h.stops {
		for n := min(len(s)-1, len(h.pending)); n > keep; n-- {
			if bytes.HasSuffix(h.pending, []byte(s[:n])) {
				keep = n
			}
		}
	}
	if h.find != nil {
		keep = max(keep, h.shown+len(h.pending)-h.find.held())
	}
	return keep
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
