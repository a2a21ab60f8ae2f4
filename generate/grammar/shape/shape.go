// Package shape holds sets of JSON values and the machine that reads the JSON texts
// of those values byte by byte.
//
// A Value is a plain tree (or graph, for values that contain themselves): whoever
// compiles a schema fills it in. Machine turns it into a machine.State. JSON is read
// deterministically, so there is no lexer and no parser: a state is a set of threads,
// and a thread is a stack of open containers with a position inside the innermost
// text: a string, a number, a name or the gap between two of them.
//
// The machine accepts every spelling of a value: properties in any order, any escape
// of a character, any way to write a number. Every state is live: a property that may
// not come, a digit that leads out of a range and a comma with nothing to follow are
// refused at once.
//
// Limits, all of them stated: MaxDepth open containers, gaps as Space allows,
// exponents from MinExponent to MaxExponent, MaxThreads ways to read one text.
package shape

import (
	"math/big"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// A Value is a set of JSON values: the union of its parts. The zero Value is the
// empty set. Values may contain themselves through pointers. A Value must not change
// once a machine was made of it.
type Value struct {
	Null, True, False bool
	Numbers           []*Number
	Strings           []*String
	Arrays            []*Array
	Objects           []*Object
}

// A Number is a set of numbers: those between Min and Max that are multiples of
// MultipleOf and no multiples of any NotMultipleOf. The zero Number is all numbers.
// Integers are the multiples of 1, so 1.0 is one. Bounds and steps must be decimals
// (what a JSON text can say); steps are above 0. A set without one number is the
// union of two Numbers.
type Number struct {
	Min, Max         *big.Rat // nil: no bound
	OpenMin, OpenMax bool     // the bound itself is outside
	MultipleOf       *big.Rat // nil: any. Several steps are their least common multiple, see LCM.
	NotMultipleOf    []*big.Rat
	// Whole: written without fraction and exponent, as integers of draft 4 of JSON
	// Schema are: 1.0 is none. It goes with a MultipleOf that is whole.
	Whole bool
	// NoMinusZero: 0 is not written -0, which some decoders take for a fraction.
	NoMinusZero bool
}

// A String is a set of strings: those of Language with Min to Max code points.
type String struct {
	Language *regular.Language // nil: all strings
	Min      int
	Max      *int // nil: no bound
}

// An Array is a set of arrays: item i belongs to Prefix[i], behind the prefix to
// Rest, and their number lies between Min and Max.
type Array struct {
	Prefix []Item
	Rest   Item // nil: no items behind the prefix
	Min    int
	Max    *int // nil: no bound
	Unique bool // no two items are equal; 1 and 1.0 are
	// Counts bound how many items are of a kind (contains): item choices say which
	// counts they add to. At most 64.
	Counts []Count
}

// An Item is what one place of an array may hold: a value of one of the choices. An
// item that no count asks for has one choice, see Each.
type Item []Choice

// A Choice is a set of values and the counts that an item read as one of them adds to.
// For "contains C, at least n" over items V the choices are V (no counts) and V and C
// (count 0); with an upper bound they must be apart: V without C, and V and C. An array
// belongs to the set if some way to choose fits all counts.
type Choice struct {
	Value  *Value
	Counts uint64 // bit i: adds one to Counts[i]
}

// Each is the Item of one choice that adds to no count.
func Each(v *Value) Item { return Item{{Value: v}} }

// A Count bounds the number of items.
type Count struct {
	Min int
	Max *int // nil: no bound
}

// An Object is a set of objects. The value of a name belongs to the Property of that
// name; else to the first of Patterns whose Names has the name; else to Rest. A name
// comes once.
type Object struct {
	Properties []Property // names differ
	Patterns   []Pattern
	Rest       *Value            // nil: no other names
	Names      *regular.Language // what all names must belong to, declared ones too; nil: no bound
	Min        int               // number of properties
	Max        *int              // nil: no bound
	Dependent  []Dependent
}

// A Property is a declared name. A nil or empty Value forbids the name.
type Property struct {
	Name     string
	Value    *Value
	Required bool
}

// A Pattern gives a value to names that are not declared. A nil or empty Value forbids them.
type Pattern struct {
	Names *regular.Language
	Value *Value
}

// Dependent says that an object with the name If has all the names of Then.
type Dependent struct {
	If   string
	Then []string
}

// Any is the set of all JSON values.
func Any() *Value {
	v := &Value{Null: true, True: true, False: true, Numbers: []*Number{{}}, Strings: []*String{{}}}
	v.Arrays = []*Array{{Rest: Each(v)}}
	v.Objects = []*Object{{Rest: v}}
	return v
}

// Space says what white space may stand between the parts of a JSON text. It is
// bounded by construction. None stands before or after the whole text.
type Space int

const (
	// Serialised is what common serialisers write: in each gap nothing, one blank, or
	// a line break with up to MaxIndent blanks or tabs.
	Serialised Space = iota
	// Compact is no white space at all.
	Compact
	// Loose is any mix of up to MaxLoose blanks, tabs and line breaks in each gap.
	Loose
)

// Limits of the texts that machines read.
const (
	MaxIndent   = 128  // blanks behind a line break
	MaxLoose    = 256  // characters in a gap of Loose
	MaxDepth    = 64   // containers open at a time
	MinExponent = -324 // of a number's text
	MaxExponent = 308
	MaxThreads  = 256 // ways to read a beginning of a text that are followed; costlier ones are given up
)

// Format says how values are spelled; the zero Format is Serialised.
type Format struct {
	Space Space
}

// An UnsupportedError says why there is no machine for a Value.
type UnsupportedError struct {
	Part   any // the part at fault: a *Number, *String, *Array or *Object; nil: the whole
	Reason string
}

func (e *UnsupportedError) Error() string { return e.Reason }
