package regular

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// patterns draws patterns of RE2's syntax over few characters.
func patterns(depth int, asserts bool) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := 8
		if depth == 0 {
			n = 3
		}
		sub := func() string { return patterns(depth-1, asserts).Draw(t, "part") }
		switch k := rapid.IntRange(0, n).Draw(t, "kind"); k {
		case 0, 1:
			return rapid.SampledFrom([]string{"a", "b", "c", "é", " ", "\\n", ".", "(?s:.)", "[ab]", "[^a]", "\\w", "\\W", "\\s", "[^\\d\\s]", "(?i:B)", "[[:alpha:]]", "[a-]"}).Draw(t, "class")
		case 2:
			return ""
		case 3:
			if asserts {
				return rapid.SampledFrom([]string{"^", "$", "\\b", "\\B", "(?m:^)", "(?m:$)"}).Draw(t, "assertion")
			}
			return "ab"
		case 4, 5:
			return sub() + sub()
		case 6:
			return "(?:" + sub() + "|" + sub() + ")"
		default:
			inner := sub()
			if depth > 1 {
				inner = patterns(depth-1, false).Draw(t, "part")
			}
			return "(" + inner + ")" + rapid.SampledFrom([]string{"*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}"}).Draw(t, "quantifier")
		}
	})
}

var texts = rapid.StringOfN(rapid.SampledFrom([]rune("abcABé \n_1")), 0, 8, -1)

func accepts(l *Language, text string) bool {
	s := l.Start()
	for _, r := range text {
		s = l.Next(s, r)
	}
	return l.Accepting(s)
}

// Go's regexp is the judge of which texts match.
func TestAgainstRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := patterns(3, true).Draw(t, "pattern")
		whole, anywhere := regexp.MustCompile(`\A(?:`+p+`)\z`), regexp.MustCompile(p)
		match, err := Parse(p, RE2)
		if err != nil {
			if strings.Contains(err.Error(), "within a repetition") {
				t.Skip(err)
			}
			t.Fatal(err)
		}
		search, err := Search(p, RE2)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			text := texts.Draw(t, "text")
			if got, want := accepts(match, text), whole.MatchString(text); got != want {
				t.Fatalf("Parse(%q) on %q: %v, want %v", p, text, got, want)
			}
			if got, want := accepts(search, text), anywhere.MatchString(text); got != want {
				t.Fatalf("Search(%q) on %q: %v, want %v", p, text, got, want)
			}
			checkPath(t, match, text, whole)
		}
	})
}

// checkPath follows a text as far as it goes: every state on the way has a shortest
// rest that matches, and its edges are what Next says.
func checkPath(t *rapid.T, l *Language, text string, want *regexp.Regexp) {
	s, read := l.Start(), ""
	for _, r := range text {
		if s == Dead {
			return
		}
		if rest := l.Shortest(s); !want.MatchString(read + rest) {
			t.Fatalf("%q and the shortest rest %q do not match %v", read, rest, want)
		}
		last := rune(-1)
		for _, e := range l.Edges(s) {
			if e.Lo <= last || e.Hi < e.Lo || l.Next(s, e.Lo) != e.To || l.Next(s, e.Hi) != e.To || e.To == Dead {
				t.Fatalf("behind %q: edge %v", read, e)
			}
			last = e.Hi
		}
		read += string(r)
		s = l.Next(s, r)
	}
}

// languages draws languages of all operations, each with a predicate that says which
// texts it should have.
func languages(depth int) *rapid.Generator[judged] {
	return rapid.Custom(func(t *rapid.T) judged {
		n := 7
		if depth == 0 {
			n = 2
		}
		sub := func() judged { return languages(depth-1).Draw(t, "part") }
		switch k := rapid.IntRange(0, n).Draw(t, "kind"); k {
		case 0, 1:
			p := patterns(2, false).Draw(t, "pattern")
			l, err := Parse(p, RE2)
			if err != nil {
				t.Fatal(err)
			}
			return judged{l, regexp.MustCompile(`\A(?:` + p + `)\z`).MatchString, p}
		case 2:
			words := rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom([]rune("abé ")), 0, 3, -1), 0, 5).Draw(t, "words")
			return judged{Strings(words...), func(s string) bool {
				for _, w := range words {
					if w == s {
						return true
					}
				}
				return false
			}, fmt.Sprintf("%q", words)}
		case 3:
			x := sub()
			return judged{Complement(x.l), func(s string) bool { return !x.has(s) }, "!(" + x.name + ")"}
		case 4:
			x, y := sub(), sub()
			return judged{Intersect(x.l, y.l), func(s string) bool { return x.has(s) && y.has(s) }, "(" + x.name + ") & (" + y.name + ")"}
		case 5:
			x, y := sub(), sub()
			return judged{Difference(x.l, y.l), func(s string) bool { return x.has(s) && !y.has(s) }, "(" + x.name + ") - (" + y.name + ")"}
		case 6:
			x, y := sub(), sub()
			return judged{Union(x.l, y.l), func(s string) bool { return x.has(s) || y.has(s) }, "(" + x.name + ") + (" + y.name + ")"}
		default:
			x, y := sub(), sub()
			return judged{Concat(x.l, y.l), func(s string) bool {
				for i := range len(s) + 1 {
					if utf8.ValidString(s[:i]) && x.has(s[:i]) && y.has(s[i:]) {
						return true
					}
				}
				return false
			}, "(" + x.name + ") . (" + y.name + ")"}
		}
	})
}

