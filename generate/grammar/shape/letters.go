package shape

import (
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// letters is a deterministic automaton over code points: a set of strings, or the names
// of an object. Its states are called points, small numbers from 0.
type letters interface {
	// edges are the ways on from a point, apart from each other and in order of lo. No
	// surrogates are in them, and all that they lead to is live, counts aside.
	edges(point int32) []edge
}

type edge struct {
	lo, hi rune
	to     int32
}

// A speller reads the JSON spelling of a text over letters: raw characters in UTF-8 and
// all escapes. It makes the positions of such a text.
type speller struct {
	letters
	known map[letterKey]*local
	kind  kind
	ids   *ids
}

// A partial is a place within a character: bytes of it were read, count are left.
type partial struct {
	form   form
	count  uint8
	lo, hi rune // what the character may still be; in an escape, the UTF-16 unit
	high   rune // the surrogate before
}

type form uint8

const (
	whole    form = iota // between characters
	utf8Rest             // continuation bytes follow
	escape               // behind a backslash
	hex                  // hexadecimal digits follow
	lowSlash             // a surrogate was read, a backslash follows
	lowU                 // then u
	lowHex               // then digits
)

// A letterKey identifies a position of a text. Where all that the character may still
// be leads to one point, that point and the rest of the syntax are enough.
type letterKey struct {
	from, to int32
	part     partial
}

// at is the position of a text at a point, between characters.
func (s *speller) at(point int32) *local { return s.position(letterKey{from: point, to: -1}) }

func (s *speller) position(k letterKey) *local {
	l, ok := s.known[k]
	if !ok {
		l = &local{kind: s.kind, id: s.ids.next(), speller: s, point: k.from, to: k.to, part: k.part}
		s.known[k] = l
	}
	return l
}

// step reads a byte other than the closing quotation mark; dead where no character of
// the letters is spelled so.
func (s *speller) step(l *local, b byte) *local {
	if to := l.next[b>>6]; to != nil && to[b&63] != nil {
		return to[b&63]
	}
	to := s.read(l, b)
	if l.next[b>>6] == nil {
		l.next[b>>6] = new([64]*local)
	}
	l.next[b>>6][b&63] = to
	return to
}

func (s *speller) read(l *local, b byte) *local {
	switch p := l.part; p.form {
	case whole:
		switch {
		case b == '\\':
			return s.within(l, partial{form: escape, lo: 0, hi: utf8.MaxRune})
		case b < 0x20 || b == '"' || b >= 0x80 && b < 0xC2 || b > 0xF4:
			return dead
		case b < 0x80:
			return s.complete(l, rune(b))
		}
		return s.within(l, lead(b))
	case utf8Rest:
		if b&0xC0 != 0x80 {
			return dead
		}
		return s.narrowed(l, 6, rune(b&63))
	case escape:
		if b == 'u' {
			return s.within(l, partial{form: hex, count: 4, lo: 0, hi: 0xFFFF})
		}
		if r, ok := short(b); ok {
			return s.complete(l, r)
		}
	case hex, lowHex:
		if d, ok := hexDigit(b); ok {
			return s.narrowed(l, 4, d)
		}
	case lowSlash:
		if b == '\\' {
			p.form = lowU
			return s.within(l, p)
		}
	case lowU:
		if b == 'u' {
			return s.within(l, partial{form: lowHex, count: 4, lo: 0xDC00, hi: 0xDFFF, high: p.high})
		}
	}
	return dead
}

// lead is the partial behind the first byte of a character of several bytes.
func lead(b byte) partial {
	switch {
	case b < 0xE0:
		return partial{form: utf8Rest, count: 1, lo: rune(b&31) << 6, hi: rune(b&31)<<6 | 0x3F}
	case b < 0xF0:
		p := partial{form: utf8Rest, count: 2, lo: rune(b&15) << 12, hi: rune(b&15)<<12 | 0xFFF}
		p.lo = max(p.lo, 0x800)
		if b == 0xED {
			p.hi = 0xD7FF // surrogates are no characters
		}
		return p
	}
	p := partial{form: utf8Rest, count: 3, lo: rune(b&7) << 18, hi: rune(b&7)<<18 | 0x3FFFF}
	p.lo, p.hi = max(p.lo, 0x10000), min(p.hi, utf8.MaxRune)
	return p
}

// short is the character behind a backslash, u aside.
func short(b byte) (rune, bool) {
	switch b {
	case '"', '\\', '/':
		return rune(b), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

func hexDigit(b byte) (rune, bool) {
	switch {
	case b >= '0' && b <= '9':
		return rune(b - '0'), true
	case b >= 'a' && b <= 'f':
		return rune(b-'a') + 10, true
	case b >= 'A' && b <= 'F':
		return rune(b-'A') + 10, true
	}
	return 0, false
}

// narrowed reads one of the digits of a character, bits wide.
func (s *speller) narrowed(l *local, bits int, digit rune) *local {
	p := l.part
	p.count--
	width := rune(1) << (bits * int(p.count)) // of what is left
	base := p.lo &^ (width<<bits - 1)
	p.lo, p.hi = max(p.lo, base+digit*width), min(p.hi, base+digit*width+width-1)
	if p.lo > p.hi {
		return dead
	}
	if p.count > 0 {
		return s.within(l, p)
	}
	switch {
	case p.form == lowHex:
		return s.complete(l, astral(p.high, p.lo))
	case p.form == hex && p.lo >= 0xD800 && p.lo <= 0xDBFF:
		return s.within(l, partial{form: lowSlash, high: p.lo})
	case p.form == hex && p.lo >= 0xDC00 && p.lo <= 0xDFFF:
		return dead
	}
	return s.complete(l, p.lo)
}

// astral is the character of two surrogates.
func astral(high, low rune) rune { return 0x10000 + (high-0xD800)<<10 + (low - 0xDC00) }

// complete is the position behind the character r.
func (s *speller) complete(l *local, r rune) *local {
	if l.to >= 0 {
		return s.at(l.to)
	}
	for _, e := range s.edges(l.point) {
		if r >= e.lo && r <= e.hi {
			return s.at(e.to)
		}
	}
	return dead
}

// within is the position at a partial character; dead if no edge has one of the
// characters that it may become.
func (s *speller) within(l *local, p partial) *local {
	k := letterKey{from: l.point, to: l.to, part: p}
	if l.to < 0 {
		only, live := s.target(l.point, p)
		if !live {
			return dead
		}
		if s.kind != inName { // of names it matters which they are
			k.to = only
		}
	}
	if k.to >= 0 {
		if _, n := p.runes(); n == 0 {
			return dead // a lone low surrogate
		}
		k.from, k.part = 0, p.syntax()
	}
	return s.position(k)
}

// target says whether a partial character may become one that leads on, and the only
// point that all it may become lead to, or -1.
func (s *speller) target(point int32, p partial) (only int32, live bool) {
	only = -1
	covered, total := rune(0), rune(0)
	ranges, n := p.runes()
	for _, g := range ranges[:n] {
		total += g.hi - g.lo + 1
		for _, e := range s.edges(point) {
			lo, hi := max(e.lo, g.lo), min(e.hi, g.hi)
			if lo > hi {
				continue
			}
			if covered += hi - lo + 1; live && only != e.to {
				return -1, true
			}
			only, live = e.to, true
		}
	}
	if covered < total {
		only = -1
	}
	return only, live
}

// runes are the characters that a partial may become: up to three ranges.
func (p partial) runes() (ranges [3]edge, n int) {
	add := func(lo, hi rune) {
		if lo <= hi {
			ranges[n] = edge{lo: lo, hi: hi}
			n++
		}
	}
	switch p.form {
	case utf8Rest:
		if p.lo <= 0xD7FF && p.hi >= 0xE000 {
			panic("shape: a lead byte spans the surrogates")
		}
		add(p.lo, p.hi)
	case escape:
		add(0, 0xD7FF)
		add(0xE000, utf8.MaxRune)
	case hex:
		add(p.lo, min(p.hi, 0xD7FF))
		add(max(p.lo, 0xE000), p.hi)
		if lo, hi := max(p.lo, 0xD800), min(p.hi, 0xDBFF); lo <= hi {
			add(astral(lo, 0xDC00), astral(hi, 0xDFFF))
		}
	case lowSlash, lowU:
		add(astral(p.high, 0xDC00), astral(p.high, 0xDFFF))
	case lowHex:
		add(astral(p.high, p.lo), astral(p.high, p.hi))
	}
	return ranges, n
}

// syntax is a partial that has the same rests as p, one for all such; for partials of
// which every character leads to the same point.
func (p partial) syntax() partial {
	switch p.form {
	case utf8Rest:
		if p.count == 1 {
			return lead(0xC2)
		}
		if p.count == 2 && (p.lo&0xFFF == 0 || p.lo >= 0x10000) && p.hi&0xFFF == 0xFFF {
			return lead(0xE1)
		}
		if p.count == 3 && p.lo&0x3FFFF == 0 && p.hi&0x3FFFF == 0x3FFFF {
			return lead(0xF1)
		}
	case hex:
		if p.hi < 0xD800 || p.lo > 0xDFFF {
			return partial{form: hex, count: p.count, lo: 0, hi: 1<<(4*p.count) - 1}
		}
	case lowSlash, lowU:
		p.high = 0xD800
	case lowHex:
		p.high = 0xD800
		if p.count <= 2 {
			p.lo, p.hi = 0xDC00, 0xDC00+1<<(4*p.count)-1
		}
	}
	return p
}

// clipped are the edges of a language at one of its states, without surrogates.
func clipped(l *regular.Language, state int32) []edge {
	if l == nil {
		return everything
	}
	var out []edge
	for _, e := range l.Edges(state) {
		if lo, hi := e.Lo, min(e.Hi, 0xD7FF); lo <= hi {
			out = append(out, edge{lo, hi, e.To})
		}
		if lo, hi := max(e.Lo, 0xE000), e.Hi; lo <= hi {
			out = append(out, edge{lo, hi, e.To})
		}
	}
	if len(out) == 0 && !l.Accepting(state) {
		// A language past its limits knows its shortest rest only.
		if r, size := utf8.DecodeRuneInString(l.Shortest(state)); size > 0 {
			out = append(out, edge{r, r, l.Next(state, r)})
		}
	}
	return out
}

// everything is the edges of the language of all strings.
var everything = []edge{{0, 0xD7FF, 0}, {0xE000, utf8.MaxRune, 0}}

// spelledRune is the character of a spelling, whose bytes are given from the last to
// the first.
func spelledRune(backwards []byte) rune {
	n := len(backwards)
	at := func(i int) byte { return backwards[n-1-i] }
	digits := func(from int) (r rune) {
		for i := from; i < from+4; i++ {
			d, _ := hexDigit(at(i))
			r = r<<4 | d
		}
		return r
	}
	switch {
	case n == 1:
		return rune(at(0))
	case at(0) != '\\':
		var raw [utf8.UTFMax]byte
		for i := range n {
			raw[i] = at(i)
		}
		r, _ := utf8.DecodeRune(raw[:n])
		return r
	case n == 2:
		r, _ := short(at(1))
		return r
	case n == 6:
		return digits(2)
	}
	return astral(digits(2), digits(8))
}
