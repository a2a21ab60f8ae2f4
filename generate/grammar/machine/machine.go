// Package machine is the seam between languages and masks: a language is a start
// State, and whoever reads text steps it byte by byte.
//
// generate/grammar/regular, cfg and shape make states; generate/grammar walks a
// vocabulary over them. None of them knows the others.
package machine

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
	// a backslash or a surrogate, leads to a live state. 0 promises nothing.
	FreeRunes() int
}

// Uniform is what a State may also be: a point within text where only the number of
// ordinary characters counts, as in a JSON string without a pattern. Ordinary are
// those of FreeRunes.
type Uniform interface {
	State
	// AfterRune is the state behind one ordinary character, whichever it is: the one
	// that Next over its bytes leads to, nil where none may follow. ok is false where
	// it matters which character it is.
	AfterRune() (s State, ok bool)
}

// Sketched is what a State may also be: one whose language remembers much of what was
// read, such as the names that an object has, so that few of its states are equal.
type Sketched interface {
	State
	// Sketch is a state for reading one token: what is remembered is left out where it
	// cannot matter for long. What leads on from the sketch leads on from the state,
	// and the Shortest behind it is the same. What leads on from the state leads on from
	// the sketch, but for texts in which a comma follows a colon that follows a
	// quotation mark: those may be refused. States behind a sketch are sketches. A state
	// that has no simpler one is its own sketch.
	Sketch() State
}

// Measured is what a State may also be: it knows the length of its Shortest without
// writing it.
type Measured interface {
	State
	ShortestLen() int
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
