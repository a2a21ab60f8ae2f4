package tokenizer

import (
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// TestBERTFold compares the fold of every character with NFD, filter and lower
// case done one after the other.
func TestBERTFold(t *testing.T) {
	b := newBERTNormalizer(false, false, true, true)
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if 0xD800 <= r && r < 0xE000 || r == unicode.ReplacementChar {
			continue
		}
		want := []byte{}
		for _, part := range norm.NFD.String(string(r)) {
			if !unicode.Is(unicode.Mn, part) {
				want = lowerCase(want, part, "")
			}
		}
		if got, _ := b.apply(string(r), nil); got != string(want) {
			t.Fatalf("%U becomes %q, want %q", r, got, want)
		}
	}
}

func TestBERTNormalizer(t *testing.T) {
	for _, test := range []struct {
		clean, chinese, strip, lower bool
		text, want                   string
	}{
		{true, true, true, true, "Á\tB\x00\u200d\u00a0中文x", "a b  中  文 x"},
		{false, false, false, true, "Á中", "á中"},
		{false, false, true, false, "Á中İ", "A中I"},
		{false, true, false, false, "a中", "a 中 "},
		{true, false, false, false, "\ufffda\x7f\r", "a "},
		{true, true, true, true, "a\xffb", "a\xffb"},
	} {
		b := newBERTNormalizer(test.clean, test.chinese, test.strip, test.lower)
		if got, _ := b.apply(test.text, nil); got != test.want {
			t.Errorf("%q becomes %q, want %q", test.text, got, test.want)
		}
	}
}
