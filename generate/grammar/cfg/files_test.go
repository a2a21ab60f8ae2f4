package cfg

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

func open(t testing.TB, name string) machine.State {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	g, err := Parse(name, string(src))
	if err != nil {
		t.Fatal(err)
	}
	start, err := g.Machine()
	if err != nil {
		t.Fatal(err)
	}
	return start
}

// The grammars of testdata, which are there to be used.
func TestFiles(t *testing.T) {
	for _, c := range []struct {
		name    string
		yes, no []string
	}{
		{"arithmetic.gbnf",
			[]string{"1", "1+2*3^-4", "(a_1 + f(x, 2.5e-3)) % 7", "--1", "f()"},
			[]string{"", "1+", "01", "(1", "f(,)", "1  +2"}},
		{"csv.ebnf",
			[]string{"", "a,b\r\n1,2\n", "\"a, \"\"b\"\"\nc\",é", ",,\n"},
			[]string{"\"a", "a\"b", "a\rb"}},
		{"sql.lark",
			[]string{
				"select 1", "SELECT * FROM t WHERE a.b = 'it''s' AND NOT c IS NULL;",
				"select count(*), count(distinct x) as n from a left join b on a.id = b.id group by x having count(*) > 3 order by n desc, 2 limit 10 offset 5",
				"select case when a then b else -c end from (select 1 union all select 2) as s where x in (1, 2) or y not in (select z from w) and q between 1 and 2"},
			[]string{"", "select", "select from t", "select 1 where", "select (1", "select 'a", "select a b c"}},
		{"yaml.gbnf",
			[]string{"a: 1\n", "a:\n  b: \"x\\n\"\n  c:\n    - 'it''s'\n    d: http://x/y\nlist:\n  - one two\n", "- a\n- [1, {b: 'c'}]\n"},
			[]string{"", "a: 1", "a:1\n", " a: 1\n", "a: \"x\n"}},
	} {
		start := open(t, c.name)
		for _, text := range c.yes {
			if ok, at := machine.Accepts(start, []byte(text)); !ok {
				t.Errorf("%s: %q fails at byte %d", c.name, text, at)
			}
		}
		for _, text := range c.no {
			if ok, _ := machine.Accepts(start, []byte(text)); ok {
				t.Errorf("%s: has %q", c.name, text)
			}
		}
	}
}

func grammar(t testing.TB, src string) (*run, machine.State) {
	t.Helper()
	g, err := GBNF(src)
	if err != nil {
		t.Fatal(err)
	}
	r, err := g.compile()
	if err != nil {
		t.Fatal(err)
	}
	return r, r.machine()
}

// follow reads a text and fails where it cannot.
func follow(t testing.TB, s machine.State, text string) machine.State {
	t.Helper()
	for i := range len(text) {
		if s = s.Next(text[i]); s == nil {
			t.Fatalf("dead at byte %d of %.50q", i, text)
		}
	}
	return s
}

// The most ambiguous grammars take a number of sets that grows with the text, not with
// the ways to read it.
func TestAmbiguity(t *testing.T) {
	for _, src := range []string{
		`root ::= root root | "x" | ""`,
		`root ::= root root root | root root | "x"`,
		`root ::= "x" | root "x" root | "x" root`,
		"root ::= a a a a\na ::= \"x\" a | a \"x\" | \"x\"",
	} {
		r, s := grammar(t, src)
		text := strings.Repeat("x", 2001)
		if s = follow(t, s, text); !s.Accepting() {
			t.Errorf("%s: does not accept", src)
		}
		if r.count > 40*uint64(len(text)) {
			t.Errorf("%s: %d sets for %d bytes", src, r.count, len(text))
		}
	}
	_, s := grammar(t, `root ::= root [-+*/] root | "-" root | "(" root ")" | [0-9]+`)
	if s = follow(t, s, strings.Repeat("1+-(2*3)/", 300)+"4"); !s.Accepting() {
		t.Error("an ambiguous expression is not accepted")
	}
}

// Nesting is bounded by memory only; calls at the end of a rule take none.
func TestDepth(t *testing.T) {
	const n = 50000
	_, s := grammar(t, `root ::= "(" root ")" | "x"`)
	s = follow(t, s, strings.Repeat("(", n))
	if len(s.Shortest()) != n+1 {
		t.Fatalf("the shortest rest has %d bytes", len(s.Shortest()))
	}
	if s = follow(t, s, "x"+strings.Repeat(")", n)); !s.Accepting() || s.Next(')') != nil {
		t.Error("the end of the nesting is not seen")
	}
	r, s := grammar(t, `root ::= "x" root | "y"`)
	one := follow(t, s, "x")
	if two := follow(t, one, strings.Repeat("x", 1000)); one != two || r.count > 10 {
		t.Errorf("right recursion takes %d sets", r.count)
	}
	_, s = grammar(t, "root ::= a\na ::= b* c?\nb ::= \"x\" a \"y\" | \"z\"\nc ::= \"w\" a")
	if s = follow(t, s, strings.Repeat("xw", n)+"z"); s.Accepting() || len(s.Shortest()) != n {
		t.Errorf("behind the nesting: accepting %v, %d bytes to the end", s.Accepting(), len(s.Shortest()))
	}
}

