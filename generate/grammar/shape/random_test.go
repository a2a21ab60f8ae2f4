package shape

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// maker draws random sets. They are small, so that random values often belong to them.
type maker struct {
	*rapid.T
	made []*Value // sets that may be used again, also within themselves
}

func (t *maker) n(most int, label string) int { return rapid.IntRange(0, most).Draw(t.T, label) }
func (t *maker) coin(label string) bool       { return rapid.Bool().Draw(t.T, label) }

func (t *maker) value(depth int) *Value {
	if len(t.made) > 0 && t.n(5, "again") == 0 {
		return t.made[t.n(len(t.made)-1, "which")]
	}
	v := &Value{}
	t.made = append(t.made, v)
	v.Null, v.True, v.False = t.n(3, "null") == 0, t.n(3, "true") == 0, t.n(3, "false") == 0
	for range t.n(2, "numbers") {
		v.Numbers = append(v.Numbers, t.number())
	}
	for range t.n(2, "strings") {
		v.Strings = append(v.Strings, t.str())
	}
	if depth > 0 {
		for range t.n(1, "arrays") {
			v.Arrays = append(v.Arrays, t.array(depth-1))
		}
		for range t.n(2, "objects") {
			v.Objects = append(v.Objects, t.object(depth-1))
		}
	}
	return v
}

var numbers = []string{"0", "1", "2", "5", "10", "12", "99", "100", "1.5", "2.25", "0.1", "0.01", "0.005", "123.456", "-1", "-7", "-0.5", "-30"}

func (t *maker) rat() *big.Rat { return rat(rapid.SampledFrom(numbers).Draw(t.T, "number")) }

func (t *maker) number() *Number {
	n := &Number{OpenMin: t.coin("open"), OpenMax: t.coin("open")}
	if t.coin("min") {
		n.Min = t.rat()
	}
	if t.coin("max") {
		n.Max = t.rat()
	}
	steps := []string{"1", "2", "3", "2.5", "0.1", "0.01", "7", "1.5"}
	if t.coin("step") {
		n.MultipleOf = rat(rapid.SampledFrom(steps).Draw(t.T, "step"))
	}
	if t.n(3, "not") == 0 {
		n.NotMultipleOf = []*big.Rat{rat(rapid.SampledFrom(steps).Draw(t.T, "not"))}
	}
	return n
}

var patterns = []string{`^a`, `b$`, `^[a-c]*$`, `^(ab)*$`, `^[ab]$`, `é|☃`, `^.{1,2}$`, `^x?"?$`, `^\\n|\n$`, `^[Ѐ-ӿ]$`, `^(a|bb|ccc)$`, `😀`}

func (t *maker) language() *regular.Language {
	if t.coin("words") {
		return regular.Strings(rapid.SliceOfN(rapid.SampledFrom(texts), 1, 3).Draw(t.T, "words")...)
	}
	return pattern(rapid.SampledFrom(patterns).Draw(t.T, "pattern"))
}

func (t *maker) bounds() (int, *int) {
	least := max(0, t.n(4, "min")-2)
	if t.coin("max") {
		return least, new(least + t.n(2, "more"))
	}
	return least, nil
}

func (t *maker) str() *String {
	s := &String{}
	s.Min, s.Max = t.bounds()
	if t.coin("language") {
		s.Language = t.language()
	}
	return s
}

func (t *maker) item(depth, counts int) Item {
	var item Item
	for range 1 + t.n(1, "choices") {
		item = append(item, Choice{t.value(depth), uint64(t.n(1<<counts-1, "counts"))})
	}
	return item
}

func (t *maker) array(depth int) *Array {
	a := &Array{Unique: t.n(2, "unique") == 0}
	a.Min, a.Max = t.bounds()
	for range max(0, t.n(3, "counts")-1) {
		c := Count{}
		c.Min, c.Max = t.bounds()
		a.Counts = append(a.Counts, c)
	}
	for range max(0, t.n(4, "prefix")-2) {
		a.Prefix = append(a.Prefix, t.item(depth, len(a.Counts)))
	}
	if t.n(3, "rest") > 0 {
		a.Rest = t.item(depth, len(a.Counts))
	}
	return a
}

var texts = []string{"", "a", "b", "ab", "abab", "abc", "bb", "é", "☃", "😀", "\n", `"`, `x"`, "\\", "д", "ж", "\u0000", "\u007f", "aé"}

