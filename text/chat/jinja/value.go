package jinja

import (
	"strconv"
	"strings"
)

// Value is what an expression gives: nil (Python's None), bool, int64, float64,
// Text, *List, *Dict, or something that only lives inside a template. Values do
// not change once made, except namespaces, as in Jinja's immutable sandbox.
type Value any

// List is a list or a tuple.
type List struct {
	Items []Value
	kind  listKind
}

// NewList is a list.
func NewList(items ...Value) *List { return &List{Items: items} }

type listKind uint8

const (
	kindList listKind = iota
	kindTuple
	kindGroup  // the tuple of groupby, with names for its items
	kindKeys   // of a dict
	kindValues // of a dict
	kindItems  // of a dict
	kindRange
)

// Dict is a mapping that keeps the order of its keys.
type Dict struct {
	keys, values []Value
	index        map[string]int
}

// Len is the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// Set adds a key or replaces its value. Only the maker of a Dict may call it.
func (d *Dict) Set(key string, v Value) { d.put(written(key), v) }

func (d *Dict) put(key, v Value) error {
	k, err := hashed(key, 0)
	if err != nil {
		return err
	}
	if d.index == nil {
		d.index = map[string]int{}
	}
	if i, ok := d.index[k]; ok {
		d.values[i] = v
		return nil
	}
	d.index[k] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, v)
	return nil
}

// Get finds a string key.
func (d *Dict) Get(key string) (Value, bool) {
	i, ok := d.index["s"+key]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

func (d *Dict) get(key Value) (Value, bool, error) {
	k, err := hashed(key, 0)
	if err != nil {
		return nil, false, err
	}
	i, ok := d.index[k]
	if !ok {
		return nil, false, nil
	}
	return d.values[i], true, nil
}

// All calls f for each key and value in order.
func (d *Dict) All(f func(key, value Value) bool) {
	for i, k := range d.keys {
		if !f(k, d.values[i]) {
			return
		}
	}
}

// hashed is equal for equal keys: 1, 1.0 and true are one key.
func hashed(key Value, depth int) (string, error) {
	switch k := key.(type) {
	case nil:
		return "z", nil
	case Text:
		return "s" + k.s, nil
	case bool:
		if k {
			return "n1", nil
		}
		return "n0", nil
	case int64:
		return "n" + strconv.FormatInt(k, 10), nil
	case float64:
		if k == float64(int64(k)) {
			return "n" + strconv.FormatInt(int64(k), 10), nil
		}
		return "f" + strconv.FormatFloat(k, 'g', -1, 64), nil
	case bigInt:
		return "n" + string(k), nil
	case undefined:
		return "u", nil
	case *List:
		if k.kind != kindTuple || depth > maxDeep {
			break
		}
		var b strings.Builder
		b.WriteByte('t')
		for _, x := range k.Items {
			s, err := hashed(x, depth+1)
			if err != nil {
				return "", err
			}
			b.WriteString(strconv.Itoa(len(s)) + ":" + s)
			if b.Len() > maxKey {
				return "", failf("the tuple is too long for a key")
			}
		}
		return b.String(), nil
	}
	return "", failf("a value of type %s cannot be a key", typeName(key))
}

// maxKey limits tuples as keys, in bytes: a tuple of one tuple twice, and so on,
// would be walked for ever.
const maxKey = 1 << 16

// maxDeep limits how deep values may be nested where all of a value is walked.
const maxDeep = 400

const errDeep = "the value is nested too deep"

type (
	// undefined is the value of what does not exist; it says why in words.
	undefined struct{ why string }

	// bigInt is an integer of the input with more than 64 bits, in decimal.
	bigInt string

	// namespace is the one thing that set can change from inside a loop.
	namespace struct{ dict Dict }

	// function is something that can be called.
	function struct {
		name string
		do   func(r *runner, a args) (Value, error)
	}

	// loop is the variable of that name.
	loop struct {
		items   []Value
		index   int // from 0
		depth   int // from 0
		changed []Value
		again   func(list Value) (Value, error) // nil without "recursive"
	}

	// cycler and joiner are made by the functions of these names.
	cycler struct {
		items []Value
		at    int
	}
	joiner struct {
		separator Value
		used      bool
	}
)

// typeName is Python's name of a value's type.
func typeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, bigInt:
		return "int"
	case float64:
		return "float"
	case Text:
		return "str"
	case *List:
		return [...]string{"list", "tuple", "tuple", "dict_keys", "dict_values", "dict_items", "range"}[v.kind]
	case *Dict:
		return "dict"
	case undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *loop:
		return "LoopContext"
	case *cycler:
		return "Cycler"
	case *joiner:
		return "Joiner"
	}
	return "function"
}

// truth is Python's bool(v).
func truth(v Value) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case Text:
		return v.s != ""
	case *List:
		return len(v.Items) > 0
	case *Dict:
		return len(v.keys) > 0
	case *loop:
		return len(v.items) > 0
	}
	return true
}

// number gives a bool, int64 or float64 as a number.
func number(v Value) (i int64, f float64, isInt, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, 1, true, true
		}
		return 0, 0, true, true
	case int64:
		return v, float64(v), true, true
	case float64:
		return 0, v, false, true
	}
	return 0, 0, false, false
}
