package serve

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Errors name fields as OpenAI does: messages[0].content. What reads a part of a body
// names fields from that part on, and who knows where the part lies puts that before.

// under is the error of a field of a part that lies at field.
func (e *Error) under(field string) *Error {
	switch {
	case field == "":
		return e
	case e.Param == "", e.Param[0] == '[':
		return e.named(field + e.Param)
	}
	return e.named(field + "." + e.Param)
}

// named is the error with another name for its field.
func (e *Error) named(field string) *Error {
	out := *e
	text := e.Message
	if e.Param != "" {
		text = strings.TrimPrefix(text, e.Param+": ")
	}
	out.Param, out.Message = field, field+": "+text
	return &out
}

// under is an error of a part that lies at field.
func under(field string, err error) error {
	if e, ok := err.(*Error); ok {
		return e.under(field)
	}
	return err
}

// wrong is the error of a field; "" is the part that is being read.
func wrong(field, message string) *Error {
	return (&Error{Message: message, Code: "invalid_value"}).under(field)
}

// param is a JSON pointer in a value as OpenAI writes places.
func param(p jsontext.Pointer, in jsontext.Kind) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "" && (b.Len() > 0 || in == '['):
			fmt.Fprintf(&b, "[%s]", token)
		case b.Len() > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
	}
	return b.String()
}

// kinds are the kinds of values in words.
var kinds = map[jsontext.Kind]string{'n': "null", 't': "true", 'f': "false", '"': "a string", '0': "a number", '{': "an object", '[': "a list"}

// needed is the error of a field whose value is of the wrong type.
func needed(field, what string, got jsontext.Kind) *Error {
	e := &Error{Message: fmt.Sprintf("%s is needed, not %s", what, kinds[got]), Code: "invalid_type"}
	if got == 0 {
		e.Message = "it is missing: " + what + " is needed"
	}
	return e.under(field)
}

// typeWords is what JSON has for a Go type.
func typeWords(t reflect.Type) string {
	switch k := t.Kind(); {
	case k == reflect.Pointer:
		return typeWords(t.Elem())
	case k == reflect.Bool:
		return "true or false"
	case k >= reflect.Int && k <= reflect.Uint64:
		return "a whole number"
	case k == reflect.Float32, k == reflect.Float64:
		return "a number"
	case k == reflect.String:
		return "a string"
	case k == reflect.Slice, k == reflect.Array:
		return "a list"
	}
	return "an object"
}

// maxListed is how many names an error lists; of more it says where they stand.
const maxListed = 12

// unknown is the error of a field that is not known; name is the last part of it, and
// known are those that would be.
func unknown(field, name string, known []string) *Error {
	if remedy, ok := refused[name]; ok && field == name {
		return (&Error{Message: "it is not supported: " + remedy, Code: "unsupported_parameter"}).under(field)
	}
	text := "unknown parameter"
	if near := nearest(name, known); near != "" {
		text += ", perhaps " + near + " is meant"
	}
	switch {
	case len(known) == 0:
		text += ": there are none here"
	case len(known) <= maxListed:
		text += ": there are " + strings.Join(known, ", ")
	default:
		text += ": there are those of OpenAI's interface and of docs/api.md"
	}
	return (&Error{Message: text, Code: "unknown_parameter"}).under(field)
}

// refused are fields of OpenAI's interface that a model here can do nothing with, and what
// can be done.
var refused = map[string]string{
	"functions":          "tools are",
	"function_call":      "tool_choice is",
	"prediction":         "leave it out: the text is the same without",
	"web_search_options": "give what was found as a message",
	"audio":              "models here write text",
}

// commas is a list of names in words.
func commas[S ~string](names []S) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = string(name)
	}
	return strings.Join(words, ", ")
}

// fieldNames are the names that JSON has for the fields of a type.
func fieldNames(t reflect.Type) (names []string) {
	if t.Kind() == reflect.Pointer {
		return fieldNames(t.Elem())
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		switch name, _, _ := strings.Cut(f.Tag.Get("json"), ","); {
		case name != "" && name != "-":
			names = append(names, name)
		case f.Anonymous && name == "":
			names = append(names, fieldNames(f.Type)...)
		}
	}
	return names
}

// nearest is the one of the names that a name was most likely meant to be, "" if none is
// near.
func nearest(name string, names []string) (near string) {
	name = strings.ToLower(name)
	least := min(2, len(name)/3) + 1
	for _, n := range names {
		if d := len(n) - len(name); d < -2 || d > 2 {
			continue
		}
		if d := distance(name, n); d < least {
			near, least = n, d
		}
	}
	return near
}

// distance is how many bytes must be changed, put in or taken out to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0] // of the row above, one to the left
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
