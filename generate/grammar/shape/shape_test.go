package shape

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

func rat(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic(text)
	}
	return r
}

func pattern(expr string) *regular.Language {
	l, err := regular.Search(expr, regular.ECMA)
	if err != nil {
		panic(err)
	}
	return l
}

func number(n Number) *Value { return &Value{Numbers: []*Number{&n}} }
func text(s String) *Value   { return &Value{Strings: []*String{&s}} }
func array(a Array) *Value   { return &Value{Arrays: []*Array{&a}} }
func object(o Object) *Value { return &Value{Objects: []*Object{&o}} }

func words(list ...string) *Value { return text(String{Language: regular.Strings(list...)}) }

// tree is a recursive set: {"v": any number, "next": a tree or null}.
func tree() *Value {
	v := &Value{Null: true}
	v.Objects = []*Object{{Properties: []Property{
		{Name: "v", Value: number(Number{}), Required: true}, {Name: "next", Value: v, Required: true}}}}
	return v
}

func union(list ...*Value) *Value {
	v := &Value{}
	for _, x := range list {
		v.Null, v.True, v.False = v.Null || x.Null, v.True || x.True, v.False || x.False
		v.Numbers = append(v.Numbers, x.Numbers...)
		v.Strings = append(v.Strings, x.Strings...)
		v.Arrays = append(v.Arrays, x.Arrays...)
		v.Objects = append(v.Objects, x.Objects...)
	}
	return v
}

