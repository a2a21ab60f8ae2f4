// Package partial reads JSON while it is being written: after every piece of text
// it gives a whole JSON text of what is there.
//
// A snapshot keeps what is certain. A string that is being written is there as far
// as it goes; a number, true, false or null only once it is complete; a member only
// once its value has begun. So snapshots only grow: texts get longer, arrays and
// objects get elements, and what was there stays. The last is the text itself.
//
// Not here: mending JSON that is wrong (generate/repair), which is an error.
package partial

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// MaxDepth is the most arrays and objects inside each other.
const MaxDepth = 10_000

// Decoder reads one JSON text (RFC 8259). The zero value is ready.
type Decoder struct {
	text  []byte
	stack []byte // of open brackets, '{' or '['
	cut   int    // text[:cut] and the closing brackets are a snapshot, once begun
	begun bool
	state state
	start int // of the string, number or word that is being read
	safe  int // of a string, the end of its last whole character
	key   bool
	high  bool // the last character of a string is the first half of a surrogate pair
	err   error
}

// state is what may come next.
type state uint8

const (
	value      state = iota // a value
	valueOrEnd              // the first element of an array, or its end
	keyOrEnd                // the first key of an object, or its end
	nextKey                 // a key behind a comma
	colon                   // behind a key
	commaOrEnd              // behind a value inside something
	inString                // within quotes
	inEscape                // behind a backslash
	inHex                   // within the four digits of \u
	inScalar                // within a number or a word
	done                    // only white space
)

// Write reads the next piece. The error says what is wrong with the text and at
// which byte; it stays.
func (d *Decoder) Write(p []byte) (int, error) {
	for i, b := range p {
		if d.err != nil {
			return i, d.err
		}
		d.text = append(d.text, b)
		d.read(b)
	}
	return len(p), d.err
}

// Close says that the text is over. The error says what is missing.
func (d *Decoder) Close() error {
	if d.err == nil && d.state == inScalar {
		d.endScalar(len(d.text))
	}
	if d.err == nil && d.state != done {
		d.err = fmt.Errorf("the JSON text ends before its value does, at byte %d", len(d.text))
	}
	return d.err
}

// Text is all that was written.
func (d *Decoder) Text() []byte { return d.text }

// Snapshot is the value so far as a JSON text of its own, nil before any is
// certain. Memory is new with every call.
func (d *Decoder) Snapshot() json.RawMessage {
	cut, inside := d.cut, false
	if !d.key && (d.state == inString || d.state == inEscape || d.state == inHex) {
		cut, inside = d.safe, true
	}
	if !d.begun && !inside {
		return nil
	}
	out := append(make([]byte, 0, cut+1+len(d.stack)), d.text[:cut]...)
	if inside {
		out = append(out, '"')
	}
	for i := len(d.stack) - 1; i >= 0; i-- {
		out = append(out, d.stack[i]+2) // ] is [ + 2, } is { + 2
	}
	return out
}

// read takes the last byte of the text.
func (d *Decoder) read(b byte) {
	at := len(d.text)
	switch d.state {
	case inString:
		d.readString(b)
		return
	case inEscape:
		if b == 'u' {
			d.state, d.start = inHex, at
			return
		}
		d.state = inString
		if !isEscape(b) {
			d.fail("%q is no escape", "\\"+string(rune(b)))
		}
		d.character(false)
		return
	case inHex:
		if !isHex(b) {
			d.fail("%q is no hexadecimal digit", rune(b))
		} else if at-d.start == 4 {
			d.state = inString
			unit := d.text[d.start:at]
			d.character(unit[0]|0x20 == 'd' && unit[1] >= '8' && (unit[1] <= '9' || unit[1]|0x20 <= 'b'))
		}
		return
	case inScalar:
		if !ends(b) {
			return
		}
		if d.endScalar(at - 1); d.err != nil {
			return
		}
	}
	if b != ' ' && b != '\t' && b != '\n' && b != '\r' {
		d.token(b)
	}
}

// token takes a byte that is not white space, outside of strings, numbers and words.
func (d *Decoder) token(b byte) {
	wants := d.state == value || d.state == valueOrEnd
	switch {
	case wants && (b == '{' || b == '['):
		if len(d.stack) == MaxDepth {
			d.fail("more than %d arrays and objects inside each other", MaxDepth)
			return
		}
		d.stack = append(d.stack, b)
		d.cut, d.begun = len(d.text), true
		if d.state = keyOrEnd; b == '[' {
			d.state = valueOrEnd
		}
	case b == '"' && (wants || d.state == keyOrEnd || d.state == nextKey):
		d.key = !wants
		d.state, d.safe, d.high = inString, len(d.text), false
	case wants && !ends(b):
		d.state, d.start = inScalar, len(d.text)-1
	case d.state == colon && b == ':':
		d.state = value
	case d.state == commaOrEnd && b == ',':
		if d.state = nextKey; d.stack[len(d.stack)-1] == '[' {
			d.state = value
		}
	case (d.state == commaOrEnd || d.state == valueOrEnd || d.state == keyOrEnd) && b == d.stack[len(d.stack)-1]+2:
		d.stack = d.stack[:len(d.stack)-1]
		d.endValue(len(d.text))
	default:
		d.fail("%q does not belong here", rune(b))
	}
}

func (d *Decoder) readString(b byte) {
	switch {
	case b == '"' && d.key:
		d.state, d.key = colon, false
	case b == '"':
		d.endValue(len(d.text))
	case b == '\\':
		d.state = inEscape
	case b < ' ':
		d.fail("control character %q in a string", rune(b))
	case utf8.FullRune(d.text[d.safe:]) || d.high:
		d.character(false)
	}
}

// character says that a character of a string is whole; the first half of a pair
// is not. What is behind such a half shows that it has no other.
func (d *Decoder) character(high bool) {
	if !high {
		d.safe = len(d.text) - len(trailing(d.text[d.safe:]))
	}
	d.high = high
}

// trailing is the beginning of a character that text ends with.
func trailing(text []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return nil
			}
			return tail
		}
	}
	return nil
}

// endScalar ends a number or word before byte at.
func (d *Decoder) endScalar(at int) {
	if s := d.text[d.start:at]; !json.Valid(s) {
		d.fail("%.20q is no value", s)
		return
	}
	d.endValue(at)
}

func (d *Decoder) endValue(at int) {
	d.cut, d.begun = at, true
	if d.state = commaOrEnd; len(d.stack) == 0 {
		d.state = done
	}
}

func (d *Decoder) fail(format string, args ...any) {
	d.err = fmt.Errorf("byte %d of the JSON text: %s", len(d.text)-1, fmt.Sprintf(format, args...))
}

// ends says that a byte is behind a number or word.
func ends(b byte) bool {
	switch b {
	case ' ', '\t', '\n', '\r', ',', ':', ']', '}', '[', '{', '"':
		return true
	}
	return false
}

func isEscape(b byte) bool {
	switch b {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	}
	return false
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'f'
}
