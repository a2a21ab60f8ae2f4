package tokenizer

import "unicode/utf8"

// AppendToken appends the bytes that token id stands for: none for a special
// token and for an id outside the vocabulary. Bytes of one token need not be
// whole UTF-8 characters.
func (t *Tokenizer) AppendToken(dst []byte, id int32) []byte {
	if uint(id) < uint(len(t.tokens)) {
		dst = append(dst, t.tokens[id]...)
	}
	return dst
}

// Decode returns the text of ids. Special tokens give no text. The bytes are
// exact: Decode(Encode(s)) == s for every s, unless the vocabulary's file asks
// for Unicode normalisation or a leading space.
func (t *Tokenizer) Decode(ids []int32) string {
	out := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		out = t.AppendToken(out, id)
	}
	return string(out)
}

// DecodeSpecial is Decode with special tokens shown as their content.
func (t *Tokenizer) DecodeSpecial(ids []int32) string {
	out := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		if content, ok := t.Special(id); ok {
			out = append(out, content...)
			continue
		}
		out = t.AppendToken(out, id)
	}
	return string(out)
}

// Stream decodes ids one by one and never cuts a UTF-8 character in two: the
// first bytes of one are held back until the rest has come. Bytes that cannot
// become a character are passed on as they are, so that all output together
// equals Decode. The zero value is not ready; use NewStream.
type Stream struct {
	t    *Tokenizer
	held []byte
}

// NewStream starts a streaming decoder.
func (t *Tokenizer) NewStream() *Stream {
	return &Stream{t: t, held: make([]byte, 0, 2*utf8.UTFMax)}
}

// Append appends the text that id completes to dst.
func (s *Stream) Append(dst []byte, id int32) []byte {
	s.held = s.t.AppendToken(s.held, id)
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
