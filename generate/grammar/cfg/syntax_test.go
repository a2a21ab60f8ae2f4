package cfg

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/internal/golden"
)

// try compares which texts a grammar has with those it should have.
func try(t *testing.T, name string, g *Grammar, yes, no []string) {
	t.Helper()
	start, err := g.Machine()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	for _, text := range yes {
		if ok, at := machine.Accepts(start, []byte(text)); !ok {
			t.Errorf("%s: %q fails at byte %d", name, text, at)
		}
	}
	for _, text := range no {
		if ok, _ := machine.Accepts(start, []byte(text)); ok {
			t.Errorf("%s: has %q", name, text)
		}
	}
}

func TestGBNFFiles(t *testing.T) {
	raw, err := os.ReadFile(golden.Data(t, "structured", "gbnf", "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Grammar, Input string
		Accept         bool
		Position       *int `json:"error_position"`
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	starts := map[string]machine.State{}
	for _, c := range cases {
		if starts[c.Grammar] == nil {
			name := golden.Data(t, "structured", "gbnf", c.Grammar+".gbnf")
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			g, err := Parse(name, string(src))
			if err != nil {
				t.Fatal(err)
			}
			if starts[c.Grammar], err = g.Machine(); err != nil {
				t.Fatal(err)
			}
		}
		ok, at := machine.Accepts(starts[c.Grammar], []byte(c.Input))
		if ok != c.Accept {
			t.Errorf("%s on %q: %v at %d", c.Grammar, c.Input, ok, at)
		}
		if c.Position != nil && len([]rune(c.Input[:at])) != *c.Position {
			t.Errorf("%s on %q: fails at %d, want %d", c.Grammar, c.Input, at, *c.Position)
		}
	}
	t.Logf("%d cases", len(cases))
}

func TestSyntax(t *testing.T) {
	for _, c := range []struct {
		name, src string
		parse     func(string) (*Grammar, error)
		yes, no   []string
	}{
		{"gbnf", "# a comment\nroot ::= a-b | \"\\x41\\u00e9\\\"\" . # one\n  | [^\\]a-c\\n]{2,3} rest?\na-b::=(\n\"a\" \"b\"\n)\nrest ::= \"-\"+ \"x\"{0,1}", GBNF,
			[]string{"ab", "Aé\"🐲", "zz", "zzz--", "zz-x"}, []string{"", "z", "za", "zzxx"}},
		{"left recursion", `root ::= root "+" term | term` + "\n" + `term ::= term "*" f | f` + "\n" + `f ::= [0-9] | "(" root ")"`, GBNF,
			[]string{"1", "1+2", "1+2*3", "(1+2)*3+4"}, []string{"", "+", "1+", "(1", "1+*2"}},
		{"indirect left recursion", "root ::= a | \"r\"\na ::= b \"x\" | root \"z\"\nb ::= root \"y\" | \"b\"", GBNF,
			[]string{"r", "bx", "ryx", "rz", "ryxyxz"}, []string{"", "b", "ry", "x"}},
		{"hidden left recursion", "root ::= opt root \"b\" | \"a\"\nopt ::= \"o\"?", GBNF, []string{"a", "ab", "oab", "abb", "oabb"}, []string{"ob", "oa", "ooab"}},
		{"cycles without text", "root ::= a | \"x\"\na ::= root | a", GBNF, []string{"x"}, []string{"", "xx"}},
		{"unproductive", "root ::= \"a\" dead | \"b\"\ndead ::= \"c\" dead", GBNF, []string{"b"}, []string{"a", "ac"}},
		{"unused and undefined in it", "root ::= \"a\"\nother ::= other2\nother2 ::= \"b\"", GBNF, []string{"a"}, []string{"b"}},
		{"nullable", "root ::= a a a\na ::= root? \"x\" | \"\"", GBNF, []string{"", "x", "xxxxx"}, []string{"y"}},
		{"palindromes", `root ::= "a" root "a" | "b" root "b" | "c"`, GBNF, []string{"c", "abcba"}, []string{"abcab", "ab"}},
		{"counters", `root ::= pair{3,65536} "."` + "\n" + `pair ::= "(" pair ")" | "x"`, GBNF, []string{"xxx.", "x(x)((x))xx."}, []string{"xx.", "x(xxx."}},
		{"w3c", "<doc> ::= item+ /* some */ (',' item)*\n item ::= [a-c#x64] - 'b' | \"\\\" | #x41", EBNF,
			[]string{"a", "d,c", `\`, "aA,a"}, []string{"b", "", "a,"}},
		{"iso", "(* numbers *) start = digit, { digit }, [ \".\", 2 * digit ]; digit = \"0\" | '1' | { 'z' }-;", EBNF,
			[]string{"0", "01zz.10"}, []string{"", "0.1", "."}},
		{"iso without comma", `a = "x" b - "y" ; b = "y" | "z" .`, EBNF, []string{"xz"}, []string{"xy", "x"}},
		{"lark", `
			// arithmetic
			?start: sum
			sum: product | sum "+" product -> add
			   | sum "-" product
			!product: atom | product ("*"|"/") atom
			atom: NUMBER | "(" sum ")" | NAME [args] | "not"i ~ 2..3
			args: "[" sum ("," sum)* "]"
			NAME: ("a".."z" | "_")+ /[0-9]{0,2}/
			%import common.NUMBER
			%import common (WS_INLINE, NEWLINE)
			%ignore WS_INLINE
			%ignore /#[^\n]*/
			`, Lark,
			[]string{"1+2", " ( 1.5e3 + x9 ) * f[1, 2] # note", "notNOT", "a - b-c"}, []string{"", "1+", "not x", "f[]", "(1"}},
		{"lark regexes", `start: /a\/b/i "\u00e9" /\u00e9+/ A?
			A: "x"`, Lark, []string{"A/bé\u00e9", "a/bééx"}, []string{"a/b"}},
	} {
		g, err := c.parse(c.src)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		try(t, c.name, g, c.yes, c.no)
	}
	g, err := Choice("yes", "no", "maybe", "")
	if err != nil {
		t.Fatal(err)
	}
	try(t, "choice", g, []string{"yes", "no", ""}, []string{"y", "yesno"})
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		parse     func(string) (*Grammar, error)
		src, want string
	}{
		{GBNF, "root ::= \"a\" b\n  | c", "1:14: rule b is not defined"},
		{GBNF, "root ::= \"a\"\nroot ::= \"b\"", "2:1: rule root is defined a second time; first at 1:1"},
		{GBNF, "start ::= \"a\"", "no rule root"},
		{GBNF, "", "no rule root"},
		{GBNF, "root ::= \"a", "1:11: a text without closing"},
		{GBNF, "root ::= [a", "1:11: [ without ]"},
		{GBNF, "root ::= [z-a]", "out of order"},
		{GBNF, "root ::= (\"a\"", "( without )"},
		{GBNF, "root ::= \"a\")", "a rule begins with"},
		{GBNF, "root ::= \"a\"{3,2}", "out of order"},
		{GBNF, "root ::= \"a\"{x}", "a repetition is written"},
		{GBNF, "root ::= \"a\"{9999999999}", "repeated more than"},
		{GBNF, "root ::= \"\\q\"", "unknown escape \\q"},
		{GBNF, "root ::= \"\\ud800\"", "surrogate"},
		{GBNF, "root ::= <think>", "tokens in angle brackets"},
		{GBNF, "root ::= *", "unexpected '*'"},
		{GBNF, "root ::= \"a\" root", "1:1: rule root has no text that ends"},
		{GBNF, "root ::= []", "no text that ends"},
		{GBNF, "\xff", "not UTF-8"},
		{GBNF, "root ::= " + strings.Repeat("(", 1000), "groups within groups"},
		{GBNF, strings.Repeat(" ", MaxSource+1), "at most"},
		{GBNF, strings.Repeat("r ::= r\n", MaxRules+1), "rules"},
		{GBNF, doubling(40), "more than"},
		{EBNF, "a = \"b\"", "a rule ends in a semicolon"},
		{EBNF, "a = ? anything ? ;", "special sequences"},
		{EBNF, "a = \"b\" (* x", "a comment without end"},
		{EBNF, "a ::= b - 'x'\nb ::= 'x' b | 'x'", "1:7: an exception"},
		{EBNF, "a ::= <b", "closing >"},
		{Lark, "start.2: \"a\"", "1:6: priorities"},
		{Lark, "start{x}: \"a\"", "templates"},
		{Lark, "%declare X\nstart: X", "%declare is not supported"},
		{Lark, "%import python.NAME\nstart: NAME", "from common only"},
		{Lark, "%import common.FOO\nstart: FOO", `common has no terminal "FOO"`},
		{Lark, "start: /(?=a)b/", "no look-ahead"},
		{Lark, "start: /a", "without closing /"},
		{Lark, "start: /a/x", "flag x"},
		{Lark, "start: \"z\"..\"a\"", "a range goes"},
		{Lark, "start: \"a\" ~ x", "~ n"},
		{Lark, "start \"a\"", "lacks its colon"},
		{Lark, "a: \"b\"", "no rule start"},
		{Lark, "start: \"b\"\n%ignore NONE", "rule NONE is not defined"},
	} {
		g, err := c.parse(c.src)
		if err == nil {
			_, err = g.Machine()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: error %v, want one with %q", c.src, err, c.want)
		}
	}
	if _, err := Choice(); err == nil {
		t.Error("no choices are no error")
	}
	if _, err := Parse("a/b.gbnf", "root ::= x"); err == nil || !strings.HasPrefix(err.Error(), "a/b.gbnf:1:10: ") {
		t.Errorf("an error of a file: %v", err)
	}
}

// doubling is a grammar whose shortest text has 2^n characters.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("root ::= r0\n")
	for i := range n {
		b.WriteString(strings.NewReplacer("X", string(rune('0'+i/10))+string(rune('0'+i%10)), "Y", string(rune('0'+(i+1)/10))+string(rune('0'+(i+1)%10))).Replace("rX ::= rY rY | \"(\" rX \")\"\n"))
	}
	b.WriteString("r" + string(rune('0'+n/10)) + string(rune('0'+n%10)) + " ::= \"x\"\n")
	return strings.Replace(b.String(), "::= r0\n", "::= r00\n", 1)
}

// TestManyChoices checks that a list too long for one language is no list of nothing.
func TestManyChoices(t *testing.T) {
	words := make([]string, 60_000)
	for i := range words {
		words[i] = fmt.Sprint("choice number ", i)
	}
	for n, want := range map[int]string{2000: "", len(words): "a list of 60000 words: too many states"} {
		g, err := Choice(words[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		start, err := g.Machine()
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%d choices: %v, want %q", n, err, want)
		case err == nil:
			if ok, _ := machine.Accepts(start, []byte(words[n-1])); !ok {
				t.Errorf("%d choices refuse their last", n)
			}
		}
	}
}

func TestGuess(t *testing.T) {
	for src, want := range map[string]string{
		"# c\nroot ::= \"\\x41\"": "A",
		"s = 'a', 'b';":           "ab",
		"// c\n?start: \"x\"i":    "X",
		"<s> ::= \"a\"":           "",
	} {
		g, err := Parse("grammar", src)
		if want == "" {
			if err == nil {
				t.Errorf("%q was read", src)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		try(t, src, g, []string{want}, nil)
	}
}
