package schema

import "testing"

func TestRegexFormat(t *testing.T) {
	c := newCompiler(Options{})
	l := c.format(nil, "regex")
	if c.err != nil {
		t.Fatal(c.err)
	}
	for _, s := range []string{
		``, `a`, `^a.*$`, `[a-z]+`, `[^a-zA-Z0-9_-]`, `(a|b)*`, `(?:ab){2,3}?`, `\d{1,10}`, `a{12,15}`, `\p{L}\u0041`, `x(?=y)(?!z)`, `(?<=a)b`, `[\w.-]`, `(((a)))`, `\$\{x\}`, `[a-z-9]`, `[\u0000-\uffff]`, `a||b`, `[]`, `[^]`, `\cA`, `(?<!x+)y`, `[\b]`,
	} {
		if !l.has(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{
		`*`, `\`, `a**`, `(`, `)`, `[z-a]`, `[a`, `a{3,2}`, `a{21,20}`, `\a`, `(?P<n>x)`, `(?i)x`, `x{1}{2}`, `(?=a)*`, `a{`, `]`, `}`, `[\d-z]`, `\u12`, `[9-\d]`, `\x4`, `a{100,99}`, `(?`, `+`, `[\ud800-\ud700]`,
	} {
		if l.has(s) {
			t.Errorf("%q is accepted", s)
		}
	}
}
