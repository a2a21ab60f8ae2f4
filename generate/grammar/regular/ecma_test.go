package regular

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func TestECMA(t *testing.T) {
	for _, c := range []struct {
		pattern  string
		yes, no  []string
		anywhere bool
	}{
		{`\d+`, []string{"0", "42"}, []string{"", "４", "a"}, false},
		{`\w`, []string{"a", "_", "9"}, []string{"é", "-"}, false},
		{`\s`, []string{" ", "\u00a0", "\ufeff", "\u2028", "\u2003", "\v"}, []string{"\u0085", "\u200b"}, false},
		{`\S`, []string{"a", "\u0085"}, []string{"\u00a0"}, false},
		{`.`, []string{"a", "🐲", "\u0085"}, []string{"\n", "\r", "\u2028", "\u2029", ""}, false},
		{`[^]`, []string{"\n", "🐲"}, []string{"", "ab"}, false},
		{`a[]|b`, []string{"b"}, []string{"a", "ab", ""}, false},
		{`\u0041\x42\u{43}\u{1F432}\uD83D\uDC32\cJ\0\t`, []string{"ABC🐲🐲\n\x00\t"}, []string{"ABC🐲🐲\n\x00"}, false},
		{`\uD83D|a`, []string{"a"}, []string{"\uFFFD", "🐲"}, false},
		{`[\uD83D\uDC32a-c]`, []string{"🐲", "b"}, []string{"d"}, false},
		{`\$\-\/\.\_\{\}`, []string{"$-/._{}"}, nil, false},
		{`${a}]`, nil, []string{"{a}]"}, false},
		{`x{a}]`, []string{"x{a}]"}, nil, false},
		{`[\w-.]+`, []string{"a-.", "-"}, []string{"+"}, false},
		{`[a-\d]+`, []string{"a-5"}, []string{"b"}, false},
		{`[\b]`, []string{"\b"}, []string{"b"}, false},
		{`(?<year>\d{4})-(?:a|b)+?`, []string{"2026-ab"}, []string{"2026-"}, false},
		{`(?i:ab)c`, []string{"ABc", "abc"}, []string{"abC"}, false},
		{`\p{Lu}\p{L}\p{Letter}\p{Script=Greek}\p{sc=Grek}\p{Uppercase_Letter}`, []string{"AaéΩβÉ"}, []string{"aaéΩβÉ"}, false},
		{`\P{L}\p{Nd}\p{gc=Decimal_Number}\p{ASCII}\p{Alphabetic}\p{White_Space}`, []string{"-٣3zz\u0085"}, nil, false},
		{`^a$`, []string{"a"}, []string{"ba", "ab", "a\n"}, true},
		{`a`, []string{"a", "bab", "\na\n"}, []string{"", "b"}, true},
		{`^a|b$`, []string{"a", "ax", "b", "xb"}, []string{"xa", "bx"}, true},
		{`^$|^\d{1,3}$`, []string{"", "123"}, []string{"1234", "a"}, true},
		{`^$|(^(?:\S+\s+){0,2}\S+$)`, []string{"", "a", "a b", "a b  c"}, []string{"a b c d", " a"}, true},
		{`(^|,)a(,|$)`, []string{"a", "b,a", "a,b", "b,a,b"}, []string{"ba", "ab"}, true},
		{`(^a|b|c$)*x`, []string{"x", "abbx", "bx", "cx", "ax"}, []string{"abc"}, true},
		{`(^a)+$`, []string{"a"}, []string{"aa", "ba", ""}, true},
		{`^(a|b$)*$`, []string{"", "aa", "ab", "b"}, []string{"ba", "bb"}, true},
		{`^(a|^b){2}$`, []string{"aa", "ba"}, []string{"ab", "bb", "a"}, true},
		{`\bfoo\b`, []string{"foo", "a foo.", "foo-"}, []string{"food", "afoo", "foo_"}, true},
		{`^[a-z]+\b.+$`, []string{"ab c", "a-"}, []string{"ab", ""}, true},
		{`^\Ba|-\B-$`, []string{"--", "a--"}, []string{"a", "ba"}, true},
		// Look-ahead.
		{`^(?!foo)[a-z]+$`, []string{"bar", "fo", "fop"}, []string{"foo", "food", ""}, true},
		{`^(?=.*\d)(?=.*[a-z]).{4,8}$`, []string{"abc1", "1---z---"}, []string{"abcd", "a1", "a1-------"}, true},
		{`^(?!.*://)(?=.{1,255}$)((.{1,63}\.){1,127}(?![0-9]*$)[a-z0-9-]+\.?)$`, []string{"a.b", "example.com."}, []string{"a.1", "http://a.b", "a"}, true},
		{`^((?!cyd).)*$`, []string{"", "cy", "cdy"}, []string{"cyd", "acyda"}, true},
		{`^((?=[ab])\w)+$`, []string{"abba"}, []string{"", "abc"}, true},
		{`^(?![i|I][o|O]b)`, []string{"", "io", "xiob"}, []string{"iob", "|obx", "Iob"}, true},
		{`^/(?!api/)(?!old$)[a-z/]+$`, []string{"/a", "/apix", "/olds"}, []string{"/api/x", "/old"}, true},
		{`a(?=b)`, []string{"ab", "xaba"}, []string{"a", "ac"}, true},
		{`(?!a)`, []string{"", "a", "aa"}, nil, true},
		{`^(?=a)b`, nil, []string{"a", "b", "ab"}, true},
		{`^a(?!b|$)`, []string{"ac", "aa"}, []string{"a", "ab"}, true},
	} {
		parse := Parse
		if c.anywhere {
			parse = Search
		}
		l, err := parse(c.pattern, ECMA)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		for _, text := range c.yes {
			if !accepts(l, text) {
				t.Errorf("%s: no %q", c.pattern, text)
			}
		}
		for _, text := range c.no {
			if accepts(l, text) {
				t.Errorf("%s: has %q", c.pattern, text)
			}
		}
	}
}

