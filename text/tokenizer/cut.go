package tokenizer

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// finder finds the parts of a text that a pre-tokeniser cuts at.
type finder interface {
	// find returns the first match at or after s[i], or from == to.
	find(s string, i int) (from, to int)
}

// behavior says what becomes of the matches and of the text between them, with
// the names of Hugging Face tokenizers.
type behavior string

const (
	isolated           behavior = "Isolated"           // each is a piece
	removed            behavior = "Removed"            // matches are left out
	contiguous         behavior = "Contiguous"         // neighbouring matches are one piece
	mergedWithPrevious behavior = "MergedWithPrevious" // a match ends the piece before it
	mergedWithNext     behavior = "MergedWithNext"     // a match begins the piece behind it
)

// cutAt cuts at what a finder finds.
type cutAt struct {
	finder
	behavior
}

func (c cutAt) piece(s string, i int) (from, to int) {
	for i < len(s) {
		from, to = c.find(s, i)
		if from == to {
			return i, len(s)
		}
		switch c.behavior {
		case isolated:
			if from > i {
				return i, from
			}
			return i, to
		case removed:
			if from > i {
				return i, from
			}
			i = to
		case contiguous:
			if from > i {
				return i, from
			}
			for to < len(s) {
				next, end := c.find(s, to)
				if next != to || next == end {
					break
				}
				to = end
			}
			return i, to
		case mergedWithPrevious:
			return i, to
		case mergedWithNext:
			if from > i {
				return i, from
			}
			if to == len(s) {
				return i, to
			}
			next, end := c.find(s, to)
			if next == end {
				return i, len(s)
			}
			return i, max(next, to)
		}
	}
	return len(s), len(s)
}

// newCutAt makes a cutter of a finder. Inverted, the text between the matches is
// what the behaviour calls matches.
func newCutAt(f finder, b behavior, inverted bool) (cutter, error) {
	switch {
	case !inverted || b == isolated || b == contiguous: // it is the same
		return cutAt{f, b}, nil
	case b == removed:
		return onlyMatches{f}, nil
	}
	return nil, fmt.Errorf("behavior %s is not supported with invert", b)
}

// onlyMatches leaves out what lies between the matches.
type onlyMatches struct{ finder }

func (o onlyMatches) piece(s string, i int) (from, to int) {
	if from, to = o.find(s, i); from < to {
		return from, to
	}
	return len(s), len(s)
}

// eachChar finds single characters.
type eachChar struct{ set charset }

func (e eachChar) find(s string, i int) (from, to int) {
	for i < len(s) {
		n, in := e.set.at(s, i)
		if in {
			return i, i + n
		}
		i += n
	}
	return 0, 0
}

// literal finds a fixed text.
type literal string

func (l literal) find(s string, i int) (from, to int) {
	if at := strings.Index(s[i:], string(l)); at >= 0 {
		return i + at, i + at + len(l)
	}
	return 0, 0
}

// runs finds runs of characters, like the expression \s?[...]+ .
type runs struct {
	lead charset // an optional character before a run; the zero value is none
	set  charset
	// least and most are the characters of a run; most 0 is any number of them.
	least, most int
	tail        bool // only at the end of the text
	ascii       [utf8.RuneSelf]uint8
}

// What an ASCII character is for runs.
const (
	inRun = 1 << iota
	leadsRun
)

// newRuns fills in the table.
func newRuns(r runs) *runs {
	for b := range r.ascii {
		char := string(rune(b))
		if _, in := r.set.at(char, 0); in {
			r.ascii[b] |= inRun
		}
		if _, leads := r.lead.at(char, 0); leads {
			r.ascii[b] |= leadsRun
		}
	}
	return &r
}

// at returns the length and the role of the character at s[i].
func (r *runs) at(s string, i int) (n int, role uint8) {
	if b := s[i]; b < utf8.RuneSelf {
		return 1, r.ascii[b]
	}
	n, in := r.set.at(s, i)
	if in {
		role = inRun
	}
	if _, leads := r.lead.at(s, i); leads {
		role |= leadsRun
	}
	return n, role
}

func (r *runs) find(s string, i int) (from, to int) {
	for i < len(s) {
		n, role := r.at(s, i)
		if role == 0 {
			i += n
			continue
		}
		end := r.match(s, i, n, role)
		switch {
		case end == len(s) || end > 0 && !r.tail:
			return i, end
		case end > 0:
			i = end
		default:
			i += n
		}
	}
	return 0, 0
}

// match returns the end of the match at s[i], whose character has length n and
// a role; or 0.
func (r *runs) match(s string, i, n int, role uint8) int {
	if role&leadsRun != 0 && i+n < len(s) {
		if k, next := r.at(s, i+n); next&inRun != 0 {
			i, n, role = i+n, k, next
		}
	}
	if role&inRun == 0 {
		return 0
	}
	for count := 1; ; count++ {
		i += n
		if i < len(s) && count != r.most {
			if n, role = r.at(s, i); role&inRun != 0 {
				continue
			}
		}
		if count < r.least {
			return 0
		}
		return i
	}
}

