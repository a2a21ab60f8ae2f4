package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// pieceNormalizer is SentencePiece's normalisation (google/sentencepiece,
// normalizer.cc): the charsmap, the rules about white space, a space before the
// text, and U+2581 for spaces. User-defined symbols stay as they are.
//
// It differs in one thing: bytes that are not UTF-8 stay, so that byte tokens
// can keep them; SentencePiece replaces each by U+FFFD. Where there are no byte
// tokens, replace is set and it does the same.
type pieceNormalizer struct {
	charsmap    *charsmap // nil for none
	protect     *trie     // user-defined symbols; nil for none
	dummyPrefix bool      // a space before (suffix: after) the text
	suffix      bool
	squeeze     bool // spaces at the ends go, runs become one
	escape      bool // spaces become U+2581
	replace     bool
}

func (p *pieceNormalizer) apply(s string, buf []byte) (string, []byte) {
	buf = buf[:0]
	if p.charsmap == nil && p.protect == nil && !p.squeeze && !p.replace {
		return p.plain(s, buf)
	}
	space := " "
	if p.escape {
		space = metaspace
	}
	if p.squeeze {
		for s != "" {
			text, n := p.prefix(s, 0)
			if text != " " {
				break
			}
			s = s[n:]
		}
	}
	if s == "" {
		return "", buf
	}
	if p.dummyPrefix && !p.suffix {
		buf = append(buf, space...)
	}
	wasSpace := p.squeeze
	for i := 0; i < len(s); {
		if b := s[i]; b > ' ' && b < utf8.RuneSelf && p.protect == nil && p.isPlain(s, i) {
			buf = append(buf, b)
			wasSpace = false
			i++
			continue
		}
		text, n := p.prefix(s, i)
		i += n
		for wasSpace && text != "" && text[0] == ' ' {
			text = text[1:]
		}
		if text == "" {
			continue
		}
		for k := range len(text) {
			if text[k] == ' ' {
				buf = append(buf, space...)
			} else {
				buf = append(buf, text[k])
			}
		}
		wasSpace = p.squeeze && text[len(text)-1] == ' '
	}
	if p.squeeze {
		for strings.HasSuffix(view(buf), space) {
			buf = buf[:len(buf)-len(space)]
		}
	}
	if p.dummyPrefix && p.suffix {
		buf = append(buf, space...)
	}
	return view(buf), buf
}

// plain is apply where only spaces change.
func (p *pieceNormalizer) plain(s string, buf []byte) (string, []byte) {
	if s == "" {
		return s, buf
	}
	if !p.escape {
		if !p.dummyPrefix {
			return s, buf
		}
		if p.suffix {
			buf = append(append(buf, s...), ' ')
		} else {
			buf = append(append(buf, ' '), s...)
		}
		return view(buf), buf
	}
	if p.dummyPrefix && !p.suffix {
		buf = append(buf, metaspace...)
	}
	for i := range len(s) {
		if s[i] == ' ' {
			buf = append(buf, metaspace...)
		} else {
			buf = append(buf, s[i])
		}
	}
	if p.dummyPrefix && p.suffix {
		buf = append(buf, metaspace...)
	}
	return view(buf), buf
}

// isPlain says that the ASCII character at s[i] and what follows it are not
// touched by the charsmap.
func (p *pieceNormalizer) isPlain(s string, i int) bool {
	return p.charsmap == nil || p.charsmap.plain[s[i]] && (i+1 == len(s) || s[i+1] < utf8.RuneSelf)
}

// prefix returns what the text at s[i] becomes, and how much of it that is.
func (p *pieceNormalizer) prefix(s string, i int) (text string, n int) {
	if p.protect != nil {
		if n, _ := p.protect.longest(s, i); n > 0 {
			return s[i : i+n], n
		}
	}
	if p.charsmap != nil {
		if text, n := p.charsmap.find(s, i, false); n > 0 {
			return text, n
		}
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && n == 1 && p.replace {
		return "\ufffd", 1
	}
	return s[i : i+n], n
}
