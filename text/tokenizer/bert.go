package tokenizer

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// bertNormalizer cleans text as BERT does (google-research/bert,
// tokenization.py, BasicTokenizer): white space becomes spaces, control
// characters go, Chinese characters get spaces around them, then accents and
// case are removed.
type bertNormalizer struct {
	clean, chinese, strip, lowercase bool
	runes                            *mapRunes
}

func newBERTNormalizer(clean, chinese, strip, lowercase bool) *bertNormalizer {
	b := &bertNormalizer{clean: clean, chinese: chinese, strip: strip, lowercase: lowercase}
	b.runes = newMapRunes(b.rune)
	return b
}

func (b *bertNormalizer) apply(s string, buf []byte) (string, []byte) { return b.runes.apply(s, buf) }

func (b *bertNormalizer) rune(dst []byte, r rune, s string) []byte {
	if b.clean {
		switch {
		case unicode.IsSpace(r):
			return append(dst, ' ')
		case r == 0 || r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
			return dst
		}
	}
	if b.chinese && isChinese(r) {
		dst = append(dst, ' ')
		return append(b.fold(dst, r, s), ' ')
	}
	return b.fold(dst, r, s)
}

// fold removes accents and case. Canonical order does not matter, since what
// it orders is removed.
func (b *bertNormalizer) fold(dst []byte, r rune, s string) []byte {
	if !b.strip || r < utf8.RuneSelf {
		return b.lower(dst, r)
	}
	if hangulFirst <= r && r <= hangulLast {
		return appendJamo(dst, r-hangulFirst)
	}
	parts := norm.NFD.PropertiesString(s).Decomposition()
	if parts == nil {
		if unicode.Is(unicode.Mn, r) {
			return dst
		}
		return b.lower(dst, r)
	}
	for len(parts) > 0 {
		part, n := utf8.DecodeRune(parts)
		parts = parts[n:]
		if !unicode.Is(unicode.Mn, part) {
			dst = b.lower(dst, part)
		}
	}
	return dst
}

// The Hangul syllables, whose decomposition is computed (The Unicode Standard,
// section 3.12).
const (
	hangulFirst, hangulLast = 0xAC00, 0xD7A3
	jamoV, jamoT            = 21, 28 // numbers of vowels, and of ends with none
)

// appendJamo appends the letters of syllable n.
func appendJamo(dst []byte, n rune) []byte {
	dst = utf8.AppendRune(dst, 0x1100+n/(jamoV*jamoT))
	dst = utf8.AppendRune(dst, 0x1161+n%(jamoV*jamoT)/jamoT)
	if end := n % jamoT; end > 0 {
		dst = utf8.AppendRune(dst, 0x11A7+end)
	}
	return dst
}

func (b *bertNormalizer) lower(dst []byte, r rune) []byte {
	if b.lowercase {
		return lowerCase(dst, r, "")
	}
	return utf8.AppendRune(dst, r)
}

// isChinese says whether r is in a block of CJK ideographs, with the blocks of
// Hugging Face tokenizers (the fifth begins 0x100 later than BERT's).
func isChinese(r rune) bool {
	switch {
	case 0x4E00 <= r && r <= 0x9FFF, 0x3400 <= r && r <= 0x4DBF, 0xF900 <= r && r <= 0xFAFF,
		0x20000 <= r && r <= 0x2A6DF, 0x2A700 <= r && r <= 0x2B73F, 0x2B740 <= r && r <= 0x2B81F,
		0x2B920 <= r && r <= 0x2CEAF, 0x2F800 <= r && r <= 0x2FA1F:
		return true
	}
	return false
}