func (t *maker) object(depth int) *Object {
	o := &Object{}
	if t.coin("count") {
		o.Min, o.Max = t.bounds()
	}
	seen := map[string]bool{}
	for range t.n(3, "properties") {
		name := rapid.SampledFrom(texts).Draw(t.T, "name")
		if seen[name] {
			continue
		}
		seen[name] = true
		p := Property{Name: name, Required: t.n(2, "required") == 0}
		if t.n(5, "allowed") > 0 {
			p.Value = t.value(depth)
		}
		o.Properties = append(o.Properties, p)
	}
	for range max(0, t.n(3, "patterns")-1) {
		p := Pattern{Names: t.language()}
		if t.n(5, "allowed") > 0 {
			p.Value = t.value(depth)
		}
		o.Patterns = append(o.Patterns, p)
	}
	if t.coin("rest") {
		o.Rest = t.value(depth)
	}
	if t.n(4, "names") == 0 {
		o.Names = t.language()
	}
	if t.n(3, "dependent") == 0 {
		o.Dependent = append(o.Dependent, Dependent{rapid.SampledFrom(texts).Draw(t.T, "if"), rapid.SliceOfN(rapid.SampledFrom(texts), 0, 2).Draw(t.T, "then")})
	}
	return o
}

// member draws a decoded value that is likely to belong to the set.
func (t *maker) member(v *Value, depth int) any {
	var ways []func() any
	if v.Null {
		ways = append(ways, func() any { return nil })
	}
	if v.True || v.False {
		ways = append(ways, func() any { return v.True })
	}
	for range v.Numbers {
		ways = append(ways, func() any { return t.digits() })
	}
	for _, s := range v.Strings {
		ways = append(ways, func() any { return t.text(s.Language) })
	}
	if depth > 0 {
		for _, a := range v.Arrays {
			ways = append(ways, func() any {
				x := []any{}
				for i := range a.Min + t.n(2, "more") {
					if place := a.place(i); len(place) > 0 {
						x = append(x, t.member(place[t.n(len(place)-1, "choice")].Value, depth-1))
					}
				}
				return x
			})
		}
		for _, o := range v.Objects {
			ways = append(ways, func() any { return t.members(o, depth-1) })
		}
	}
	if len(ways) == 0 || t.n(15, "mutated") == 0 {
		return rapid.SampledFrom([]any{nil, true, json.Number("1"), "a", []any{}, map[string]any{}}).Draw(t.T, "other")
	}
	return ways[t.n(len(ways)-1, "part")]()
}

func (t *maker) members(o *Object, depth int) any {
	x := map[string]any{}
	add := func(name string) {
		if v := o.value(name); v != nil {
			x[name] = t.member(v, depth)
		}
	}
	for _, p := range o.Properties {
		if p.Required || t.coin("there") {
			add(p.Name)
		}
	}
	for _, d := range o.Dependent {
		if _, there := x[d.If]; there {
			for _, name := range d.Then {
				add(name)
			}
		}
	}
	for _, p := range o.Patterns {
		if t.coin("there") {
			add(t.text(p.Names))
		}
	}
	for range t.n(2, "others") {
		add(t.text(nil))
	}
	return x
}

func (t *maker) text(l *regular.Language) string {
	text := rapid.SampledFrom(texts).Draw(t.T, "text")
	if l != nil && !matches(l, text) {
		if list := l.Words(6); len(list) > 0 {
			text = rapid.SampledFrom(list).Draw(t.T, "word")
		}
	}
	return text
}

func (t *maker) digits() json.Number {
	if t.coin("known") {
		return json.Number(rapid.SampledFrom(numbers).Draw(t.T, "number"))
	}
	n := strconv.Itoa(rapid.IntRange(-130, 130).Draw(t.T, "whole"))
	if t.coin("fraction") {
		n += rapid.SampledFrom([]string{".0", ".5", ".25", ".00", ".01", ".005", ".125", ".3"}).Draw(t.T, "fraction")
	}
	return json.Number(n)
}

// spell writes a value in one of its ways.
func (t *maker) spell(b *strings.Builder, x any) {
	gap := func() {
		b.WriteString(rapid.SampledFrom([]string{"", "", "", " ", "\n", "\n  ", "\r\n\t"}).Draw(t.T, "gap"))
	}
	switch x := x.(type) {
	case string:
		t.spellText(b, x)
	case []any:
		b.WriteString("[")
		for i, item := range x {
			if i > 0 {
				b.WriteString(",")
			}
			gap()
			t.spell(b, item)
			gap()
		}
		b.WriteString("]")
	case map[string]any:
		names := make([]string, 0, len(x))
		for name := range x {
			names = append(names, name)
		}
		if len(names) > 1 {
			names = rapid.Permutation(slices.Sorted(slices.Values(names))).Draw(t.T, "order")
		}
		b.WriteString("{")
		for i, name := range names {
			if i > 0 {
				b.WriteString(",")
			}
			gap()
			t.spellText(b, name)
			b.WriteString(rapid.SampledFrom([]string{":", ": ", " : "}).Draw(t.T, "colon"))
			t.spell(b, x[name])
			gap()
		}
		b.WriteString("}")
	default:
		text, _ := json.Marshal(x)
		b.Write(text)
	}
}

