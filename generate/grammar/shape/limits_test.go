package shape

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// TestDepth opens as many containers as may be, and closes them.
func TestDepth(t *testing.T) {
	s := start(t, Any(), Format{})
	for i := range MaxDepth {
		if s = s.Next('['); s == nil {
			t.Fatalf("container %d is refused", i+1)
		}
	}
	if s.Next('[') != nil || s.Next('{') != nil {
		t.Errorf("a container opens at depth %d", MaxDepth+1)
	}
	checkShortest(t, s, "")
	// A value that must nest is refused where it would come too deep.
	s = start(t, tree(), Format{})
	deep := strings.Repeat(`{"v":1,"next":`, MaxDepth)
	for i := range len(deep) {
		if s = s.Next(deep[i]); s == nil {
			t.Fatalf("byte %d is refused", i)
		}
	}
	if s.Next('{') != nil || s.Next('n') == nil {
		t.Error("the last place of a tree is not for null alone")
	}
	// Serialised texts with indents reach as deep.
	x := any(json.Number("1"))
	for range MaxDepth {
		x = []any{x}
	}
	text, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if ok, at := machine.Accepts(start(t, Any(), Format{}), text); !ok {
		t.Errorf("an indented text of depth %d is refused at byte %d", MaxDepth, at)
	}
}

func TestSpace(t *testing.T) {
	for _, c := range []struct {
		space Space
		text  string
		want  bool
	}{
		{Compact, `{"a":[1,2]}`, true},
		{Compact, `{"a": [1,2]}`, false},
		{Compact, `{"a":[1,2] }`, false},
		{Serialised, "{\r\n\t\"a\": [1, 2]\r\n}", true},
		{Serialised, "{\"a\":\n" + strings.Repeat(" ", MaxIndent) + "1}", true},
		{Serialised, "{\"a\":\n" + strings.Repeat(" ", MaxIndent+1) + "1}", false},
		{Serialised, "{\"a\":\n\n1}", false},
		{Loose, "{ \t\n\"a\"\n :  \r\n[1 ,\n\n2]}", true},
		{Loose, "[" + strings.Repeat("\n", MaxLoose) + "]", true},
		{Loose, "[" + strings.Repeat("\n", MaxLoose+1) + "]", false},
		{Loose, " []", false},
		{Loose, "[] ", false},
	} {
		if ok, at := machine.Accepts(start(t, Any(), Format{Space: c.space}), []byte(c.text)); ok != c.want {
			t.Errorf("space %d, %.60q: accepted %v at byte %d", c.space, c.text, ok, at)
		}
	}
}

