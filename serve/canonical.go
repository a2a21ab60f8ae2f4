package serve

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
)

// What a text depends on is written so that two requests have the same bytes exactly if
// they ask for the same: canonical is the resolved options, field by field, so that a new
// option is part of it without a line here.

// passedOver are the options that no text depends on, or that are told in another way.
var passedOver = []string{"Key", "Constraint", "TimeLimit", "Vocabulary"}

// canonical appends a value. It fails on what cannot be compared: functions, channels and
// interfaces.
func canonical(b []byte, v reflect.Value) ([]byte, error) {
	var err error
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(b, 't'), nil
		}
		return append(b, 'f'), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.LittleEndian.AppendUint64(append(b, 'i'), uint64(v.Int())), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.LittleEndian.AppendUint64(append(b, 'u'), v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		x := v.Float()
		if x == 0 {
			x = 0 // of either sign
		}
		return binary.LittleEndian.AppendUint64(append(b, 'd'), math.Float64bits(x)), nil
	case reflect.String:
		return appendText(b, v.String()), nil
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			return append(b, 'n'), nil
		}
		b = binary.AppendUvarint(append(b, '['), uint64(v.Len()))
		for i := range v.Len() {
			if b, err = canonical(b, v.Index(i)); err != nil {
				return nil, err
			}
		}
		return b, nil
	case reflect.Map:
		return canonicalMap(b, v)
	case reflect.Struct:
		t := v.Type()
		b = append(b, '{')
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() || slices.Contains(passedOver, f.Name) || v.Field(i).IsZero() {
				continue // a zero field may be new
			}
			if b, err = canonical(appendText(b, f.Name), v.Field(i)); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
		}
		return append(b, '}'), nil
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, 'n'), nil
		}
		return canonical(append(b, '*'), v.Elem())
	}
	return nil, fmt.Errorf("a %s cannot be compared", v.Kind())
}

// canonicalMap appends the pairs in the order of their keys' bytes.
func canonicalMap(b []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return append(b, 'n'), nil
	}
	var pairs []string
	for k, x := range v.Seq2() {
		pair, err := canonical(nil, k)
		if err == nil {
			pair, err = canonical(pair, x)
		}
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, string(pair))
	}
	slices.Sort(pairs)
	b = binary.AppendUvarint(append(b, 'm'), uint64(len(pairs)))
	for _, p := range pairs {
		b = appendText(b, p)
	}
	return b, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(append(b, '"'), uint64(len(s))), s...)
}

// canonicalRequests is the texts that are asked for. Without a seed the draws are
// anybody's; where nothing is drawn the seed does not count. Prompts are left out where
// prompts is false.
func canonicalRequests(requests []generate.Request, seeded, prompts bool) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(requests)))
	for _, r := range requests {
		r.Sample = r.Sample.Filled() // a default that is said is one
		switch {
		case r.Sample.Temperature == 0:
			r.Sample.Seed, r.Stream = 0, 0
		case !seeded:
			r.Sample.Seed = 0
			b = append(b, '?')
		}
		if !prompts {
			r.Prompt = nil
		}
		var err error
		if b, err = canonical(b, reflect.ValueOf(r)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// canonicalBody is a request's JSON without the members of these names. What the order of
// its own members, white space or escapes alone tell apart has the same bytes; the order
// within members stays, since a schema's is that of the text, and so do all digits of
// numbers.
func canonicalBody(body []byte, without ...string) ([]byte, error) {
	fields, err := members(body)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		if !slices.Contains(without, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b []byte
	for _, name := range names {
		v, err := canonicalJSON(fields[name])
		if err != nil {
			return nil, err
		}
		b = appendText(appendText(b, name), string(v))
	}
	return b, nil
}

// canonicalJSON is a value without white space, with one way to write each string. The
// order of members and the digits of numbers stay.
func canonicalJSON(v jsontext.Value) (jsontext.Value, error) {
	v = v.Clone()
	return v, v.Canonicalize(jsontext.ReorderRawObjects(false), jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false))
}

// canonicalFormat is what a text must be: formats of the same bytes are of the same texts.
func canonicalFormat(f foundling.Format) (b []byte, err error) {
	schema := func(s *[]byte) {
		if *s != nil && err == nil {
			*s, err = canonicalJSON(*s)
		}
	}
	schema(&f.Schema)
	if f.Calls != nil {
		calls := *f.Calls
		calls.Functions = slices.Clone(calls.Functions)
		for i := range calls.Functions {
			schema(&calls.Functions[i].Parameters)
		}
		schema(&calls.Answer)
		f.Calls = &calls
	}
	if err != nil {
		return nil, err
	}
	return canonical(nil, reflect.ValueOf(f))
}

// members are those of a JSON object.
func members(object []byte) (map[string]jsontext.Value, error) {
	var fields map[string]jsontext.Value
	return fields, unmarshal(object, &fields)
}
