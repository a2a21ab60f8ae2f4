package tokenizer

import "strings"

// step is one part of a pre-tokeniser: it cuts text into pieces, or changes the
// beginning of each piece.
type step struct {
	cut  cutter // nil: lead
	lead *leadSpace
}

// cutter finds the pieces of a text.
type cutter interface {
	// piece returns the next piece at or after s[i], i < len(s): s[from:to].
	// What is between i and from belongs to no piece; from == to means that no
	// piece is left. to is more than i.
	piece(s string, i int) (from, to int)
}

// leadSpace puts a space before text.
type leadSpace struct {
	// space is written for each space in the text and before it.
	space string
	when  leadWhen
}

// leadWhen says which pieces get a space.
type leadWhen uint8

const (
	leadNever  leadWhen = iota
	leadFirst           // the piece that begins the text
	leadAlways          // every piece
)

// apply returns the text with spaces replaced and one before it, unless it
// begins with one.
func (l *leadSpace) apply(s string, first bool, buf []byte) (string, []byte) {
	lead := (l.when == leadAlways || l.when == leadFirst && first) && !strings.HasPrefix(s, l.space) && s[0] != ' '
	if !lead && (l.space == " " || strings.IndexByte(s, ' ') < 0) {
		return s, buf
	}
	buf = buf[:0]
	if lead {
		buf = append(buf, l.space...)
	}
	for i := range len(s) {
		if s[i] == ' ' {
			buf = append(buf, l.space...)
		} else {
			buf = append(buf, s[i])
		}
	}
	return view(buf), buf
}

// setSteps takes the steps of a pre-tokeniser. A scanner at the end becomes the
// cut of the hot loop.
func (t *Tokenizer) setSteps(steps []step) {
	t.split = splitter{rule: splitWhole}
	if n := len(steps); n > 0 {
		if last, ok := steps[n-1].cut.(*splitter); ok {
			t.split, steps = *last, steps[:n-1]
		}
	}
	if b, ok := t.model.(*bytePairs); ok && t.split.rule == splitWhole && len(t.rules) == 0 && b.whole == nil && !b.partial {
		t.split.rule = splitBytes
	}
	if c, ok := t.model.(*charPairs); ok && t.split.rule == splitWhole && c.joins != nil {
		t.split.rule, t.split.joins = splitSpaces, c.joins
	}
	t.split.classes = classes()
	t.steps = steps
}

// cut applies the steps from level on to s and encodes the pieces.
func (t *Tokenizer) cut(dst []int32, s string, first bool, level int, sc *scratch) []int32 {
	if s == "" {
		return dst
	}
	if level == len(t.steps) {
		return t.pieces(dst, s, sc)
	}
	st := &t.steps[level]
	if st.lead != nil {
		for len(sc.lead) <= level {
			sc.lead = append(sc.lead, nil)
		}
		s, sc.lead[level] = st.lead.apply(s, first, sc.lead[level])
		return t.cut(dst, s, first, level+1, sc)
	}
	c := st.cut
	if e, ok := c.(*expression); ok {
		c = e.on(s)
	}
	for i := 0; i < len(s); {
		from, to := c.piece(s, i)
		dst = t.cut(dst, s[from:to], first && from == 0, level+1, sc)
		i = to
	}
	return dst
}
