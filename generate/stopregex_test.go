package generate

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/internal/rng"
)

// chunks pushes text in pieces of n bytes and returns what was shown.
func chunks(h *holdback, text string, n int) (shown string, by stopped) {
	for len(text) > 0 && by.why == "" {
		n := min(n, len(text))
		var s string
		s, by = h.push([]byte(text[:n]))
		shown += s
		text = text[n:]
	}
	if by.why == "" {
		shown += h.flush()
	}
	return shown, by
}

func holding(t *testing.T, pattern string, stops ...string) *holdback {
	t.Helper()
	f, err := newFinder(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return &holdback{stops: stops, find: f}
}

func TestStopRegex(t *testing.T) {
	for _, c := range []struct {
		pattern, in, want, match string
		stops                    []string
	}{
		{`\n\n`, "a\nb\n\nc", "a\nb", "\n\n", nil},
		{`[.!?]\s`, "Yes. No! ", "Yes", ". ", nil},
		{`\d{3,}`, "1 22 333 4444", "1 22 ", "333", nil},
		{`(?i)the end`, "so THE END.", "so ", "THE END", nil},
		{`a.*b`, "xaybzb", "x", "ayb", nil}, // ends first
		{`abcd|bc`, "abcd", "a", "bc", nil}, // ends first, though it began later
		{`漢+字`, "aé漢漢字z", "aé", "漢漢字", nil},
		{`^ab`, "abab", "", "ab", nil},
		{`^ab`, "xab", "xab", "", nil},
		{`(?m)^ab`, "x\nab", "x\n", "ab", nil},
		{`(?m)ab$`, "abc ab\nd", "abc ", "ab", nil},
		{`(?m)ab$`, "abc ab", "abc ab", "", nil}, // the line may go on
		{`\bcat\b`, "concat cats cat.", "concat cats ", "cat", nil},
		{`\Bcat`, "cat concat", "cat con", "cat", nil},
		{`b`, "a\xff\xfeb", "a\xff\xfe", "b", nil},
		{`\x{FFFD}`, "a\xffb", "a", "\xff", nil},
		{`x*y`, "axxz", "axxz", "", nil},
		{`bc`, "abcd", "a", "bc", []string{"cd"}},
		{`cd`, "abcd", "a", "bc", []string{"bc"}},
	} {
		for n := range 8 {
			h := holding(t, c.pattern, c.stops...)
			shown, by := chunks(h, c.in, n+1)
			if shown != c.want || by.text != c.match || (by.why == "") != (c.match == "") {
				t.Errorf("%q in %q by %d bytes: %q, stopped by %q; want %q, %q", c.pattern, c.in, n+1, shown, by.text, c.want, c.match)
			}
		}
	}
}

// TestStopRegexAgreesWithGo compares with regexp on random texts: the match that
// ends first, the longest of these.
func TestStopRegexAgreesWithGo(t *testing.T) {
	for p, pattern := range []string{`ab`, `a+b`, `(ab|ba)c`, `a[^b]b`, `(a|b)*c{2}`, `a.c`, `é?b`, `(aa|a)bb?c`, `a{2,3}é`} {
		whole := regexp.MustCompile(`\A(?:` + pattern + `)\z`)
		for seed := range 60 {
			var text strings.Builder
			for i := range 12 {
				text.WriteString([]string{"a", "b", "c", "é"}[rng.Intn(uint64(seed), uint64(p), uint64(i), 4)])
			}
			x := text.String()
			cut, match := len(x), ""
			for end := 1; end <= len(x) && match == ""; end++ {
				for start := range end {
					if utf8.ValidString(x[start:end]) && whole.MatchString(x[start:end]) {
						cut, match = start, x[start:end]
						break
					}
				}
			}
			for _, n := range []int{1, 2, 5, 100} {
				if shown, by := chunks(holding(t, pattern), x, n); shown != x[:cut] || by.text != match {
					t.Fatalf("%q in %q by %d bytes: %q, %q; want %q, %q", pattern, x, n, shown, by.text, x[:cut], match)
				}
			}
		}
	}
}

// TestStopRegexIsBounded holds back what may become a match, but not for ever,
// and finds matches of up to the length that is promised.
func TestStopRegexIsBounded(t *testing.T) {
	h := holding(t, `a.*b`)
	long := strings.Repeat("é", 3*longestMatch)
	most := 0
	for _, c := range []byte("a" + long + "a" + long[:longestMatch-10]) {
		h.push([]byte{c})
		most = max(most, len(h.pending))
	}
	if most > 2*longestMatch+utf8.UTFMax {
		t.Errorf("%d bytes held back", most)
	}
	if most < longestMatch {
		t.Errorf("at most %d bytes held back: what begins with a may be a match", most)
	}
	if _, by := h.push([]byte("b")); by.why == "" || len(by.text) < longestMatch-10 {
		t.Errorf("no match of %d bytes after a false start", longestMatch)
	}
	for pattern, want := range map[string]string{
		`(`:                       "missing closing",
		`a*`:                      "matches the empty text",
		`end\z`:                   "end of the text",
		`end$`:                    "end of the text",
		`(abcdefgh){999}`:         "repeat less",
		`(a{1000}){1000}`:         "invalid repeat count",
		strings.Repeat("a", 1001): "at most 1000",
		`(?=a)b`:                  "invalid",
	} {
		if _, err := newFinder(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", pattern, err, want)
		}
	}
}

func FuzzStopRegex(f *testing.F) {
	f.Add(`a.*b`, "xaab")
	f.Add(`(?m)^a$|\bb`, "a\n\xff b")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		find, err := newFinder(pattern)
		if err != nil {
			return
		}
		whole, by := chunks(&holdback{find: find}, text, len(text)+1)
		find, _ = newFinder(pattern)
		bytes, by1 := chunks(&holdback{find: find}, text, 1)
		if whole != bytes || by != by1 {
			t.Fatalf("%q in %q: whole %q %v, by bytes %q %v", pattern, text, whole, by, bytes, by1)
		}
		if !strings.HasPrefix(text, whole+by.text) || by.why == "" && whole != text {
			t.Fatalf("%q in %q: %q before %q", pattern, text, whole, by.text)
		}
	})
}

func BenchmarkStopRegex(b *testing.B) {
	for _, pattern := range []string{`\n\n`, `(?i)\b(the end|fin|conclusion)\b`} {
		b.Run(fmt.Sprintf("%.8q", pattern), func(b *testing.B) {
			f, err := newFinder(pattern)
			if err != nil {
				b.Fatal(err)
			}
			h := holdback{find: f}
			token := []byte("word ")
			b.SetBytes(int64(len(token)))
			for b.Loop() {
				h.push(token)
			}
		})
	}
}
