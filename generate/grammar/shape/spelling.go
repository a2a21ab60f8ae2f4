package shape

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// beginnings are the characters at which spellings change their length, with a letter
// and a digit before all, for their looks.
var beginnings = []rune{'a', '0', ' ', '!', '#', ']', '"', '\\', '/', '\n', '\t', '\r', '\b', '\f', 0x7F, 0x80, 0x800, 0xE000, 0x10000}

// cheapClasses is a number of characters that includes one of each length.
const cheapClasses = 32

// cheapRunes are characters from lo to hi, up to a number of them, cheapest spellings
// first; of each length of a spelling in any form of a character there is one among
// the first cheapClasses.
func cheapRunes(lo, hi rune, most int) []rune {
	if lo > hi {
		return nil
	}
	var out []rune
	for _, r := range beginnings {
		if r >= lo && r <= hi {
			out = append(out, r)
		}
	}
	if !slices.Contains(out, lo) {
		out = append(out, lo)
	}
	for r := lo; r <= hi && len(out) < most; r++ {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b rune) int { return int(spelledSize(a) - spelledSize(b)) })
	return out[:min(most, len(out))]
}

// spelledOne is the shortest spelling of a character.
func spelledOne(r rune) string {
	switch {
	case r == '"' || r == '\\':
		return `\` + string(r)
	case r >= 0x20:
		return string(r)
	}
	return `\` + escaped(r)
}

// escaped is the shortest spelling of a character behind a backslash.
func escaped(r rune) string {
	switch r {
	case '"', '\\', '/':
		return string(r)
	case '\b':
		return "b"
	case '\f':
		return "f"
	case '\n':
		return "n"
	case '\r':
		return "r"
	case '\t':
		return "t"
	}
	return units(r)[1:]
}

// units is the spelling of a character by its UTF-16 units.
func units(r rune) string {
	if r < 0x10000 {
		return fmt.Sprintf(`\u%04x`, r)
	}
	r -= 0x10000
	return fmt.Sprintf(`\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
}

// spelled is the shortest spelling of a text, without quotation marks.
func spelled(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteString(spelledOne(r))
	}
	return b.String()
}

// spelledLen is the length of spelled.
func spelledLen(text string) (n int32) {
	for _, r := range text {
		n += spelledSize(r)
	}
	return n
}

// spelledSize is the length of spelledOne.
func spelledSize(r rune) int32 {
	switch {
	case r == '"' || r == '\\' || r == '\b' || r == '\f' || r == '\n' || r == '\r' || r == '\t':
		return 2
	case r < 0x20:
		return 6
	case r < utf8.RuneSelf:
		return 1
	}
	return int32(len(utf8.AppendRune(nil, r)))
}

// rest is the shortest spelling of what is left of the character r.
func (p partial) rest(r rune) string {
	last := func(text string) string { return text[len(text)-int(p.count):] }
	switch p.form {
	case utf8Rest:
		return last(string(r))
	case escape:
		return escaped(r)
	case hex:
		return units(r)[6-int(p.count):]
	case lowSlash:
		return units(r)[6:]
	case lowU:
		return units(r)[7:]
	case lowHex:
		return last(units(r))
	}
	return spelledOne(r)
}

// ended is the spelling of a text whose first character is the partial one; false if
// it cannot be.
func (p partial) ended(text string) (string, bool) {
	if p.form == whole {
		return spelled(text), true
	}
	r, size := utf8.DecodeRuneInString(text)
	ranges, n := p.runes()
	in := func(g edge) bool { return r >= g.lo && r <= g.hi }
	if size == 0 || !slices.ContainsFunc(ranges[:n], in) {
		return "", false
	}
	return p.rest(r) + spelled(text[size:]), true
}

// endedLen is the length of ended.
func (p partial) endedLen(text string) (int32, bool) {
	if p.form == whole {
		return spelledLen(text), true
	}
	ended, ok := p.ended(text)
	return int32(len(ended)), ok
}