// cases are sets with texts that they have and texts that they have not. Every text is
// a beginning of some text of the set up to the byte where reading must fail: the place
// of the bar in a text of the second list, if there is one.
var cases = []struct {
	name    string
	value   *Value
	yes, no []string
}{
	{"any", Any(), []string{
		`null`, `true`, `false`, `0`, `-0`, `1e5`, `-12.50E-07`, `""`, `"aé☃😀"`, `"\u00e9\ud83d\ude00\/\n"`, `[]`, `[1, [2, {}]]`, `{}`,
		`{"a":1,"b":[null]}`, "{\n  \"a\": [\n    1,\n    2\n  ]\n}", `{"a" : 1}`, `{ "a": 1 }`, `[ ]`, `{"":{"":{}}}`,
	}, []string{
		``, `nul`, `|x`, `0|1`, `1.|e5`, `-|a`, `"\|x"`, `"\ud83d|x"`, `"\u|g"`, "\"|\n\"", `[1,|]`, `{"a":1,|}`, `{"a":1,"a|":2}`, `{"a":1,"\u0061|":2}`,
		`[1 | ]`, `| 1`, `1| `, `1e40|0`, "\"|\xff\"", "\"\xed|\xa0\x80\"", "\"\xf4|\x90\x80\x80\"", "\"\xe0|\x80\x80\"", "\"|\xc0\x80\"", `"\ud|c00"`,
	}},
	{"integers", number(Number{MultipleOf: rat("1")}), []string{`0`, `-5`, `123456789012345678901234567890`, `1.0`, `7.000`}, []string{`1.|5`, `|"`, `1.0|1`}},
	{"0 to 100", number(Number{MultipleOf: rat("1"), Min: rat("0"), Max: rat("100")}), []string{`0`, `-0`, `5`, `99`, `100`, `100.0`, `-0.0`},
		[]string{`10|1`, `-|1`, `100.|1`, `0|5`, `10|10`, `101`}},
	{"whole", number(Number{MultipleOf: rat("1"), Whole: true}), []string{`0`, `-0`, `-5`, `10`}, []string{`1|.0`, `1|e0`, `0|5`, `-|"`}},
	{"as programs write integers", number(Number{MultipleOf: rat("1"), Whole: true, NoMinusZero: true}), []string{`0`, `-5`, `-10`, `123456789012345678901234567890`}, []string{`-|0`, `0|.0`, `1|e0`}},
	{"3, 0 or -3", number(Number{MultipleOf: rat("3"), Min: rat("-5"), Max: rat("4"), Whole: true, NoMinusZero: true}), []string{`-3`, `0`, `3`}, []string{`-|0`, `-|1`, `-3|0`, `-3|.0`}},
	{"0 as programs write it", number(Number{MultipleOf: rat("1"), Min: rat("0"), Max: rat("0"), Whole: true, NoMinusZero: true}), []string{`0`}, []string{`|-0`, `0|.0`}},
	{"13 to 27", number(Number{MultipleOf: rat("1"), Min: rat("13"), Max: rat("27")}), []string{`13`, `27`, `20`}, []string{`|5`, `1|2`, `2|8`, `13|0`, `|0`, `|-`}},
	{"probability", number(Number{Min: rat("0"), Max: rat("1")}), []string{`0`, `1`, `0.5`, `1e-05`, `1.0`, `5E-1`, `9.99e-1`, `1e0`, `1e-300`},
		[]string{`1.05`, `1.5e|1`, `2e|1`, `2`, `1e|1`, `5e-0001|0`, `1|0`}},
	{"above 0", number(Number{Min: rat("0"), OpenMin: true}), []string{`0.1`, `1`, `0.0001`, `1e5`, `0.01e7`, `123e-3`}, []string{`0`, `|-`, `0.0`, `0|e5`, `0.00|E1`}},
	{"cents", number(Number{MultipleOf: rat("0.01")}), []string{`1.25`, `1`, `-0.5`, `1.250`}, []string{`1.25|5`, `1.250|1`}},
	{"halves of 5", number(Number{MultipleOf: rat("2.5"), Max: rat("10")}), []string{`2.5`, `10`, `7.5`, `0`, `-12.5`, `5.0`}, []string{`3`, `12.5`, `2.|4`, `1|1`}},
	{"no integer", number(Number{NotMultipleOf: []*big.Rat{rat("1")}, Min: rat("2"), Max: rat("3")}), []string{`2.5`, `2.01`}, []string{`2`, `2.0`, `|3`, `|-`}},
	{"decimals between", number(Number{Min: rat("-1.25"), Max: rat("0.5"), OpenMax: true}), []string{`-1.25`, `0.49`, `-1.2`, `-3e-1`, `1e-1`}, []string{`0.5`, `0.|6`, `-1.26`, `-1.26e|0`, `-2`}},
	{"one number", Const(json.Number("12.50")), []string{`12.5`, `12.500`, `1.25e1`, `1.25E+01`}, []string{`12.|4`, `12`, `12.5|1`, `1|3`}},
	{"large", number(Number{Min: rat("1e30"), Max: rat("2e30"), MultipleOf: rat("1")}), []string{`1000000000000000000000000000000`, `1999999999999999999999999999999`},
		[]string{`2000000000000000000000000000000|0`, `3`, `999999999999999999999999999999`}},
	{"lengths", text(String{Min: 2, Max: new(3)}), []string{`"ab"`, `"é☃😀"`, `"\n\u0041"`, `"\ud83d\ude00a"`}, []string{`""`, `"a|"`, `"abc|d"`, `"abc|\`, "\"abc|\xc3"}},
	{"long", text(String{Max: new(65536)}), []string{`"` + strings.Repeat("x", 65536) + `"`}, []string{`"` + strings.Repeat("x", 65536) + `|x"`}},
	{"enum", words("red", "green", "grey", `q"\`, "é"), []string{`"red"`, `"gr\u0065y"`, `"q\"\\"`, `"\u00e9"`, `"q\u0022\u005C"`, `"é"`},
		[]string{`"|b`, `"gre|x`, `"red|d`, `"gre"`, `"\u00|f`, "\"\xc3|\xa8", `"\|n`}},
	{"pattern", text(String{Language: pattern(`^[a-c]+$`), Min: 2, Max: new(3)}), []string{`"ab"`, `"ccc"`}, []string{`"|d`, `"a|"`, `"aaa|a`}},
	{"odd lengths", text(String{Language: pattern(`^(ab)*$`), Min: 3, Max: new(5)}), []string{`"abab"`}, []string{`"ab|"`, `"abab|a`}},
	{"union of strings", union(words("ab"), text(String{Min: 3, Max: new(3)})), []string{`"ab"`, `"abc"`}, []string{`"a|"`, `"xy|"`, `"abc|d`}},
	{"tuple", array(Array{Prefix: []Item{Each(Const(true)), Each(number(Number{}))}, Rest: Each(words("x")), Min: 1, Max: new(3)}),
		[]string{`[true]`, `[true,1]`, `[true, 2.5, "x"]`}, []string{`[|]`, `[|f`, `[true,1,"x"|,`, `[true,|"`}},
	{"closed tuple", array(Array{Prefix: []Item{Each(Const(nil)), Each(&Value{}), Each(Const(nil))}}), []string{`[]`, `[null]`}, []string{`[null|,`}},
	{"contains", array(Array{Rest: Item{{Value: number(Number{})}, {Value: Const("x"), Counts: 1}}, Counts: []Count{{Min: 1, Max: new(2)}}, Max: new(3)}),
		[]string{`["x"]`, `[1,"x"]`, `["x","x",3]`, `[1,2,"x"]`}, []string{`[|]`, `[1,2,|3`, `["x","x",|"x"`, `[1|]`, `["x",1,2|,`}},
	{"contains, overlapping", array(Array{Rest: Item{{Value: number(Number{})}, {Value: number(Number{Min: rat("5")}), Counts: 1}}, Counts: []Count{{Min: 2}}}),
		[]string{`[5,6]`, `[1,5,2,7,3]`}, []string{`[5,4|]`, `[|]`, `[5|]`}},
	{"unique words", array(Array{Rest: Each(words("a", "b", "bc")), Unique: true, Min: 2}), []string{`["a","b"]`, `["bc", "\u0061", "b"]`},
		[]string{`["a"|]`, `["a","|a`, `["b","bc","a"|,`, `["b","b|"`, `["a","\u006|1`}},
	{"unique words of other letters", array(Array{Rest: Each(text(String{Language: pattern(`é`)})), Unique: true, Min: 1}), []string{`["é"]`, `["aé","é"]`}, []string{`[|]`, `["a|"`, `["é","é|"`}},
	{"unique letters", array(Array{Rest: Each(text(String{Language: pattern(`^[aé]$`)})), Unique: true, Min: 2}), []string{`["é","a"]`, `["a","\u00e9"]`}, []string{`["a"|]`, `["a","|a`, `["a","é"|,`}},
	{"unique numbers", array(Array{Rest: Each(number(Number{MultipleOf: rat("1"), Min: rat("0"), Max: rat("12")})), Unique: true}), []string{`[1,10,2]`, `[1.0, 12]`, `[]`},
		[]string{`[1,1|,`, `[0,|-`, `[1,1|.0`, `[1,10,11,12,|1`, `[0,1,2,3,4,5,6,7,8,9,10,11,12|,`}},
	{"unique values", array(Array{Rest: Each(Any()), Unique: true, Max: new(3)}), []string{`["a","A",{}]`, `[{"a":1},{"a":2},1]`, `[1,"1",[1]]`, `[true, false, null]`},
		[]string{`[{"a":1,"b":2},{"b":2.0,"a":1|}`, `[true,|t`, `["a","\u0061|"`, `[[],[|]`, `[1,1|]`, `[1e1,10|]`}},
	{"unique records", array(Array{Rest: Each(object(Object{Properties: []Property{{"id", number(Number{MultipleOf: rat("1"), Min: rat("1"), Max: rat("2")}), true}, {"t", words("x", "y"), true}}})), Unique: true, Min: 3}),
		[]string{`[{"id":1,"t":"x"},{"id":2,"t":"x"},{"t":"y","id":1}]`}, []string{`[{"id":1,"t":"x"},{"id":1,"t":"|x`, `[{"id":1,"t":"x"},{"t":"x","id":|1`, `[{"id":1,"t":"x"},{"id":2,"t":"x"}|]`}},
	{"at most one", array(Array{Rest: Each(text(String{})), Unique: true, Max: new(1)}), []string{`[]`, `["a"]`}, []string{`["a"|,`}},
	{"unique beside a prefix", array(Array{Prefix: []Item{Each(text(String{})), Each(Const("x"))}, Rest: Each(Const(true)), Unique: true}), []string{`["a","x",true]`, `["x"]`}, []string{`["x"|,`, `["a","x",true|,`}},
	{"object", object(Object{Properties: []Property{{"a", number(Number{}), true}, {"b", Const("x"), false}, {"ab", Const(nil), false}}}),
		[]string{`{"a":1}`, `{"b":"x","a":1}`, `{"ab": null, "a": 2, "b": "x"}`, `{"\u0061":1}`}, []string{`{|}`, `{"|c`, `{"a":1,"a|"`, `{"b":"x"|}`, `{"a":1,"b":"x","ab":null|,`, `{"a":|"`, `{"b":"x","|b"`}},
	{"additional", object(Object{Properties: []Property{{"id", number(Number{}), true}}, Rest: Const(true)}),
		[]string{`{"id":1,"x":true}`, `{"x":true,"y":true,"id":0}`, `{"i":true,"id":0,"idd":true}`}, []string{`{"x":true,"x|"`, `{"id":|t`, `{"id":1,"id|"`, `{"x":true,"\u0078|"`}},
	{"forbidden", object(Object{Properties: []Property{{"no", nil, false}}, Rest: Any()}), []string{`{"n":1}`, `{"non":[]}`}, []string{`{"no|"`}},
	{"patterns", object(Object{Patterns: []Pattern{{pattern(`^x`), number(Number{})}, {pattern(`y$`), Const("y")}}}),
		[]string{`{"xy":1,"ay":"y"}`, `{}`}, []string{`{"xy":|"`, `{"ab|"`, `{"ay":|1`}},
	{"few names", object(Object{Patterns: []Pattern{{pattern(`^[ab]$`), number(Number{})}}, Min: 1}),
		[]string{`{"a":1,"b":2}`, `{"b":2}`}, []string{`{|}`, `{"|c`, `{"a":1,"|a`, `{"a":1,"b":2|,`, `{"b":1,"\u006|2`}},
	{"names", object(Object{Properties: []Property{{"long", Any(), false}, {"ok", Any(), false}}, Rest: Any(), Names: pattern(`^.{1,2}$`)}),
		[]string{`{"ok":1,"a":2}`}, []string{`{"lo|n`, `{"|"`}},
	{"at most 2", object(Object{Properties: []Property{{"a", Any(), true}, {"b", Any(), true}, {"c", Any(), false}}, Rest: Any(), Max: new(2)}),
		[]string{`{"a":1,"b":2}`}, []string{`{"|c`, `{"a":1,"|c`, `{"a":1,"b":1|,`}},
	{"at least 2", object(Object{Properties: []Property{{"a", Any(), false}, {"b", Any(), false}, {"c", Any(), false}}, Min: 2}),
		[]string{`{"a":1,"b":2}`, `{"c":1,"b":2,"a":0}`}, []string{`{|}`, `{"a":1|}`}},
	{"dependent", object(Object{Properties: []Property{{"a", Any(), false}, {"b", Any(), false}, {"c", Any(), false}}, Max: new(2), Dependent: []Dependent{{"a", []string{"b"}}, {"c", []string{"a"}}}}),
		[]string{`{}`, `{"b":1}`, `{"a":1,"b":1}`, `{"b":1,"a":2}`}, []string{`{"a":1|}`, `{"|c`, `{"a":1,"b":1|,`, `{"b":1,"|c`}},
	{"union of objects", union(object(Object{Properties: []Property{{"kind", Const("a"), true}, {"x", number(Number{}), true}}}), object(Object{Properties: []Property{{"kind", Const("b"), true}, {"y", Const("z"), false}}})),
		[]string{`{"kind":"a","x":1}`, `{"x":1,"kind":"a"}`, `{"kind":"b"}`, `{"y":"z","kind":"b"}`}, []string{`{"kind":"a"|}`, `{"x":1,"kind":"|b`, `{"kind":"b","|x`}},
	{"tree", tree(), []string{`null`, `{"v":1,"next":{"next":null,"v":2}}`}, []string{`{"v":1|}`, `{"next":|1`}},
	{"const", Const(map[string]any{"a": []any{json.Number("1"), "x", nil}, "b": map[string]any{}}), []string{`{"a":[1,"x",null],"b":{}}`, `{"b":{}, "a":[1.0,"x",null]}`}, []string{`{"a":[|2`, `{"b":{|"`}},
}

func start(t testing.TB, v *Value, f Format) machine.State {
	t.Helper()
	s, err := v.Machine(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTexts(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, c.value, Format{})
			for _, text := range c.yes {
				if ok, at := machine.Accepts(s, []byte(text)); !ok {
					t.Errorf("%.100q is refused at byte %d", text, at)
				}
				if !c.value.Has(decode(t, text)) {
					t.Errorf("%.100q does not belong to the set", text)
				}
				checkRests(t, s, text)
			}
			for _, text := range c.no {
				begin, rest, bar := strings.Cut(text, "|")
				ok, at := machine.Accepts(s, []byte(begin+rest))
				if ok || bar && at != len(begin) {
					t.Errorf("%.100q: accepted %v, read up to byte %d", text, ok, at)
				}
			}
		})
	}
}