// TestUnsupported tells what has no machine, and which part is at fault.
func TestUnsupported(t *testing.T) {
	endless := &Value{}
	endless.Arrays = []*Array{{Prefix: []Item{Each(endless)}, Min: 1}}
	nested := array(Array{Rest: Each(array(Array{Rest: Each(Any()), Unique: true})), Unique: true})
	for _, c := range []struct {
		name  string
		value *Value
		part  bool
		want  string
	}{
		{"empty", &Value{}, false, "no value"},
		{"endless", endless, false, "no value"},
		{"no number", number(Number{Min: rat("1.2"), Max: rat("1.8"), MultipleOf: rat("1")}), false, "no value"},
		{"no string", text(String{Language: pattern("^ab$"), Min: 3}), false, "no value"},
		{"no items", array(Array{Rest: Each(&Value{}), Min: 1}), false, "no value"},
		{"no name", object(Object{Properties: []Property{{"a", nil, true}}}), false, "no value"},
		{"few names", object(Object{Properties: []Property{{"a", Any(), false}}, Min: 2}), false, "no value"},
		{"third", number(Number{Min: big.NewRat(1, 3)}), true, "decimal"},
		{"fine step", number(Number{MultipleOf: rat("1234567890123456789.1")}), true, "18 digits"},
		{"nested", nested, true, "arrays with unique items"},
		{"not enough", array(Array{Rest: Each(words("a", "b")), Unique: true, Min: 3}), true, "3 different items were not found"},
		{"tally", array(Array{Rest: Each(Any()), Counts: []Count{{Min: maxTally + 1}}}), true, "above 1000"},
	} {
		_, err := c.value.Machine(Format{})
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), c.want) || (unsupported.Part != nil) != c.part {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestThreads reads a text that more ways lead through than are followed.
func TestThreads(t *testing.T) {
	v := &Value{}
	for i := range 2 * MaxThreads {
		v.Objects = append(v.Objects, &Object{Properties: []Property{{"a", Any(), true}, {"b", number(Number{Min: big.NewRat(int64(i), 1)}), true}}})
	}
	s := start(t, v, Format{})
	for _, b := range []byte(`{"a":[1,2],"b":`) {
		checkShortest(t, s, "")
		if s = s.Next(b); s == nil {
			t.Fatal("a beginning of all of them is refused")
		}
	}
	checkShortest(t, s, "")
	if n := len(s.(*state).threads); n > MaxThreads {
		t.Errorf("%d threads", n)
	}
}

// TestForget reads on while the machine forgets what it interned, after a few bytes or
// after each: it takes and refuses what it would if it remembered.
func TestForget(t *testing.T) {
	for _, most := range []int{0, 10} {
		for _, c := range cases {
			s := start(t, c.value, Format{})
			s.(*state).m.most = most
			for _, text := range c.yes {
				if len(text) > 1000 {
					continue
				}
				if ok, at := machine.Accepts(s, []byte(text)); !ok {
					t.Errorf("%s: %.100q is refused at byte %d", c.name, text, at)
				}
				checkRests(t, s, text)
			}
			for _, text := range c.no {
				begin, rest, bar := strings.Cut(text, "|")
				if ok, at := machine.Accepts(s, []byte(begin+rest)); len(text) < 1000 && (ok || bar && at != len(begin)) {
					t.Errorf("%s: %.100q: accepted %v, read up to byte %d", c.name, text, ok, at)
				}
			}
		}
	}
}

// TestForgetNames writes a name twice with much between, in a set without declared
// names and in one whose names run out.
func TestForgetNames(t *testing.T) {
	for _, most := range []int{0, 5, 50, remembered} {
		s := start(t, Any(), Format{})
		s.(*state).m.most = most
		begin := `{"name":1,"other":{"name":[2,{"x":"a long text"}]},"nam`
		if ok, at := machine.Accepts(s, []byte(begin+`e":2}`)); ok || at != len(begin)+1 {
			t.Errorf("most %d: accepted %v: a second name is read up to byte %d, want %d", most, ok, at, len(begin)+1)
		}
		if ok, at := machine.Accepts(s, []byte(begin+`es":2}`)); !ok {
			t.Errorf("most %d: another name is refused at byte %d", most, at)
		}
		s = start(t, object(Object{Patterns: []Pattern{{pattern(`^[ab]x$`), Any()}}}), Format{})
		s.(*state).m.most = most
		begin = `{"ax":[1,2,3],"bx":{"ax":"text"}`
		if ok, at := machine.Accepts(s, []byte(begin+`,`)); ok || at != len(begin) {
			t.Errorf("most %d: all names are there, but a comma is read", most)
		}
	}
}

// TestInterned steps to the same places in several ways.
func TestInterned(t *testing.T) {
	v := Any()
	s := start(t, object(Object{Properties: []Property{{"a", v, false}, {"b", v, false}}}), Format{})
	follow := func(text string) machine.State {
		to := s
		for i := range len(text) {
			to = to.Next(text[i])
		}
		return to
	}
	if follow(`{"a":1,"b":"x`) != follow(`{"b":null,"a":"\u0041\n`) {
		t.Error("the same objects in other spellings are other states")
	}
	if follow(`{"a":1`) == follow(`{"b":1`) {
		t.Error("other objects are the same state")
	}
}

// TestFreeRunes appends as many plain characters as are promised.
func TestFreeRunes(t *testing.T) {
	plain := rapid.RuneFrom([]rune("a0é☃😀 b{}:,"))
	for _, c := range cases {
		s := start(t, c.value, Format{})
		rapid.Check(t, func(rt *rapid.T) {
			text := rapid.SampledFrom(c.yes).Draw(rt, "text")
			text = text[:min(len(text), 100)]
			at := s
			for i := range rapid.IntRange(0, len(text)-1).Draw(rt, "at") {
				at = at.Next(text[i])
			}
			n, bound := at.(machine.Free).FreeRunes()
			for range min(n, 12) {
				for _, b := range utf8.AppendRune(nil, plain.Draw(rt, "rune")) {
					if at = at.Next(b); at == nil {
						rt.Fatalf("%s: %q: %d free characters, but one is refused", c.name, text, n)
					}
				}
			}
			if got := len(at.Shortest()); n > 0 && bound >= 0 && got > bound {
				rt.Fatalf("%s: behind %q the rest has %d bytes, more than %d", c.name, text, got, bound)
			}
			checkShortest(rt, at, text)
		})
	}
}

// FuzzTexts reads any bytes in the sets of the cases: whatever is accepted is JSON of
// the set, and whatever is begun can be ended.
func FuzzTexts(f *testing.F) {
	for i, c := range cases {
		for _, text := range append(c.yes, c.no...) {
			if len(text) < 100 {
				f.Add(uint8(i), strings.ReplaceAll(text, "|", ""))
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		c := cases[int(which)%len(cases)]
		s := start(t, c.value, Format{Space: Loose})
		for i := range len(text) {
			to := s.Next(text[i])
			if to == nil {
				break
			}
			s = to
		}
		checkShortest(t, s, text)
		if ok, at := machine.Accepts(start(t, c.value, Format{}), []byte(text)); ok {
			if !c.value.Has(decode(t, text)) {
				t.Errorf("%s: %q is accepted", c.name, text)
			}
		} else if at == len(text) && json.Valid([]byte(text)) && text[0] != '-' && (text[0] < '0' || text[0] > '9') {
			t.Errorf("%s: %q, a whole text, is taken for a beginning", c.name, text)
		}
	})
}

// TestPlansInOrder checks that the parts of a machine have the same numbers each time:
// threads are ordered by them.
func TestPlansInOrder(t *testing.T) {
	o := &Object{Dependent: []Dependent{{If: "n3", Then: []string{"z"}}}, Rest: &Value{Null: true}}
	for i := range 40 {
		o.Properties = append(o.Properties, Property{Name: fmt.Sprint("n", i), Value: &Value{Objects: []*Object{{Rest: &Value{Null: true}}}}})
	}
	v := &Value{Objects: []*Object{o}}
	for range 5 {
		start, err := v.Machine(Format{})
		if err != nil {
			t.Fatal(err)
		}
		m := start.(*state).m
		before := int32(-1)
		for _, d := range m.plans[0].objects[0].declared {
			if d.plan.index <= before {
				t.Fatalf("%s has plan %d, the name before it %d", d.name, d.plan.index, before)
			}
			before = d.plan.index
		}
	}
}
