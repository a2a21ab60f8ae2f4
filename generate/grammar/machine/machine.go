// Package machine is the seam between languages and masks: a language is a start
// State, and whoever reads text steps it byte by byte.
//
// generate/grammar/regular, cfg and shape make states; generate/grammar walks a
// vocabulary over them. None of them knows the others. Here too: languages that stand
// before another one (Prefix, After, Until, MaybeBlank).
package machine

import "unicode/utf8"

// A State is one point in reading a text of some language. States are immutable
// and interned: equal states of one language are the same pointer (a language may
// forget old states to bound its memory, then an equal state is a new pointer), so
// a State may be the key of a map.
//
// A State is live: some text of the language continues from it. Next computes lazily
// and keeps what it computed, so states of one language are not safe for use by
// several goroutines at a time; package grammar holds a lock for each language.
type State interface {
	// Next reads one byte. It returns nil where no text of the language continues
	// so, or where the language's own limits of work are reached.
	Next(b byte) State

	// Accepting says whether the text may end here.
	Accepting() bool

	// Shortest returns a shortest rest, in bytes, that makes the text one of the
	// language; it is empty exactly where the state is accepting. The slice must not
	// be changed. Following it byte by byte never fails, and the Shortest of the state
	// behind its first byte is one byte shorter.
	Shortest() []byte
}

// Free is what a State may also be: a point within text where most characters are
// allowed, as in a JSON string.
type Free interface {
	State
	// FreeRunes is a number of characters n such that every sequence of up to n
	// characters, none of them a control character (below U+0020), a quotation mark,
	// a backslash or a surrogate, leads to a live state. 0 promises nothing. Bound is at
	// least the length of Shortest behind all of them.
	FreeRunes() (n, bound int)
}

// Uniform is what a State may also be: a point within text where only the number of
// ordinary characters counts, as in a JSON string without a pattern, but for a few of
// them, as in the name of a property. Ordinary are those of FreeRunes.
type Uniform interface {
	State
	// AfterRune is the state behind one ordinary character, whichever it is, but for
	// those whose first byte is one of except: the state that Next over its bytes leads
	// to, nil where none may follow. ok is false where there is no such state.
	AfterRune() (s State, except Bytes, ok bool)
}

// Bytes is a set of bytes.
type Bytes [4]uint64

// Add adds the bytes from lo to hi.
func (s *Bytes) Add(lo, hi byte) {
	for b := int(lo); b <= int(hi); b++ {
		s[b>>6] |= 1 << (b & 63)
	}
}

// AddRunes adds the first bytes of the ordinary characters from lo to hi.
func (s *Bytes) AddRunes(lo, hi rune) {
	for _, o := range ordinary {
		if lo, hi := max(lo, o[0]), min(hi, o[1]); lo <= hi {
			s.Add(string(lo)[0], string(hi)[0])
		}
	}
}

// ordinary are the characters of which Free and Uniform speak.
var ordinary = [][2]rune{{' ', '!'}, {'#', '['}, {']', 0xD7FF}, {0xE000, utf8.MaxRune}}

// Has says whether b is in the set.
func (s *Bytes) Has(b byte) bool { return s[b>>6]>>(b&63)&1 != 0 }

// None says whether the set is empty.
func (s *Bytes) None() bool { return *s == Bytes{} }

// Sketched is what a State may also be: one whose language remembers much of what was
// read, such as the names that an object has, so that few of its states are equal.
type Sketched interface {
	State
	// Sketch is a state for reading one token: what is remembered is left out where it
	// rarely matters. What leads on from the sketch leads on from the state, and the other
	// way round, but for texts that lead from the sketch to Doubt. States behind a sketch
	// are sketches. A state that has no simpler one is its own sketch.
	Sketch() State
	// Outline is as Sketch, for reading alone: of it and what is behind it only
	// ShortestBound may be asked, so that more may be left out.
	Outline() State
	// Exact says of a sketch that its Shortest is that of the states it stands for. Of
	// others only the bounds (Bounded) may be asked.
	Exact() bool
}

// Doubt is where sketches lead if it depends on what they left out whether a text goes
// on so.
var Doubt State = doubt{}

type doubt struct{}

func (doubt) Next(byte) State  { return Doubt }
func (doubt) Accepting() bool  { return false }
func (doubt) Shortest() []byte { return nil }

// Bounded is what a State may also be: it knows about the length of its Shortest
// without writing it.
type Bounded interface {
	State
	// ShortestBound is at least the length of Shortest.
	ShortestBound() int
	// Tails says more: Shortest is some bytes and then the Shortest of another state, as
	// one of the tails has it. There are none where that is not known.
	Tails() []Tail
}

// A Tail is at most Bytes bytes followed by Then's Shortest.
type Tail struct {
	Bytes int
	Then  State
}

// Accepts says whether the language of the start state has the text, and at which
// byte reading failed: len(text) if the text is a beginning only.
func Accepts(start State, text []byte) (ok bool, at int) {
	s := start
	for i, b := range text {
		if s = s.Next(b); s == nil {
			return false, i
		}
	}
	return s.Accepting(), len(text)
}