// checkRests closes every beginning of a text by its shortest rest.
func checkRests(t *testing.T, s machine.State, text string) {
	t.Helper()
	for i := 0; i <= len(text); i++ {
		if len(text) < 1000 || i%1000 == 0 {
			checkShortest(t, s, text[:i])
		}
		if i < len(text) {
			if s = s.Next(text[i]); s == nil {
				return
			}
		}
	}
}

// checkBounds compares what a state and its sketch say of the shortest rest with it.
func checkBounds(t testingT, s machine.State, begin string) {
	t.Helper()
	sketch, outline := s.(machine.Sketched).Sketch(), s.(machine.Sketched).Outline()
	bounds := []int{s.(machine.Bounded).ShortestBound(), sketch.(machine.Bounded).ShortestBound(), outline.(machine.Bounded).ShortestBound()}
	tails := append(s.(machine.Bounded).Tails(), sketch.(machine.Bounded).Tails()...)
	rest := s.Shortest()
	for _, n := range bounds {
		if len(rest) > n {
			t.Fatalf("%.200q: the rest %.100q is longer than %d", begin, rest, n)
		}
	}
	fits := func(tail machine.Tail) bool {
		end := tail.Then.Shortest()
		return len(rest)-len(end) <= tail.Bytes && bytes.HasSuffix(rest, end)
	}
	if len(tails) > 0 && !slices.ContainsFunc(tails, fits) {
		t.Fatalf("%.200q: the rest %.100q has none of the tails", begin, rest)
	}
	if sketch.(machine.Sketched).Exact() && !bytes.Equal(sketch.Shortest(), rest) {
		t.Fatalf("%.200q: the rest is %.100q, of the sketch %.100q", begin, rest, sketch.Shortest())
	}
	for _, k := range []machine.State{sketch, outline} {
		behind, except, ok := k.(machine.Uniform).AfterRune()
		for _, r := range "xa0~é☃😀" {
			if s.(*state).m.most < remembered {
				break // equal states may be others
			}
			at, char := k, string(r)
			for i := 0; ok && !except.Has(char[0]) && i < len(char) && at != nil; i++ {
				at = at.Next(char[i])
			}
			if ok && !except.Has(char[0]) && at != behind {
				t.Fatalf("%.200q: behind %q is not the state behind any character", begin, r)
			}
		}
	}
	for _, more := range goingOn {
		for _, k := range []machine.State{sketch, outline} {
			a := s
			for i := 0; i < len(more) && a != nil && k != machine.Doubt; i++ {
				if a, k = a.Next(more[i]), k.Next(more[i]); k != machine.Doubt && (a == nil) != (k == nil) {
					t.Fatalf("%.200q: with %q the state goes on %v, its sketch %v", begin, more[:i+1], a != nil, k != nil)
				}
				if k != nil && k != machine.Doubt && len(a.Shortest()) > k.(machine.Bounded).ShortestBound() {
					t.Fatalf("%.200q: behind %q the rest is longer than the %d of the sketch", begin, more[:i+1], k.(machine.Bounded).ShortestBound())
				}
			}
		}
	}
}

