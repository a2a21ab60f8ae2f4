package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

// normalizer changes text before it is cut into pieces.
type normalizer interface {
	// apply returns the normalised s: s itself, or a view of buf, which it
	// overwrites and returns grown.
	apply(s string, buf []byte) (string, []byte)
}

// normalForm is one of Unicode's normal forms.
type normalForm struct{ form norm.Form }

func (n normalForm) apply(s string, buf []byte) (string, []byte) {
	if n.form.IsNormalString(s) {
		return s, buf
	}
	buf = n.form.AppendString(buf[:0], s)
	return view(buf), buf
}

// mapRunes is a normalizer that replaces each character on its own.
type mapRunes struct {
	// same says that an ASCII character stays as it is.
	same [utf8.RuneSelf]bool
	// to appends what becomes of r, which is written as s.
	to func(dst []byte, r rune, s string) []byte
}

func newMapRunes(to func(dst []byte, r rune, s string) []byte) *mapRunes {
	m := &mapRunes{to: to}
	for b := range m.same {
		m.same[b] = string(to(nil, rune(b), string(rune(b)))) == string(rune(b))
	}
	return m
}

func (m *mapRunes) apply(s string, buf []byte) (string, []byte) {
	i := 0
	for i < len(s) && s[i] < utf8.RuneSelf && m.same[s[i]] {
		i++
	}
	if i == len(s) {
		return s, buf
	}
	buf = append(buf[:0], s[:i]...)
	for i < len(s) {
		if s[i] < utf8.RuneSelf && m.same[s[i]] {
			buf = append(buf, s[i])
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			buf = append(buf, s[i]) // not UTF-8: left to the model
		} else {
			buf = m.to(buf, r, s[i:i+n])
		}
		i += n
	}
	return view(buf), buf
}

// lowerCase appends the lower case of a character, in full (Unicode's
// SpecialCasing.txt has one character that becomes two).
func lowerCase(dst []byte, r rune, _ string) []byte {
	if r == 0x130 {
		return append(dst, "i\u0307"...)
	}
	return utf8.AppendRune(dst, unicode.ToLower(r))
}

// stripMarks leaves combining marks out.
func stripMarks(dst []byte, r rune, _ string) []byte {
	if unicode.Is(unicode.M, r) {
		return dst
	}
	return utf8.AppendRune(dst, r)
}

// replaceText replaces a fixed text.
type replaceText struct{ old, new string }

func (x replaceText) apply(s string, buf []byte) (string, []byte) {
	if x.old == "" || !strings.Contains(s, x.old) {
		return s, buf
	}
	buf = buf[:0]
	if len(x.old) == 1 {
		for i := range len(s) {
			if s[i] == x.old[0] {
				buf = append(buf, x.new...)
			} else {
				buf = append(buf, s[i])
			}
		}
		return view(buf), buf
	}
	for {
		before, after, found := strings.Cut(s, x.old)
		buf = append(buf, before...)
		if !found {
			return view(buf), buf
		}
		buf = append(buf, x.new...)
		s = after
	}
}

// prepend puts a text before a text that is not empty.
type prepend string

func (p prepend) apply(s string, buf []byte) (string, []byte) {
	if s == "" {
		return s, buf
	}
	buf = append(append(buf[:0], p...), s...)
	return view(buf), buf
}

// trim removes white space at the ends.
type trim struct{ left, right bool }

func (t trim) apply(s string, buf []byte) (string, []byte) {
	if t.left {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
	}
	if t.right {
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	}
	return s, buf
}

// precompiled applies a charsmap as Hugging Face tokenizers do, which differs
// from SentencePiece: a short grapheme cluster is replaced as a whole by what
// its shortest key becomes, longer ones character by character.
type precompiled struct{ m *charsmap }

// longGrapheme is the number of bytes from which a cluster is taken apart.
const longGrapheme = 6

func (p precompiled) apply(s string, buf []byte) (string, []byte) {
	buf = buf[:0]
	state := -1
	for s != "" {
		if len(s) > 1 && s[0] < utf8.RuneSelf && s[1] < utf8.RuneSelf && s[0] != '\r' && p.m.plain[s[0]] {
			buf = append(buf, s[0])
			s, state = s[1:], -1
			continue
		}
		var cluster string
		cluster, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		if len(cluster) < longGrapheme {
			if text, n := p.m.find(cluster, 0, true); n > 0 {
				buf = append(buf, text...)
				continue
			}
		}
		for cluster != "" {
			_, n := utf8.DecodeRuneInString(cluster)
			if text, found := p.m.find(cluster[:n], 0, true); found > 0 {
				buf = append(buf, text...)
			} else {
				buf = append(buf, cluster[:n]...)
			}
			cluster = cluster[n:]
		}
	}
	return view(buf), buf
}
