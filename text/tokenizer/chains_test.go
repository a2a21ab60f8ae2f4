package tokenizer

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/internal/rng"
)

// plainPieces cuts s with each expression in turn on the slow engine: the
// oracle of chains.
func plainPieces(t testing.TB, regexes []string, s string) []string {
	pieces := []string{s}
	for _, regex := range regexes {
		e, err := newExpression(regex, isolated, false)
		if err != nil {
			t.Fatal(err)
		}
		var next []string
		for _, piece := range pieces {
			next = append(next, cutAll(e, piece)...)
		}
		pieces = next
	}
	return pieces
}

func cutAll(c cutter, s string) (pieces []string) {
	if e, ok := c.(*expression); ok {
		c = e.on(s)
	}
	for i := 0; i < len(s); {
		from, to := c.piece(s, i)
		if from < to {
			pieces = append(pieces, s[from:to])
		}
		i = to
	}
	return pieces
}

func stepPieces(steps []step, s string) []string {
	pieces := []string{s}
	for _, st := range steps {
		var next []string
		for _, piece := range pieces {
			next = append(next, cutAll(st.cut, piece)...)
		}
		pieces = next
	}
	return pieces
}

// TestChainsEqualRegex compares each chain with its expressions on the slow
// engine, for valid UTF-8: the engine reads no other.
func TestChainsEqualRegex(t *testing.T) {
	if testing.Short() {
		t.Skip("long texts")
	}
	letters := append(slices.Clone(alphabetOfSplits), "\u3042", "\uac00", "\u0800", "\uff01", "\u2018", "$", "<", "`", "^", "|", "~", "9", "0", "Z", "\u0416", "\u1e9e", "(", ",", "\u060c", "    ", "<sentinel:1>", "IMGIMGABZ")
	letters = slices.DeleteFunc(letters, func(s string) bool { return !utf8.ValidString(s) })
	for _, c := range chained {
		steps := mustSteps(c.regexes)
		for round := range uint64(400) {
			var b strings.Builder
			for i := range 1 + rng.Uint64(3, round, 0)%14 {
				b.WriteString(letters[rng.Intn(4, round, i, len(letters))])
			}
			s := b.String()
			if got, want := stepPieces(steps, s), plainPieces(t, c.regexes, s); !slices.Equal(got, want) {
				t.Errorf("%s: %q is cut into\n%q, want\n%q", c.names[0], s, got, want)
				break
			}
		}
	}
}

// TestChainsHaveScanners names the chains that may need the slow engine.
func TestChainsHaveScanners(t *testing.T) {
	slow := []string{"minicpm5", "jais-2", "exaone-moe", "tiny_aya", "superbpe", "chameleon", "laguna"}
	for _, c := range chained {
		needs := false
		for _, st := range mustSteps(c.regexes) {
			_, isSlow := st.cut.(*expression)
			needs = needs || isSlow
		}
		if needs != slices.Contains(slow, c.names[0]) {
			t.Errorf("%s: slow engine %v", c.names[0], needs)
		}
	}
}

// TestChainsAreLinear runs the chains of scanners over texts that make a
// backtracking engine quadratic.
func TestChainsAreLinear(t *testing.T) {
	const size = 1 << 16
	for _, c := range chained[:6] {
		for _, unit := range []string{" ", " \n", "a", "1", "!", "\u4e00", " a", "\x00", "\x00 "} {
			s := strings.Repeat(unit, size/len(unit))
			start := time.Now()
			stepPieces(mustSteps(c.regexes), s)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%s: 64 KiB of %q took %v", c.names[0], unit, took)
			}
		}
	}
}

// TestRunsEqualRegexp compares runs with Go's own engine.
func TestRunsEqualRegexp(t *testing.T) {
	for _, regex := range []string{`\p{N}{1,3}`, `[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, ` ?[^\s,]+`, `\p{N}`, `[a-c\-x\]]+`, `\s+$`, `[0-9]+`} {
		r, ok := parseRuns(regex)
		if !ok {
			t.Errorf("%s: no runs", regex)
			continue
		}
		re := regexp.MustCompile(strings.ReplaceAll(regex, `\s`, `[\s\v\x{85}\p{Z}]`))
		if strings.Contains(regex, "[^") {
			re = regexp.MustCompile(` ?[^\s\v\x{85}\p{Z},]+`)
		}
		for round := range uint64(2000) {
			var b strings.Builder
			for i := range 1 + rng.Uint64(5, round, 0)%10 {
				b.WriteString([]string{" ", "a", "b", "x", "-", "]", ",", ".", "1", "\n", "\u3000", "é", "\u0301", "½", "\r"}[rng.Intn(6, round, i, 15)])
			}
			s := b.String()
			from, to := newRuns(r).find(s, 0)
			want := re.FindStringIndex(s)
			if want == nil && from != to || want != nil && (from != want[0] || to != want[1]) {
				t.Errorf("%s on %q: [%d, %d), want %v", regex, s, from, to, want)
				break
			}
		}
	}
	for _, regex := range []string{`a|b`, `(a)`, `.`, `\d+`, `a*`, `\w+`, `a+b`, `ab`, `^a`, `[a-z&&[b]]+`, `\p{Lu}+`, ``, `a{2}`, `[a`, `\`} {
		if _, ok := parseRuns(regex); ok {
			t.Errorf("%q is taken for runs", regex)
		}
	}
}

// TestBehaviors follows the examples in the documentation of Hugging Face
// tokenizers.
func TestBehaviors(t *testing.T) {
	for b, want := range map[behavior][]string{
		removed:            {"The", "final", "countdown"},
		isolated:           {"The", "-", "final", "-", "-", "countdown"},
		mergedWithPrevious: {"The-", "final-", "-", "countdown"},
		mergedWithNext:     {"The", "-final", "-", "-countdown"},
		contiguous:         {"The", "-", "final", "--", "countdown"},
	} {
		if got := cutAll(cutAt{literal("-"), b}, "The-final--countdown"); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", b, got, want)
		}
		slow, err := newExpression("(?:-)", b, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := cutAll(slow, "The-final--countdown"); !slices.Equal(got, want) {
			t.Errorf("slow %s: %q, want %q", b, got, want)
		}
	}
	if got, want := cutAll(onlyMatches{literal("-")}, "a-b--"), []string{"-", "-", "-"}; !slices.Equal(got, want) {
		t.Errorf("inverted: %q, want %q", got, want)
	}
}
