package shape

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// Const is the set of one value, as encoding/json decodes it: nil, bool, json.Number
// (exact) or float64, string, []any, map[string]any. It panics on other types and on a
// number that has no exact value here.
func Const(x any) *Value {
	v := &Value{}
	switch x := x.(type) {
	case nil:
		v.Null = true
	case bool:
		v.True, v.False = x, !x
	case json.Number, float64:
		r, ok := Rational(x)
		if !ok {
			panic("shape: not a number of reasonable size")
		}
		v.Numbers = []*Number{{Min: r, Max: r}}
	case string:
		v.Strings = []*String{{Language: regular.Strings(x)}}
	case []any:
		a := &Array{Min: len(x), Max: new(len(x))}
		for _, item := range x {
			a.Prefix = append(a.Prefix, Each(Const(item)))
		}
		v.Arrays = []*Array{a}
	case map[string]any:
		o := &Object{}
		for name, item := range x {
			o.Properties = append(o.Properties, Property{Name: name, Value: Const(item), Required: true})
		}
		slices.SortFunc(o.Properties, func(a, b Property) int { return strings.Compare(a.Name, b.Name) })
		v.Objects = []*Object{o}
	default:
		panic("shape: not a decoded JSON value")
	}
	return v
}

// maxScale bounds the exponent of numbers that are taken exactly.
const maxScale = 1000

// Rational is the exact value of a decoded number, a json.Number or float64; false if
// it is none or its exponent is beyond 1,000.
func Rational(x any) (*big.Rat, bool) {
	var text string
	switch x := x.(type) {
	case json.Number:
		text = string(x)
	case float64:
		text = strconv.FormatFloat(x, 'g', -1, 64)
	default:
		return nil, false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if e, err := strconv.Atoi(text[i+1:]); err != nil || e > maxScale || e < -maxScale {
			return nil, false
		}
	}
	return new(big.Rat).SetString(text)
}

// Has says whether a decoded JSON value (see Const) belongs to the set. It is the plain
// meaning of the types, beside the machine that reads texts.
func (v *Value) Has(x any) bool {
	if v == nil {
		return false
	}
	switch x := x.(type) {
	case nil:
		return v.Null
	case bool:
		return x && v.True || !x && v.False
	case json.Number, float64:
		r, ok := Rational(x)
		return ok && slices.ContainsFunc(v.Numbers, func(n *Number) bool { return n.has(r) })
	case string:
		return slices.ContainsFunc(v.Strings, func(s *String) bool { return s.has(x) })
	case []any:
		return slices.ContainsFunc(v.Arrays, func(a *Array) bool { return a.has(x) })
	case map[string]any:
		return slices.ContainsFunc(v.Objects, func(o *Object) bool { return o.has(x) })
	}
	return false
}

func (n *Number) has(x *big.Rat) bool {
	if n.Min != nil && (x.Cmp(n.Min) < 0 || n.OpenMin && x.Cmp(n.Min) == 0) {
		return false
	}
	if n.Max != nil && (x.Cmp(n.Max) > 0 || n.OpenMax && x.Cmp(n.Max) == 0) {
		return false
	}
	return (n.MultipleOf == nil || multiple(x, n.MultipleOf)) &&
		!slices.ContainsFunc(n.NotMultipleOf, func(step *big.Rat) bool { return multiple(x, step) })
}

func multiple(x, step *big.Rat) bool { return new(big.Rat).Quo(x, step).IsInt() }

func (s *String) has(x string) bool {
	length := utf8.RuneCountInString(x)
	return length >= s.Min && (s.Max == nil || length <= *s.Max) && matches(s.Language, x)
}

// matches says whether a language, nil being all strings, has the text.
func matches(l *regular.Language, text string) bool {
	if l == nil {
		return true
	}
	q := l.Start()
	for _, r := range text {
		if q == regular.Dead {
			return false
		}
		q = l.Next(q, r)
	}
	return q != regular.Dead && l.Accepting(q)
}

// place is what item i may be.
func (a *Array) place(i int) Item {
	if i < len(a.Prefix) {
		return a.Prefix[i]
	}
	return a.Rest
}

func (a *Array) has(x []any) bool {
	if len(x) < a.Min || a.Max != nil && len(x) > *a.Max {
		return false
	}
	if a.Unique {
		seen := map[string]bool{}
		for _, item := range x {
			seen[Canonical(item)] = true
		}
		if len(seen) < len(x) {
			return false
		}
	}
	// tallies are the counts that some way to choose reaches, written as text.
	tallies := map[string][]int{"": make([]int, len(a.Counts))}
	for i, item := range x {
		next := map[string][]int{}
		for _, choice := range a.place(i) {
			if !choice.Value.Has(item) {
				continue
			}
			for _, tally := range tallies {
				tally = slices.Clone(tally)
				var key strings.Builder
				for c := range tally {
					tally[c] += int(choice.Counts >> c & 1)
					key.WriteString(strconv.Itoa(tally[c]) + " ")
				}
				next[key.String()] = tally
			}
		}
		tallies = next
	}
	for _, tally := range tallies {
		fits := true
		for c, count := range a.Counts {
			fits = fits && tally[c] >= count.Min && (count.Max == nil || tally[c] <= *count.Max)
		}
		if fits {
			return true
		}
	}
	return false
}

func (o *Object) has(x map[string]any) bool {
	if len(x) < o.Min || o.Max != nil && len(x) > *o.Max {
		return false
	}
	for name, value := range x {
		if !matches(o.Names, name) || !o.value(name).Has(value) {
			return false
		}
	}
	for _, p := range o.Properties {
		if _, there := x[p.Name]; p.Required && !there {
			return false
		}
	}
	for _, d := range o.Dependent {
		if _, there := x[d.If]; !there {
			continue
		}
		for _, name := range d.Then {
			if _, there := x[name]; !there {
				return false
			}
		}
	}
	return true
}

// value is the set that the value of a name belongs to; nil where the name may not be.
func (o *Object) value(name string) *Value {
	for _, p := range o.Properties {
		if p.Name == name {
			return p.Value
		}
	}
	return o.undeclared(name)
}

// undeclared is value of a name that is none of Properties.
func (o *Object) undeclared(name string) *Value {
	for _, p := range o.Patterns {
		if matches(p.Names, name) {
			return p.Value
		}
	}
	return o.Rest
}

// Canonical is a text that is the same for equal decoded values and differs for others.
// Equal are 1 and 1.0, and objects whatever the order of their names.
func Canonical(x any) string {
	switch x := x.(type) {
	case json.Number, float64:
		if r, ok := Rational(x); ok {
			return r.RatString()
		}
	case []any:
		var b strings.Builder
		for _, item := range x {
			b.WriteString("," + Canonical(item))
		}
		return "[" + b.String() + "]"
	case map[string]any:
		names := make([]string, 0, len(x))
		for name := range x {
			names = append(names, name)
		}
		slices.Sort(names)
		var b strings.Builder
		for _, name := range names {
			b.WriteString("," + strconv.Quote(name) + Canonical(x[name]))
		}
		return "{" + b.String() + "}"
	case string:
		return strconv.Quote(x)
	}
	text, _ := json.Marshal(x)
	return string(text)
}
