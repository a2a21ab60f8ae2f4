package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what is read. They bound time and memory for any input.
const (
	maxSource   = 16 << 20 // bytes of a schema, with all its documents
	maxDepth    = 1_000    // nesting of a document
	maxExponent = 400      // of a number in a schema: beyond the range of float64
	maxDigits   = 1_000    // characters of a number in a schema
)

// A kind is the sort of a JSON value, by its first byte: n t f 0 " [ {.
type kind byte

// A value is a JSON value of a schema document. Order is kept, numbers are kept as
// they are written, and a value knows its place.
type value struct {
	kind kind
	text string   // of a string, unescaped; of a number, as written
	keys []string // of an object, in order
	vals []*value // of an object or an array
	up   *value   // what holds this value; nil for a document
	doc  *document
}

// get is the member of an object, or nil.
func (v *value) get(key string) *value {
	for i, k := range v.keys {
		if k == key {
			return v.vals[i]
		}
	}
	return nil
}

// pointer is the JSON pointer of a value from the root of its document.
func (v *value) pointer() string {
	if v.up == nil {
		return ""
	}
	step := ""
	for i, w := range v.up.vals {
		if w == v {
			step = strconv.Itoa(i)
			if v.up.kind == '{' {
				step = escapePointer(v.up.keys[i])
			}
			break
		}
	}
	return v.up.pointer() + "/" + step
}

// escapePointer writes a key as a step of a JSON pointer (RFC 6901).
func escapePointer(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// rat is the exact number of a value; its range was checked when it was read.
func (v *value) rat() *big.Rat {
	r, ok := new(big.Rat).SetString(v.text)
	if !ok {
		panic("schema: a number that is none: " + v.text)
	}
	return r
}

// load reads one document.
func load(src []byte, name string) (*document, error) {
	if len(src) > maxSource {
		return nil, &Error{Message: fmt.Sprintf("the schema has %d bytes, more than %d", len(src), maxSource), Limit: true}
	}
	d := &document{name: name}
	r := reader{dec: jsontext.NewDecoder(bytes.NewReader(src)), doc: d}
	root, err := r.value(nil, 0)
	if err == nil {
		if _, err = r.dec.ReadToken(); err == nil {
			err = errors.New("something follows the schema")
		} else if err == io.EOF {
			err = nil
		}
	}
	if err != nil {
		var ours *Error
		if errors.As(err, &ours) {
			return nil, err
		}
		at, offset := string(r.dec.StackPointer()), r.dec.InputOffset()
		if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			offset, err = e.ByteOffset, e.Err
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the text ends before the value does")
		}
		before := src[:min(int(offset), len(src))]
		line, column := 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n')
		return nil, &Error{Pointer: at, Message: fmt.Sprintf("the schema is not JSON: line %d, byte %d: %v", line, column, err), Remedy: syntaxRemedy(src[len(before):])}
	}
	d.root = root
	return d, nil
}

// A reader builds values; they come from slabs, for a schema has thousands.
type reader struct {
	dec  *jsontext.Decoder
	doc  *document
	slab []value
}

func (r *reader) value(up *value, depth int) (*value, error) {
	if depth > maxDepth {
		return nil, &Error{Pointer: string(r.dec.StackPointer()), Message: fmt.Sprintf("nesting deeper than %d", maxDepth), Limit: true}
	}
	tok, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	if len(r.slab) == 0 {
		r.slab = make([]value, 64)
	}
	v := &r.slab[0]
	r.slab = r.slab[1:]
	v.kind, v.up, v.doc = kind(tok.Kind()), up, r.doc
	switch tok.Kind() {
	case '"':
		v.text = tok.String()
	case '0':
		v.text = tok.String()
		if err := checkNumber(v.text); err != nil {
			return nil, &Error{Pointer: string(r.dec.StackPointer()), Message: err.Error(), Limit: true}
		}
	case '[', '{':
		for r.dec.PeekKind() != tok.Kind()+2 { // ] and } lie two behind [ and {
			if tok.Kind() == '{' {
				key, err := r.dec.ReadToken()
				if err != nil {
					return nil, err
				}
				k := key.String()
				v.keys = append(v.keys, k)
				if k == "$id" || k == "id" || k == "$anchor" || k == "$dynamicAnchor" || k == "$recursiveAnchor" {
					r.doc.named = r.doc.named || depth > 0 || k[0] == '$' && k != "$id"
				}
			}
			w, err := r.value(v, depth+1)
			if err != nil {
				return nil, err
			}
			v.vals = append(v.vals, w)
		}
		if _, err := r.dec.ReadToken(); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// checkNumber refuses numbers whose exact value would fill the memory.
func checkNumber(s string) error {
	if len(s) > maxDigits {
		return fmt.Errorf("a number of %d characters, more than %d", len(s), maxDigits)
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if e, err := strconv.Atoi(s[i+1:]); err != nil || e > maxExponent || e < -maxExponent {
			return fmt.Errorf("the number %s is out of range: exponents go to %d", s, maxExponent)
		}
	}
	return nil
}

// equal says whether two values are the same by the rules of JSON Schema: numbers by
// what they are worth, objects whatever their order.
func equal(a, b *value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case '"':
		return a.text == b.text
	case '0':
		return a.text == b.text || a.rat().Cmp(b.rat()) == 0
	case '[', '{':
		if len(a.vals) != len(b.vals) {
			return false
		}
		for i, v := range a.vals {
			w := b.vals[i]
			if a.kind == '{' {
				if w = b.get(a.keys[i]); w == nil {
					return false
				}
			}
			if !equal(v, w) {
				return false
			}
		}
	}
	return true
}