// Many rules that begin with each other are solved in bounded time, too many refused.
func TestLeftRecursionBound(t *testing.T) {
	dense := func(n int) string {
		var b strings.Builder
		for i := range n {
			name := fmt.Sprintf("r%d", i)
			if i == 0 {
				name = "root"
			}
			fmt.Fprintf(&b, "%s ::= \"%c\"", name, 'a'+i%26)
			for j := range n {
				if j != 0 {
					fmt.Fprintf(&b, " | r%d \"%c%c\"", j, 'a'+i%26, 'a'+j%26)
				} else {
					fmt.Fprintf(&b, " | root \"%c\"", 'A'+i%26)
				}
			}
			b.WriteString("\n")
		}
		return b.String()
	}
	_, s := grammar(t, dense(12))
	follow(t, s, "aAA")
	for _, n := range []int{maxLeft, maxLeft + 1} {
		g, err := GBNF(dense(n))
		if err != nil {
			t.Fatal(err)
		}
		_, err = g.Machine()
		if n <= maxLeft && err != nil && !strings.Contains(err.Error(), "too many states") || n > maxLeft && (err == nil || !strings.Contains(err.Error(), "begin with each other")) {
			t.Errorf("%d rules: %v", n, err)
		}
		t.Logf("%d rules: %v", n, err)
	}
}

// A grammar with a regular part that has too many states ends in an error or goes on
// along the shortest rests only; a text too long to inline is refused.
func TestTooManyStates(t *testing.T) {
	for _, src := range []string{
		`root ::= "` + strings.Repeat("long text ", 100000) + `"`,
		`root ::= "x"{2000000}`,
	} {
		g, err := GBNF(src)
		if err == nil {
			_, err = g.Machine()
		}
		if err == nil || !strings.Contains(err.Error(), "too many states") && !strings.Contains(err.Error(), "more than") {
			t.Errorf("%.40s: %v", src, err)
		}
	}
}

// Past their bound of memory sets are forgotten; states that somebody holds go on.
func TestForget(t *testing.T) {
	r, start := grammar(t, `root ::= "(" root ")" | "x" | "y" root`)
	held := follow(t, start, "((y(")
	before := follow(t, held, "(")
	r.forget()
	if rest := held.Shortest(); string(rest) != "x)))" {
		t.Errorf("the shortest rest is %q", rest)
	}
	if after := follow(t, held, "("); after != before && string(after.Shortest()) != string(before.Shortest()) {
		t.Errorf("behind the same text %q, before %q", after.Shortest(), before.Shortest())
	}
	if s := follow(t, held, "x)))"); !s.Accepting() {
		t.Error("a held state does not end")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`root ::= [a-c]+ ("x" | root){2,3} # y`, "aax")
	f.Add(`s = 'a', { b } - "c"; b = 2 * [ s ];`, "a")
	f.Add("start: A~1..2 \"b\"i\nA: /x+/\n%ignore \" \"", "xx B")
	f.Add("<a> ::= #x41 | [^b] - 'c' /* d */", "A")
	f.Fuzz(func(t *testing.T, src, text string) {
		for _, parse := range []func(string) (*Grammar, error){GBNF, EBNF, Lark} {
			g, err := parse(src)
			if err != nil {
				continue
			}
			s, err := g.Machine()
			for i := 0; err == nil && s != nil && i < len(text); i++ {
				if rest := s.Shortest(); len(rest) > 0 && s.Next(rest[0]) == nil {
					t.Fatalf("%q: the shortest rest %q behind %q cannot be followed", src, rest, text[:i])
				}
				s = s.Next(text[i])
			}
		}
	})
}

// BenchmarkNext steps through a text of SQL: warm, as a vocabulary is walked, and from
// a machine that knows nothing yet.
func BenchmarkNext(b *testing.B) {
	text := []byte("select count(*), sum(price * 2) as total from orders where name like 'A%' and (id > 10 or flag is null) group by name order by total desc limit 10")
	b.Run("cached", func(b *testing.B) {
		start := open(b, "sql.lark")
		machine.Accepts(start, text)
		b.ReportAllocs()
		for b.Loop() {
			machine.Accepts(start, text)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(text)), "ns/byte")
	})
	b.Run("uncached", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			start := open(b, "sql.lark")
			b.StartTimer()
			machine.Accepts(start, text)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(text)), "ns/byte")
	})
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			open(b, "sql.lark")
		}
	})
}