// charset is a set of characters: those with a bit of the mask, those in the
// table, or all others.
type charset struct {
	mask  uint16
	table *unicode.RangeTable
	not   bool
}

// at returns the length of the character at s[i] and whether it is in the set.
// A byte that begins no character has the class of U+FFFD.
func (c charset) at(s string, i int) (n int, in bool) {
	class, n := classes().at(s, i)
	in = class&c.mask != 0
	if !in && c.table != nil {
		r, _ := utf8.DecodeRuneInString(s[i:])
		in = unicode.Is(c.table, r)
	}
	return n, in != c.not
}

// rangeTable makes a table of pairs of first and last characters.
func rangeTable(pairs ...rune) *unicode.RangeTable {
	var order [][2]rune
	for i := 0; i < len(pairs); i += 2 {
		order = append(order, [2]rune{pairs[i], pairs[i+1]})
	}
	slices.SortFunc(order, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	t := &unicode.RangeTable{}
	for _, p := range order {
		switch {
		case p[1] <= 0xFFFF:
			t.R16 = append(t.R16, unicode.Range16{Lo: uint16(p[0]), Hi: uint16(p[1]), Stride: 1})
			if p[1] <= unicode.MaxLatin1 {
				t.LatinOffset++
			}
		default:
			t.R32 = append(t.R32, unicode.Range32{Lo: uint32(p[0]), Hi: uint32(p[1]), Stride: 1})
		}
	}
	return t
}

// words finds runs of word characters and runs of what is neither that nor
// white space: \w+|[^\w\s]+ .
type words struct{}

func (words) find(s string, i int) (from, to int) {
	kind := func(i int) (kind, n int) {
		class, n := classes().at(s, i)
		r, _ := utf8.DecodeRuneInString(s[i:])
		switch {
		case class&space != 0:
			return 0, n
		case class&(letter|mark) != 0, r == '\u200c', r == '\u200d', unicode.In(r, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic):
			return 1, n
		}
		return 2, n
	}
	for i < len(s) {
		first, n := kind(i)
		if first == 0 {
			i += n
			continue
		}
		end := i + n
		for end < len(s) {
			next, n := kind(end)
			if next != first {
				break
			}
			end += n
		}
		return i, end
	}
	return 0, 0
}

// expression cuts with a regular expression for which there is no scanner. It
// is slow: the engine backtracks. Look-ups of one text are done at once.
type expression struct {
	re *regexp2.Regexp
	behavior
	inverted bool
}

// maxBacktrack bounds the engine's memory for one text, in entries of its
// stack. Where it is not enough the rest of the text is one piece.
const maxBacktrack = 1 << 24

func newExpression(regex string, b behavior, inverted bool) (*expression, error) {
	re, err := regexp2.Compile(regex, regexp2.OptionMaxBacktrackingStackSize(maxBacktrack))
	if err != nil {
		return nil, err
	}
	if _, err := newCutAt(nil, b, inverted); err != nil {
		return nil, err
	}
	return &expression{re, b, inverted}, nil
}

// on returns the cutter for one text.
func (e *expression) on(s string) cutter {
	found, _ := e.re.FindAllStringIndex(s, -1)
	if e.behavior == isolated { // an empty match cuts as well
		var b borders
		for _, span := range found {
			b = append(b, span...)
		}
		return b
	}
	c, err := newCutAt(&matches{spans: found}, e.behavior, e.inverted)
	if err != nil {
		panic("tokenizer: " + err.Error()) // newExpression has tried
	}
	return c
}

// piece serves the interface; step calls on for each text instead.
func (e *expression) piece(s string, i int) (from, to int) { return e.on(s).piece(s, i) }

// matches finds what is in a list of spans in order.
type matches struct {
	spans [][]int
	at    int
}

func (m *matches) find(_ string, i int) (from, to int) {
	for m.at > 0 && m.spans[m.at-1][0] >= i {
		m.at--
	}
	for ; m.at < len(m.spans); m.at++ {
		if span := m.spans[m.at]; span[0] >= i && span[0] < span[1] {
			return span[0], span[1]
		}
	}
	return 0, 0
}

// borders cuts at places in rising order.
type borders []int

func (b borders) piece(s string, i int) (from, to int) {
	at := sort.SearchInts(b, i+1)
	if at == len(b) {
		return i, len(s)
	}
	return i, b[at]
}

// bertWords cuts as BERT does: at white space, which is left out, and around
// each punctuation mark.
type bertWords struct{}

func (bertWords) piece(s string, i int) (from, to int) {
	c := classes()
	for from = i; from < len(s); {
		class, n := c.at(s, from)
		if class&space != 0 {
			from += n
			continue
		}
		to = from + n
		if isBreak(class, s[from]) {
			return from, to
		}
		for to < len(s) {
			class, n := c.at(s, to)
			if class&space != 0 || isBreak(class, s[to]) {
				break
			}
			to += n
		}
		return from, to
	}
	return len(s), len(s)
}

// isBreak says whether a character of this class, whose first byte is b, stands
// alone.
func isBreak(class uint16, b byte) bool {
	return class&punct != 0 || class&sign != 0 && b < utf8.RuneSelf
}
