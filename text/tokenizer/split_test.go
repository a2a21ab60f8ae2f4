package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/internal/rng"
)

// splitCase is an expression with the scanner for it.
type splitCase struct {
	name  string
	regex node
	split splitter
	// digits says that each number is cut out before the expression runs.
	digits bool
}

func splitCases() (all []splitCase) {
	for _, p := range patterns {
		split := p.splitter
		split.classes = classes()
		for _, regex := range p.regexes {
			all = append(all, splitCase{p.name, compile(regex), split, false})
		}
		if p.name == "starcoder" {
			all = append(all, splitCase{p.name, compile(regexGPT2), split, true})
		}
	}
	return all
}

func (c *splitCase) want(s string) (pieces []string) {
	if !c.digits {
		return oracleSplit(c.regex, s)
	}
	for s != "" {
		n := 0
		for n < len(s) {
			class, w := classes().at(s, n)
			if class&number != 0 {
				break
			}
			n += w
		}
		pieces = append(pieces, oracleSplit(c.regex, s[:n])...)
		if s = s[n:]; s != "" {
			_, w := utf8.DecodeRuneInString(s)
			pieces = append(pieces, s[:w])
			s = s[w:]
		}
	}
	return pieces
}

func (c *splitCase) got(s string) (pieces []string) {
	for i := 0; i < len(s); {
		end := c.split.next(s, i)
		pieces = append(pieces, s[i:end])
		i = end
	}
	return pieces
}

func (c *splitCase) check(t *testing.T, s string) {
	t.Helper()
	if got, want := c.got(s), c.want(s); !slices.Equal(got, want) {
		t.Errorf("%s: %q is cut into\n%q, want\n%q", c.name, s, got, want)
	}
}

// alphabetOfSplits has every class of character and those that the patterns
// name.
var alphabetOfSplits = []string{
	" ", " ", " ", "\n", "\r", "\t", "\u00a0", "\u3000", "\u0085", // space
	"a", "B", "s", "S", "t", "re", "LL", "ll", "ve", "d", "m", "'", "'", "'", "\u017f", "é", "É", "ǅ", "ʰ", "ª", "中", "ا", "ß", // letters
	"\u0301", "\u20dd", "\u093e", // marks
	"1", "2", "½", "٣", "Ⅷ", "𝟘", // numbers
	"!", "/", "_", "😀", "\u200d", "\x00", "€", "\ufffd", // other
	"\xff", "\xc3", "\xe4\xb8", "\x80", // not UTF-8
}

func TestSplitEqualsRegex(t *testing.T) {
	if testing.Short() {
		t.Skip("long texts")
	}
	cases := splitCases()
	fixed := []string{
		"", " ", "  ", "   ", "\n", "\n\n", " \n", "\n ", " \n \n x", "a  b", "a \t b", "  x", "x  ", "\r\n\r\n  x", "\n  \n",
		"I've YOU'LL don't 'tis '' 's", "it's, it'S, it'\u017f it'x 'rE 'vex 'l", " 's", "x'll'll", "12345 1234567", " 123", "a1b2", "½½½½",
		"foo(bar);\n\n\tbaz // x\r\n", "a/b///\n/c", "A\u0301B c", "\u0301\u0301A", "!\u0301AB", "中A中AB中", "ABCdefGHI'sJ", "ǅa ʰB ªC",
		"\u00a0\u00a0x", "x\u2028y", "\xff\xfe a\xffb", " \xff", "\xe4\xb8", "café 中文字 naïve", "\t\tif x {\n\t\t\treturn\n\t\t}\n",
	}
	for i := range cases {
		for _, s := range fixed {
			cases[i].check(t, s)
		}
	}
	const rounds = 6000
	for round := range uint64(rounds) {
		var b strings.Builder
		for i := range 1 + rng.Uint64(1, round, 0)%12 {
			b.WriteString(alphabetOfSplits[rng.Intn(2, round, i, len(alphabetOfSplits))])
		}
		for i := range cases {
			cases[i].check(t, b.String())
		}
		if t.Failed() {
			return
		}
	}
}

// TestClasses compares the table with the oracle's classes for every character
// by way of one expression a class.
func TestClasses(t *testing.T) {
	bits := map[string]uint16{
		`\p{L}`: letter, `\p{N}`: number, `\s`: space, `[^\s\p{L}\p{N}]`: other, `[\r\n]`: newline,
		`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`: upper, `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`: lower, `\p{M}`: mark, `[\p{P}\p{S}]`: sign, `\p{P}`: punct,
	}
	for regex, bit := range bits {
		in := (&regexParser{src: regex}).class()
		for r := rune(0); r <= utf8.MaxRune; r++ {
			if !utf8.ValidRune(r) {
				continue
			}
			if class, n := classes().at(string(r), 0); class&bit != 0 != in(r) || n != utf8.RuneLen(r) {
				t.Fatalf("%s: class of %U = %#x, length %d", regex, r, class, n)
			}
		}
	}
}

// TestSplitIsLinear runs each scanner over texts that make a backtracking
// engine quadratic.
func TestSplitIsLinear(t *testing.T) {
	const size = 1 << 20
	cases := splitCases()
	for _, unit := range []string{" ", "\n", " \n", "a", "A", "aA", "中A", "1", "!", "!\n", "'", "\u0301", "A\u0301", "\t\t\t\t ", "\u3000", "\xe4"} {
		s := strings.Repeat(unit, size/len(unit))
		for i := range cases {
			start, end := time.Now(), 0
			for end < len(s) {
				end = cases[i].split.next(s, end)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("%s: 1 MiB of %q took %v", cases[i].name, unit, took)
			}
		}
	}
}

func TestPartsKeepPieces(t *testing.T) {
	text := strings.Repeat("It's a test,  of  12 parts\n\n\tfunc x() { return a b }\nnaïve 中文 a c\n", 40)
	for i := range patterns {
		p := &patterns[i]
		if p.splitter.rule == splitWhole {
			continue
		}
		c := splitCase{split: p.splitter}
		c.split.classes = classes()
		want := c.got(text)
		for _, size := range []int{1, 7, 50, 333} {
			var got []string
			n := 0
			for part := range parts(text, size) {
				got = append(got, c.got(part)...)
				n++
			}
			if n < 2 || !slices.Equal(got, want) {
				t.Errorf("%s: pieces of %d parts of %d bytes differ from those of the text", p.name, n, size)
			}
		}
	}
}
