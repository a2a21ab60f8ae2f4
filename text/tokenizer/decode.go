package tokenizer

import "unicode/utf8"

// reading says how the bytes of tokens become a text, apart from being put
// together.
type reading struct {
	strip stripWhat
	// again says that the first token behind a special or early added token is
	// stripped like the first of the text: encoding put a space there.
	again bool
	// unknown is shown for the token unkID; "" where it is not shown.
	unknown string
	unkID   int32
}

// stripWhat is the part of the first tokens that encoding added.
type stripWhat uint8

const (
	stripNothing stripWhat = iota
	stripOne               // one space
	stripRun               // all spaces of the first token
	stripEach              // a space of each token until there is text
)

// apply strips a token's text at the beginning of a text and says whether the
// next token is still at the beginning.
func (w stripWhat) apply(text string) (rest string, begins bool) {
	had := text != ""
	switch w {
	case stripOne, stripEach:
		if had && text[0] == ' ' {
			text = text[1:]
		}
	case stripRun:
		for text != "" && text[0] == ' ' {
			text = text[1:]
		}
	}
	return text, !had || w == stripEach && text == ""
}

// AppendToken appends the bytes that token id stands for inside a text: none
// for a special token and for an id outside the vocabulary. Bytes of one token
// need not be whole UTF-8 characters.
func (t *Tokenizer) AppendToken(dst []byte, id int32) []byte {
	if uint(id) < uint(len(t.tokens)) {
		dst = append(dst, t.tokens[id]...)
	}
	return dst
}

// read appends the text of a token and keeps *begins, which says that no text
// came before. With special it shows special tokens.
func (t *Tokenizer) read(dst []byte, id int32, begins *bool, special bool) []byte {
	if a := t.byID[id]; a != nil && (a.Special || !a.late) {
		shown := true
		switch {
		case !a.Special:
			dst = append(dst, t.tokens[id]...)
		case special:
			dst = append(dst, a.Content...)
		case id == t.reading.unkID:
			dst = append(dst, t.reading.unknown...)
			shown = t.reading.unknown != ""
		default:
			shown = false
		}
		*begins = *begins && !shown || t.reading.again && !a.late && id != t.reading.unkID
		return dst
	}
	if uint(id) >= uint(len(t.tokens)) {
		return dst
	}
	text := t.tokens[id]
	if *begins {
		text, *begins = t.reading.strip.apply(text)
	}
	return append(dst, text...)
}

// Decode returns the text of ids. Special tokens give no text. The bytes are
// exact, Decode(Encode(s)) == s for every s, unless the vocabulary's file asks
// for normalisation or lacks characters of s.
func (t *Tokenizer) Decode(ids []int32) string { return t.decode(ids, false) }

// DecodeSpecial is Decode with special tokens shown as their content.
func (t *Tokenizer) DecodeSpecial(ids []int32) string { return t.decode(ids, true) }

func (t *Tokenizer) decode(ids []int32, special bool) string {
	out := make([]byte, 0, 4*len(ids))
	begins := true
	for _, id := range ids {
		out = t.read(out, id, &begins, special)
	}
	return string(out)
}

// Stream decodes ids one by one and never cuts a UTF-8 character in two: the
// first bytes of one are held back until the rest has come. Bytes that cannot
// become a character are passed on as they are, so that all output together
// equals Decode. The zero value is not ready; use NewStream.
type Stream struct {
	t      *Tokenizer
	held   []byte
	begins bool
}

// NewStream starts a streaming decoder at the beginning of a text.
func (t *Tokenizer) NewStream() *Stream {
	return &Stream{t: t, held: make([]byte, 0, 2*utf8.UTFMax), begins: true}
}

// NewStreamAfter starts a streaming decoder behind the text of ids, so that a
// space in front of the first token is text.
func (t *Tokenizer) NewStreamAfter(ids []int32) *Stream {
	s := t.NewStream()
	var text []byte
	for _, id := range ids {
		text = t.read(text[:0], id, &s.begins, false)
	}
	return s
}

// BlankAfter says whether a text behind ids begins with a space that encoding puts
// before every text: where no text came before, or where encoding begins anew behind
// the special token that is the last of ids.
func (t *Tokenizer) BlankAfter(ids []int32) bool {
	if s := t.NewStreamAfter(ids); !s.begins {
		return false
	}
	var text []byte
	for _, id := range t.Encode("a") {
		text = append(text, t.tokens[id]...)
	}
	return string(text) == " a"
}

// Append appends the text that id completes to dst.
func (s *Stream) Append(dst []byte, id int32) []byte {
	s.held = s.t.read(s.held, id, &s.begins, false)
	keep := incomplete(s.held)
	dst = append(dst, s.held[:len(s.held)-keep]...)
	s.held = append(s.held[:0], s.held[len(s.held)-keep:]...)
	return dst
}

// Flush appends the bytes held back to dst; call it after the last id.
func (s *Stream) Flush(dst []byte) []byte {
	dst = append(dst, s.held...)
	s.held = s.held[:0]
	return dst
}

// incomplete returns how many bytes at the end of b are the beginning of a
// UTF-8 character.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