// goingOn are what a text may go on with.
var goingOn = []string{`x`, `a"`, `":1}`, `":"a",`, `","`, `","ab`, `"},{"`, `"],"a`, `}}`, `],[`, `1,2,`, `,"b":`, `{"a":{"b":[`, `["a","a"`, "\xc3\xa9", "\xc4", `\u00`, `null,true`, `]}`}

// checkShortest follows the shortest rest of a state.
func checkShortest(t testingT, s machine.State, begin string) {
	t.Helper()
	checkBounds(t, s, begin)
	rest := bytes.Clone(s.Shortest())
	for i, b := range rest {
		if s.Accepting() {
			t.Fatalf("%.200q + %.100q: a shorter rest is %q", begin, rest, rest[:i])
		}
		if s = s.Next(b); s == nil {
			t.Fatalf("%.200q + %.100q is refused at byte %d of the rest", begin, rest, i)
		}
		if got := s.Shortest(); !bytes.Equal(got, rest[i+1:]) && len(got) != len(rest)-i-1 {
			t.Fatalf("%.200q + %.100q: then the rest is %.100q", begin, rest[:i+1], got)
		}
	}
	if !s.Accepting() {
		t.Fatalf("%.200q + %.100q is no whole text", begin, rest)
	}
}

// decode reads a JSON text exactly.
func decode(t testingT, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil || d.InputOffset() != int64(len(text)) {
		t.Fatalf("%q is no JSON text: %v", text, err)
	}
	return x
}

// testingT is what *testing.T and *rapid.T share.
type testingT interface {
	Helper()
	Fatalf(format string, args ...any)
}
