package cfg

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// bodies draws right sides in GBNF over few characters and the rules r0 to rn.
func bodies(n, depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		most := 9
		if depth == 0 {
			most = 5
		}
		sub := func() string { return bodies(n, depth-1).Draw(t, "part") }
		switch rapid.IntRange(0, most).Draw(t, "kind") {
		case 0, 1:
			return rapid.SampledFrom([]string{`"a"`, `"b"`, `"ab"`, `"é"`, `[a-c]`, `[^ab]`, `""`, `[é-ü]`}).Draw(t, "text")
		case 2, 3, 4, 5:
			return fmt.Sprintf("r%d", rapid.IntRange(0, n).Draw(t, "rule"))
		case 6:
			return "(" + sub() + " | " + sub() + ")"
		case 7, 8:
			return sub() + " " + sub()
		default:
			return "(" + sub() + ")" + rapid.SampledFrom([]string{"*", "+", "?", "{2}", "{1,3}", "{0,2}"}).Draw(t, "times")
		}
	})
}

var grammars = rapid.Custom(func(t *rapid.T) string {
	n := rapid.IntRange(0, 4).Draw(t, "rules")
	var b strings.Builder
	b.WriteString("root ::= r0\n")
	for i := range n + 1 {
		fmt.Fprintf(&b, "r%d ::= %s\n", i, bodies(n, 3).Draw(t, "body"))
	}
	return b.String()
})

// Random grammars, left-recursive and ambiguous ones among them, have just the texts
// that the judge finds, and their machines keep the contract of machine.State.
func TestRandomGrammars(t *testing.T) {
	texts := rapid.StringOfN(rapid.SampledFrom([]rune("aabcé")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		src := grammars.Draw(t, "grammar")
		g, err := GBNF(src)
		if err != nil {
			t.Fatal(err)
		}
		start, err := g.Machine()
		if err != nil {
			if !strings.Contains(err.Error(), "no text that ends") {
				t.Fatal(err)
			}
			for range 5 {
				if text := texts.Draw(t, "text"); accepts(g, text) {
					t.Fatalf("%s: no text, but %q", src, text)
				}
			}
			return
		}
		for range 5 {
			text := texts.Draw(t, "text")
			got, _ := machine.Accepts(start, []byte(text))
			if want := accepts(g, text); got != want {
				t.Fatalf("%s on %q: %v, want %v", src, text, got, want)
			}
		}
		walk(t, g, start)
	})
}

// walk draws a text byte by byte and ends it by the shortest rest.
func walk(t *rapid.T, g *Grammar, s machine.State) {
	var text []byte
	for range rapid.IntRange(0, 8).Draw(t, "steps") {
		checkState(t, s)
		var live []byte
		for b := range 256 {
			if s.Next(byte(b)) != nil {
				live = append(live, byte(b))
			}
		}
		if len(live) == 0 {
			break
		}
		b := rapid.SampledFrom(live).Draw(t, "byte")
		text = append(text, b)
		s = s.Next(b)
	}
	text = append(text, s.Shortest()...)
	if len(text) < 20 && !accepts(g, string(text)) {
		t.Fatalf("%q was drawn but is no text", text)
	}
}

// checkState holds a state against the promises about shortest rests.
func checkState(t *rapid.T, s machine.State) {
	rest := s.Shortest()
	if (len(rest) == 0) != s.Accepting() {
		t.Fatalf("the shortest rest is %q, accepting %v", rest, s.Accepting())
	}
	for b := range 256 {
		next := s.Next(byte(b))
		if next == nil {
			if len(rest) > 0 && rest[0] == byte(b) {
				t.Fatalf("the shortest rest %q cannot be followed", rest)
			}
			continue
		}
		if n := len(next.Shortest()); n+1 < len(rest) || len(rest) > 0 && rest[0] == byte(b) && n+1 != len(rest) {
			t.Fatalf("the shortest rest %q; behind %#x it is %q", rest, b, next.Shortest())
		}
	}
}
