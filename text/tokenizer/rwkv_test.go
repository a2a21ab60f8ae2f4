package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

func TestRWKV(t *testing.T) {
	tok := must(t)(LoadRWKV(file(t, []byte("1 'a' 1\n2 \"it's\" 4\n3 b'\\xff\\x00' 2\n4 '\\n\\'' 2\n5 '数え' 6\n6 '\\u6570' 3\n7 b'\\xe6' 1\n"))))
	if got, want := tok.Encode("ait's\xff\x00\n'数え数\xe6"), []int32{1, 2, 3, 4, 5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("Encode = %v, want %v", got, want)
	}
	if got := tok.Encode("xa"); !slices.Equal(got, []int32{1}) { // no token begins with x
		t.Errorf("Encode = %v, want [1]", got)
	}
	if got, ok := tok.SpecialID("<|endoftext|>"); !ok || got != 0 {
		t.Errorf("SpecialID = %d, %v, want 0", got, ok)
	}
	for _, test := range []struct{ text, want string }{
		{"", "no tokens"}, {"1 'a'\n", "line 1"}, {"x 'a' 1\n", "line 1: id"}, {"1 'a' x\n", "line 1: length"}, {"1 'a' 2\n", "the line says 2"},
		{"1 a 1\n", "not a literal"}, {"1 'a 1\n", "not a literal"}, {"1 '\\x4' 1\n", "not a literal"}, {"1 '\\q' 1\n", "not a literal"},
		{"1 b'\\u0041' 1\n", "not a literal"}, {"1 'a' 1\n1 'b' 1\n", "ids must differ"}, {"1 'a' 1\n2 'a' 1\n", "same bytes"},
		{"999999999 'a' 1\n", "far above"}, {"1 '' 0\n", "the line says 0"},
	} {
		path := file(t, []byte(test.text))
		if _, err := LoadRWKV(path); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error = %v, want one that names the file and %q", test.text, err, test.want)
		}
	}
}

func FuzzParseRWKV(f *testing.F) {
	f.Add("1 'a' 1\n2 \"it's\" 4\n3 b'\\xff\\x00' 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := parseRWKV(text)
		if err != nil {
			return
		}
		for id, token := range tok.tokens {
			if token == "" {
				continue
			}
			if got := tok.Encode(token); !slices.Equal(got, []int32{int32(id)}) {
				t.Errorf("Encode(%q) = %v, want its id %d", token, got, id)
			}
		}
	})
}