type judged struct {
	l    *Language
	has  func(string) bool
	name string
}

func TestAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := languages(3).Draw(t, "language")
		empty, err := x.l.Empty()
		if err != nil {
			t.Fatal(err)
		}
		if empty != (x.l.Start() == Dead) || empty != (len(x.l.Words(1)) == 0) {
			t.Fatalf("%s: empty %v, start %d, words %q", x.name, empty, x.l.Start(), x.l.Words(1))
		}
		for _, w := range x.l.Words(10) {
			if !x.has(w) {
				t.Fatalf("%s: has no %q", x.name, w)
			}
		}
		for range 20 {
			text := texts.Draw(t, "text")
			if got, want := accepts(x.l, text), x.has(text); got != want {
				t.Fatalf("%s on %q: %v, want %v", x.name, text, got, want)
			}
			if got := acceptsBytes(x.l, text); got != x.has(text) {
				t.Fatalf("%s on the bytes of %q: %v", x.name, text, got)
			}
			s, read := x.l.Start(), ""
			for _, r := range text {
				if s == Dead {
					break
				}
				checkState(t, x, s, read)
				s, read = x.l.Next(s, r), read+string(r)
			}
		}
	})
}

func acceptsBytes(l *Language, text string) bool {
	s := l.Machine()
	if s == nil {
		return false
	}
	ok, _ := machine.Accepts(s, []byte(text))
	return ok
}

// checkState compares the lengths of the rests with a walk over the states, and the
// shortest rest with its promise.
func checkState(t *rapid.T, x judged, s int32, read string) {
	rest := x.l.Shortest(s)
	if !x.has(read + rest) {
		t.Fatalf("%s: %q has the shortest rest %q", x.name, read, rest)
	}
	if (rest == "") != x.l.Accepting(s) {
		t.Fatalf("%s: %q has the shortest rest %q, accepting %v", x.name, read, rest, x.l.Accepting(s))
	}
	const most = 7
	level := map[int32]bool{s: true}
	var ends [most]bool
	for n := range most {
		next := map[int32]bool{}
		for q := range level {
			ends[n] = ends[n] || x.l.Accepting(q)
			for _, e := range x.l.Edges(q) {
				next[e.To] = true
			}
		}
		level = next
		if got := x.l.CanEnd(s, n, n); got != ends[n] {
			t.Fatalf("%s: %q can end by %d characters: %v, want %v", x.name, read, n, got, ends[n])
		}
	}
	lo, hi := rapid.IntRange(0, most-1).Draw(t, "lo"), rapid.IntRange(0, most-1).Draw(t, "hi")
	want := false
	for n := lo; n <= hi; n++ {
		want = want || ends[n]
	}
	if got := x.l.CanEnd(s, lo, hi); got != want {
		t.Fatalf("%s: %q can end by %d to %d characters: %v, want %v", x.name, read, lo, hi, got, want)
	}
	if got, ok := x.l.a.reaches(x.l.a.nodes[s], lo, hi); !ok || got != want {
		t.Fatalf("%s: %q can end by %d to %d characters by search: %v %v, want %v", x.name, read, lo, hi, got, ok, want)
	}
}

// The byte machine keeps the contract of machine.State.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := languages(2).Draw(t, "language")
		s := x.l.Machine()
		if s == nil {
			return
		}
		for range 12 {
			rest := s.Shortest()
			if (len(rest) == 0) != s.Accepting() {
				t.Fatalf("%s: shortest %q, accepting %v", x.name, rest, s.Accepting())
			}
			if len(rest) > 0 {
				next := s.Next(rest[0])
				if next == nil || len(next.Shortest()) != len(rest)-1 {
					t.Fatalf("%s: the shortest rest %q cannot be followed", x.name, rest)
				}
			}
			var live []byte
			for b := range 256 {
				if n := s.Next(byte(b)); n != nil {
					if n != s.Next(byte(b)) {
						t.Fatal("equal states differ")
					}
					if len(n.Shortest()) < len(rest)-1 {
						t.Fatalf("%s: %q is not shortest: byte %#x and %q", x.name, rest, b, n.Shortest())
					}
					live = append(live, byte(b))
				}
			}
			if len(live) == 0 {
				return
			}
			s = s.Next(rapid.SampledFrom(live).Draw(t, "byte"))
		}
	})
}
