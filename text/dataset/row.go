package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// value is a JSON value as it lies in the file.
type value = jsontext.Value

// Row is one object of a file: its columns in their order.
type Row struct {
	names  []string
	values map[string]value
}

// ParseRow reads one JSON object; of a repeated name the last value counts. The
// row keeps nothing of b.
func ParseRow(b []byte) (*Row, error) {
	b = bytes.Clone(b)
	dec := jsontext.NewDecoder(bytes.NewBuffer(b), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if k := dec.PeekKind(); k != '{' && k != 0 {
		return nil, fmt.Errorf("the row is %s: want one JSON object a row", kindName(k))
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, malformed(err)
	}
	r := &Row{values: map[string]value{}}
	for dec.PeekKind() != '}' {
		t, err := dec.ReadToken()
		if err != nil {
			return nil, malformed(err)
		}
		name := t.String()
		v, err := dec.ReadValue()
		if err != nil {
			return nil, malformed(err)
		}
		if _, ok := r.values[name]; !ok {
			r.names = append(r.names, name)
		}
		end := dec.InputOffset()
		r.values[name] = value(b[end-int64(len(v)) : end : end])
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, malformed(err)
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, errors.New("text follows the JSON object: put each record on a line of its own")
	}
	return r, nil
}

func malformed(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("malformed JSON: the row ends inside the object: repair or remove it")
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Errorf("malformed JSON at byte %d of the row: %w: repair or remove it", syntax.ByteOffset+1, syntax.Err)
	}
	return fmt.Errorf("malformed JSON: %w: repair or remove the row", err)
}

// rename gives columns the names of Options.Columns.
func (r *Row) rename(columns map[string]string) {
	for from, to := range columns {
		v, ok := r.values[from]
		if !ok {
			continue
		}
		delete(r.values, from)
		if _, there := r.values[to]; there { // the renamed column wins
			r.names = remove(r.names, to)
		}
		r.values[to] = v
		for i, name := range r.names {
			if name == from {
				r.names[i] = to
			}
		}
	}
}

func remove(names []string, name string) []string {
	var out []string
	for _, n := range names {
		if n != name {
			out = append(out, n)
		}
	}
	return out
}

// kind of a column's value; 0 where the column is missing or null.
func (r *Row) kind(name string) jsontext.Kind {
	v, ok := r.values[name]
	if !ok || v.Kind() == 'n' {
		return 0
	}
	return v.Kind()
}

// first is the first of the names whose column is there, or "".
func (r *Row) first(names ...string) string {
	for _, n := range names {
		if r.kind(n) != 0 {
			return n
		}
	}
	return ""
}

// fault is what is wrong with a column.
type fault struct {
	field   string
	reason  Reason
	problem string
}

// Error is the problem.
func (f *fault) Error() string { return f.field + ": " + f.problem }

func wrongType(field string, v value, want string) error {
	return &fault{field, WrongType, fmt.Sprintf("it holds %s: want %s", kindName(v.Kind()), want)}
}

// str is a column that holds a string; "" where it is missing or null.
func (r *Row) str(name string) (string, error) {
	switch r.kind(name) {
	case 0:
		return "", nil
	case '"':
		return unquote(r.values[name]), nil
	}
	return "", wrongType(name, r.values[name], "a string")
}

// number is a column that holds a finite number.
func (r *Row) number(name string) (float64, error) {
	v := r.values[name]
	switch v.Kind() {
	case '0':
		var x float64
		if err := json.Unmarshal(v, &x); err != nil || math.IsInf(x, 0) {
			return 0, &fault{name, NotANumber, fmt.Sprintf("%s is outside the range of float64: want a finite number", v)}
		}
		return x, nil
	case '"':
		if s := unquote(v); strings.EqualFold(s, "nan") || strings.Contains(strings.ToLower(s), "inf") {
			return 0, &fault{name, NotANumber, fmt.Sprintf("it is %q: want a finite number", s)}
		}
	}
	return 0, wrongType(name, v, "a number")
}

// flag is a column that holds true or false, 1 or 0.
func flag(field string, v value) (bool, error) {
	switch string(v) {
	case "true", "1", "1.0":
		return true, nil
	case "false", "0", "0.0":
		return false, nil
	}
	return false, &fault{field, WrongType, fmt.Sprintf("it holds %s: want true or false (or 1 or 0)", clip(string(v)))}
}

// list is the elements of a column that holds an array.
func list(field string, v value) ([]value, error) {
	if v.Kind() != '[' {
		return nil, wrongType(field, v, "an array")
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(v, &raw); err != nil {
		return nil, &fault{field, Malformed, err.Error()}
	}
	out := make([]value, len(raw))
	for i, x := range raw {
		out[i] = value(x)
	}
	return out, nil
}

// object is the columns of a value that is an object.
func object(field string, v value) (*Row, error) {
	if v.Kind() != '{' {
		return nil, wrongType(field, v, "an object")
	}
	r, err := ParseRow(v)
	if err != nil {
		return nil, &fault{field, Malformed, err.Error()}
	}
	return r, nil
}

// unquote is the string of a JSON string. What is no Unicode in it becomes
// U+FFFD.
func unquote(v value) string {
	if len(v) >= 2 && bytes.IndexByte(v, '\\') < 0 && utf8.Valid(v) { // nothing to undo
		return string(v[1 : len(v)-1])
	}
	b, _ := jsontext.AppendUnquote(make([]byte, 0, len(v)), v) // the error is that of bytes it replaced
	return string(b)
}

// quoted is s as a JSON string.
func quoted(s string) value {
	b, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(s, "\uFFFD"))
	return b
}

func clip(s string) string {
	if len(s) <= 40 {
		return s
	}
	return strings.ToValidUTF8(s[:40], "") + "..."
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "no value"
}

// described are the names of the columns; those that hold nothing say so.
func (r *Row) described() []string {
	out := make([]string, len(r.names))
	for i, name := range r.names {
		if out[i] = name; r.kind(name) == 0 {
			out[i] += " (null)"
		}
	}
	return out
}

// Text is the text of a column, and whether there is one that is not null.
func (r *Row) Text(column string) (s string, found bool, err error) {
	if r.kind(column) == 0 {
		return "", false, nil
	}
	s, err = r.str(column)
	return s, true, err
}

// Records are those of a row, in the first of the shapes that give one of the
// kinds; the error says which columns there are and which are wanted.
func (r *Row) Records(kinds ...Kind) ([]Record, error) {
	of := &reader{o: &Options{Kinds: kinds}}
	s, err := of.shapeOf(r)
	if err != nil {
		return nil, err
	}
	out, err := s.read(r)
	for i := range out {
		out[i].Kind = s.kind
	}
	return out, err
}

// Has tells whether one of the columns is there and not null.
func (r *Row) Has(columns ...string) bool { return r.first(columns...) != "" }
