package generate

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestHoldback pushes text byte by byte: pieces are whole characters, and no
// part of a stop string is shown before it is sure that it is none.
func TestHoldback(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		stops          []string
		stopped        bool
	}{
		{"characters", "aé漢😀z", "aé漢😀z", nil, false},
		{"stop", "one<end>two", "one", []string{"<end>"}, true},
		{"nearly a stop", "one<en>two", "one<en>two", []string{"<end>"}, false},
		{"stop inside a false start", "a<<end>b", "a<", []string{"<end>"}, true},
		{"earlier of two", "abcdef", "ab", []string{"ef", "cd"}, true},
		{"not UTF-8", "a\xff\xfeb", "a\xff\xfeb", nil, false},
	} {
		h := holdback{stops: c.stops}
		var got strings.Builder
		var by stopped
		for i := 0; i < len(c.in) && by.why == ""; i++ {
			var s string
			s, by = h.push([]byte{c.in[i]})
			if utf8.ValidString(c.in) && !utf8.ValidString(s) {
				t.Errorf("%s: shows half a character: %q", c.name, s)
			}
			got.WriteString(s)
			if c.stopped && !strings.HasPrefix(c.want, got.String()) {
				t.Errorf("%s: shows %q of a stop string", c.name, got.String())
			}
		}
		if by.why == "" {
			got.WriteString(h.flush())
		}
		if got.String() != c.want || (by.why != "") != c.stopped {
			t.Errorf("%s: %q, stopped %v; want %q, %v", c.name, got.String(), by.why != "", c.want, c.stopped)
		}
	}
}

// TestNoStop looks for stop strings before a text, and no more from its end on.
func TestNoStop(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		from           NoStop
	}{
		{"behind it", "a<call>b.c", "a<call>b.c", NoStop{From: "<call>"}},
		{"before it", "a.<call>b.c", "a", NoStop{From: "<call>"}},
		{"with a false start", "a<ca<call>b.", "a<ca<call>b.", NoStop{From: "<call>"}},
		{"cut short", "a<cal.", "a<cal", NoStop{From: "<call>"}},
		{"in its middle", "a<c.ll>b", "a<c", NoStop{From: "<c.ll>"}},
		{"with its end", "{.", "{.", NoStop{From: "{."}},
		{"first", "{a.", "{a.", NoStop{From: "{", First: true}},
		{"not first", "a{b.", "a{b", NoStop{From: "{", First: true}},
	} {
		for _, size := range []int{1, 3, 99} {
			find, err := newFinder(`[.]`)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range []holdback{{stops: []string{"."}, calm: calm{NoStop: c.from}}, {find: find, calm: calm{NoStop: c.from}}} {
				if got, by := chunks(&h, c.in, size); got != c.want || (by.why != "") != (len(c.want) < len(c.in)) {
					t.Errorf("%s: %q, %v; want %q", c.name, got, by, c.want)
				}
			}
		}
	}
}

// TestSkips leaves out bytes and one space before the text, wherever tokens end.
func TestSkips(t *testing.T) {
	for _, c := range []struct {
		skip  int
		blank bool
		in    string // tokens between bars
		want  string
	}{
		{0, true, " a b", "a b"},
		{0, true, " | a|b", " ab"},
		{0, true, "a| b", "a b"},
		{0, true, "||  a", " a"},
		{2, true, "a|b c", "c"},
		{2, true, "abc| d", "c d"},
		{3, false, "a|bcd", "d"},
	} {
		h := holdback{skip: c.skip, blank: c.blank}
		got := ""
		for _, token := range strings.Split(c.in, "|") {
			s, _ := h.push([]byte(token))
			got += s
		}
		if got += h.flush(); got != c.want {
			t.Errorf("%d bytes, blank %v, %q: %q, want %q", c.skip, c.blank, c.in, got, c.want)
		}
	}
}