// Many anchored alternatives are no repetition.
func TestAnchoredAlternatives(t *testing.T) {
	var words []string
	for i := range 3000 {
		words = append(words, fmt.Sprintf("^word%d$", i))
	}
	l, err := Search(strings.Join(words, "|"), ECMA)
	if err != nil {
		t.Fatal(err)
	}
	if !accepts(l, "word2999") || accepts(l, "word3000") || accepts(l, "word") {
		t.Error("not the words")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		pattern string
		d       Dialect
		want    string
	}{
		{`(a)\1`, ECMA, "back-references"},
		{`(?<n>a)\k<n>`, ECMA, "back-references"},
		{`(?<=a)b`, ECMA, "look-behind"},
		{`(?<!a)b`, ECMA, "look-behind"},
		{`(?=a)b`, RE2, "no look-ahead"},
		{`((?!a)bc)*d`, ECMA, "within a repetition"},
		{`^(\ba)*$`, ECMA, "within a repetition"},
		{`(^|!a){200000000,}\b`, ECMA, "repeated more than 1000 times"},
		{`(^|((^|!a){99}|c$){98}\b){97}`, ECMA, "too much work"},
		{`(a{700007}){12}`, ECMA, "shortest text has more than"},
		{`a**`, ECMA, "byte 2: a quantifier behind"},
		{`a{2}{3}`, RE2, "a quantifier behind"},
		{`*a`, ECMA, "nothing to repeat"},
		{`a|{2}`, ECMA, "nothing to repeat"},
		{`^*`, ECMA, "assertion cannot be repeated"},
		{`a{,3}`, ECMA, "{,n}"},
		{`a{3,2}`, ECMA, "out of order"},
		{`a{9999999999}`, ECMA, "repeated more than"},
		{`(a`, ECMA, "missing )"},
		{`a)`, ECMA, "unmatched )"},
		{`[a`, ECMA, "missing ]"},
		{`[z-a]`, ECMA, "out of order"},
		{`[a-\d]`, RE2, "ends in a class"},
		{`\`, ECMA, "backslash at the end"},
		{`\Z`, ECMA, `unknown escape \Z`},
		{`\a`, ECMA, `unknown escape \a`},
		{`\xZZ`, ECMA, "hexadecimal"},
		{`\u12`, ECMA, "hexadecimal"},
		{`\u{110000}`, ECMA, "hexadecimal"},
		{`\01`, ECMA, "octal"},
		{`\p{Klingon}`, ECMA, "Klingon"},
		{`\p`, ECMA, "followed by {name}"},
		{`(?<1>a)`, ECMA, "name"},
		{`(?i)a`, ECMA, "(?i:"},
		{`(?x:a)`, ECMA, "followed by"},
		{`(?P<n>a)`, ECMA, "without P"},
		{strings.Repeat("(", 1000), ECMA, "groups within groups"},
		{strings.Repeat("a", 1<<17), ECMA, "bytes"},
		{"\xff", ECMA, "UTF-8"},
	} {
		_, err := Search(c.pattern, c.d)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40s: error %v, want one with %q", c.pattern, err, c.want)
		}
	}
}

// Constructions of RE2's syntax that random patterns do not reach.
func TestRE2(t *testing.T) {
	for _, p := range []string{
		`\Qa.b\E+`, `\Qab\E`, `\A[]a]\z`, `[^]a]`, `[[:^digit:][:space:]]`, `[[:]`, `\pN\p{^Greek}\PL`, `(?i)straSSe(?-i:X)`, `(?i:k)`, `[\d-a]`, `[--a]`,
		`(?P<x>a)(?<y>b)`, `\x{1F432}\x41\101\012`, `(?s).(?-s).`, `a{,2}`, `a{`, `x{2,}y*?`, `(?U)a+?`, `(|a)*b`, `^*a`, `\a\f\v\-`, `(?m)^a$`, `[[:word:]]`,
	} {
		want := regexp.MustCompile(`\A(?:` + p + `)\z`)
		l, err := Parse(p, RE2)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		for _, text := range []string{"", "a", "b", "ab", "aab", "a.b", "a.bb", "]", "x", "1", "-", "3x-", "3δ-", "STRASSEX", "straſſeX", "strassex", "K", "\u212a", "5", "🐲AA\n", "\nx", "x\n", "a{,2}", "a{", "xxy", "xx", "aa", "\a\f\v-", "a\nb", "a\n", " ", "é"} {
			if got := accepts(l, text); got != want.MatchString(text) {
				t.Errorf("%s on %q: %v", p, text, got)
			}
		}
	}
}

// A pattern with exponentially many states is read; with too many, it fails with an
// error that names it, and what was begun can still be ended.
func TestExplosion(t *testing.T) {
	l, err := Parse(`(a|b)*a.{40}`, RE2)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("abbaab", 100)
	s := l.Start()
	for _, r := range text {
		if s = l.Next(s, r); s == Dead {
			t.Fatal("dead")
		}
	}
	if text[len(text)-41] == 'a' != l.Accepting(s) {
		t.Errorf("accepting %v", l.Accepting(s))
	}
	l, err = Search(`a.{30}b|b.{31}a.*c`, RE2)
	if err != nil {
		t.Fatal(err)
	}
	l.a.limit = 4 << 20
	level := []int32{l.Start()}
	for range 40 {
		var next []int32
		for _, q := range level {
			for _, r := range "ab" {
				if to := l.Next(q, r); to != Dead && len(next) < 1<<11 {
					next = append(next, to)
				}
			}
		}
		if len(next) == 0 {
			break
		}
		level = next
	}
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "a.{30}b") {
		t.Fatalf("error %v, want one that names the pattern", err)
	}
	s = level[len(level)/2]
	for i, r := range l.Shortest(s) {
		if s = l.Next(s, r); s == Dead {
			t.Fatalf("the shortest rest dies at %d", i)
		}
	}
	if !l.Accepting(s) {
		t.Error("the shortest rest does not end")
	}
	// An intersection that must be searched for emptiness gives up as well.
	x, _ := Parse(`(a|b)*a.{24}`, RE2)
	y, _ := Parse(`(a|b)*b.{24}`, RE2)
	both := Intersect(x, y)
	both.a.limit = 4 << 20
	if _, err := both.Empty(); err == nil || !strings.Contains(err.Error(), "too many states") {
		t.Errorf("an intersection of 2^25 states: %v", err)
	}
}

func TestCounters(t *testing.T) {
	l, err := Search(`^[a-z]{1,65536}$`, ECMA)
	if err != nil {
		t.Fatal(err)
	}
	s := l.Start()
	for i := range 65536 {
		if s = l.Next(s, 'x'); s == Dead {
			t.Fatalf("dead at %d", i)
		}
		if i%10000 == 0 && (!l.CanEnd(s, 65535-i, 65535-i) || l.CanEnd(s, 65536-i, -1)) {
			t.Errorf("at %d the lengths of the rests are wrong", i)
		}
	}
	if l.Next(s, 'x') != Dead {
		t.Error("one too many")
	}
	if err := l.Err(); err != nil {
		t.Error(err)
	}
}

// The estimate of the memory is right within a factor of three.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l, err := Search(`a.{30}b|b.{31}a.*c`, RE2)
	if err != nil {
		t.Fatal(err)
	}
	l.a.limit = 8 << 20
	level := []int32{l.Start()}
	for l.Err() == nil {
		var next []int32
		for _, q := range level {
			for _, r := range "abc" {
				if to := l.Next(q, r); to != Dead && len(next) < 1<<12 {
					next = append(next, to)
				}
			}
		}
		level = next
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int(after.HeapAlloc) - int(before.HeapAlloc)
	if used := l.a.used; used < grown/3 || used > grown*3 {
		t.Errorf("%d bytes, estimated %d", grown, used)
	}
	runtime.KeepAlive(l)
	t.Logf("%d nodes, %d bytes, estimated %d", len(l.a.nodes), grown, l.a.used)
}

func FuzzParse(f *testing.F) {
	for _, p := range []string{`^(?!foo)[a-z]+$`, `(a|b)*a.{40}`, `((a{0,99}){0,99}){0,99}`, `\p{L}+[^\w-.]\u{1F432}`, `(?i)[[:alpha:]]\Qa\E`, `(?:(?=a)b|$)*`, `[[:]`, `(^|,)a{2,}?\b`} {
		f.Add(p, "foo")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		for _, d := range []Dialect{RE2, ECMA} {
			l, err := Search(pattern, d)
			if err != nil {
				continue
			}
			m := l.Machine()
			for _, b := range []byte(text) {
				if m == nil {
					break
				}
				m.Shortest()
				m = m.Next(b)
			}
			if d == RE2 {
				if want, err := regexp.Compile(pattern); err == nil && l.Err() == nil && strings.ToValidUTF8(text, "") == text {
					if got := accepts(l, text); got != want.MatchString(text) && l.Err() == nil {
						t.Errorf("%q on %q: %v", pattern, text, got)
					}
				}
			}
		}
	})
}

// A pattern of practice whose automaton is large: a name of a host, of look-ahead and
// nested counters.
func TestHost(t *testing.T) {
	l, err := Search(`^(?!.*://)(?=.{1,255}$)((.{1,63}\.){1,127}(?![0-9]*$)[a-z0-9-]+\.?)$`, ECMA)
	if err != nil {
		t.Fatal(err)
	}
	s := l.Start()
	for i, r := range "www.example.com" {
		if i%7 == 0 && (!l.CanEnd(s, 3, 200) || !l.CanEnd(s, 0, -1) || !l.CanEnd(s, 230, 235) || l.CanEnd(s, 256-i, -1)) {
			t.Fatalf("behind %d characters the lengths of the rests are wrong", i)
		}
		s = l.Next(s, r)
	}
	if !l.Accepting(s) || l.Err() != nil {
		t.Errorf("accepting %v, %v", l.Accepting(s), l.Err())
	}
}

// BenchmarkNext reads a text again and again, and once from a language that knows
// nothing yet.
func BenchmarkNext(b *testing.B) {
	const pattern = `^(\w+\.)+[a-z]{2,63}(/[^?#\s]{0,4096})?(\?.*)?$`
	text := []rune("www.example.com/a/path/to/something?key=value&é=1")
	build := func() *Language {
		l, err := Search(pattern, ECMA)
		if err != nil {
			b.Fatal(err)
		}
		return l
	}
	read := func(l *Language) {
		s := l.Start()
		for _, r := range text {
			s = l.Next(s, r)
		}
		if !l.Accepting(s) {
			b.Fatal("not accepted")
		}
	}
	b.Run("cached", func(b *testing.B) {
		l := build()
		b.ReportAllocs()
		for b.Loop() {
			read(l)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(text)), "ns/char")
	})
	b.Run("uncached", func(b *testing.B) {
		for b.Loop() {
			read(build())
		}
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			build()
		}
	})
}