func (t *maker) spellText(b *strings.Builder, text string) {
	b.WriteString(`"`)
	for _, r := range text {
		switch how := t.n(3, "spelling"); {
		case how == 0:
			b.WriteString(units(r))
		case how == 1:
			b.WriteString(`\` + escaped(r))
		default:
			b.WriteString(spelledOne(r))
		}
	}
	b.WriteString(`"`)
}

func TestRandom(t *testing.T) {
	members := 0
	rapid.Check(t, func(rt *rapid.T) {
		mk := &maker{T: rt}
		v := mk.value(3)
		s, err := v.Machine(Format{})
		var unsupported *UnsupportedError
		if errors.As(err, &unsupported) && unsupported.Part != nil {
			rt.Skip(err)
		}
		if err == nil && mk.n(4, "forgetful") == 0 {
			s.(*state).m.most = mk.n(30, "most")
		}
		for range 4 {
			x := mk.member(v, 4)
			var b strings.Builder
			mk.spell(&b, x)
			text := b.String()
			want := v.Has(decode(rt, text))
			if want {
				members++
			}
			if err != nil {
				if want {
					rt.Fatalf("%v, but %s belongs to it: %s", err, text, describe(v))
				}
				continue
			}
			if got, at := machine.Accepts(s, []byte(text)); got != want {
				rt.Fatalf("%s: accepted %v at %d, belongs %v: %s", text, got, at, want, describe(v))
			}
		}
		if err == nil {
			walk(rt, v, s)
		}
	})
	t.Logf("%d members", members)
}

// walk follows random bytes and closes the text.
func walk(t *rapid.T, v *Value, s machine.State) {
	var text []byte
	defer func() {
		if p := recover(); p != nil {
			t.Log(describe(v))
			t.Logf("behind %q", text)
			panic(p)
		}
	}()
	for range rapid.IntRange(0, 60).Draw(t, "steps") {
		checkShortest(t, s, string(text))
		var live []byte
		for b := range 256 {
			if s.Next(byte(b)) != nil {
				live = append(live, byte(b))
			}
		}
		if len(live) == 0 {
			break
		}
		for range 3 {
			b := rapid.SampledFrom(live).Draw(t, "ahead")
			checkShortest(t, s.Next(b), string(text)+string(rune(b)))
		}
		b := rapid.SampledFrom(live).Draw(t, "byte")
		text = append(text, b)
		s = s.Next(b)
	}
	checkShortest(t, s, string(text))
	text = append(text, s.Shortest()...)
	if x := decode(t, string(text)); !v.Has(x) {
		t.Fatalf("%q is read, but does not belong: %s", text, describe(v))
	}
}

func describe(v *Value) string {
	d := describer{}
	return d.value(v)
}

type describer map[*Value]int

func (d describer) value(v *Value) string {
	if v == nil {
		return "-"
	}
	if n, ok := d[v]; ok {
		return fmt.Sprint("#", n)
	}
	d[v] = len(d)
	out := fmt.Sprint("#", d[v], "=(")
	if v.Null {
		out += "null "
	}
	if v.True {
		out += "true "
	}
	if v.False {
		out += "false "
	}
	for _, n := range v.Numbers {
		out += fmt.Sprint("number", *n, " ")
	}
	for _, s := range v.Strings {
		out += fmt.Sprint("string", s.Language != nil, " ", s.Min, bound(s.Max), " ")
	}
	item := func(i Item) (out string) {
		for _, c := range i {
			out += fmt.Sprintf("%b:%s|", c.Counts, d.value(c.Value))
		}
		return out
	}
	for _, a := range v.Arrays {
		out += fmt.Sprint("array[", a.Min, bound(a.Max), a.Unique, "; ")
		for _, p := range a.Prefix {
			out += item(p) + ", "
		}
		out += "rest " + item(a.Rest)
		for _, c := range a.Counts {
			out += fmt.Sprint(" count ", c.Min, bound(c.Max))
		}
		out += "] "
	}
	for _, o := range v.Objects {
		out += fmt.Sprint("object{", o.Min, bound(o.Max), "; ")
		for _, p := range o.Properties {
			out += fmt.Sprintf("%q %v %s, ", p.Name, p.Required, d.value(p.Value))
		}
		for _, p := range o.Patterns {
			out += fmt.Sprintf("/%q.../ %s, ", p.Names.Words(3), d.value(p.Value))
		}
		out += "rest " + d.value(o.Rest)
		if o.Names != nil {
			out += fmt.Sprintf(" names %q", o.Names.Words(3))
		}
		out += fmt.Sprint(o.Dependent, "} ")
	}
	return out + ")"
}

func bound(n *int) string {
	if n == nil {
		return "..."
	}
	return fmt.Sprint("..", *n)
}
