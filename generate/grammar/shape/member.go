package shape

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// Const is the set of one value, as encoding/json decodes it: nil, bool, json.Number
// (exact) or float64, string, []any, map[string]any. It panics on other types and on a
// json.Number that is none.
func Const(x any) *Value {
	v := &Value{}
	switch x := x.(type) {
	case nil:
		v.Null = true
	case bool:
		v.True, v.False = x, !x
	case json.Number, float64:
		r := rational(x)
		v.Numbers = []*Number{{Min: r, Max: r}}
	case string:
		v.Strings = []*String{constString(x)}
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
