package foundling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"reflect"
	"slices"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/grammar/language"
	"github.com/foundling-lm/foundling/generate/partial"
	"github.com/foundling-lm/foundling/text/chat"
)

// GenerateInto answers a prompt with a value of a Go type: a struct, mostly. The
// model can write nothing else: its ids are held to the JSON Schema of T, which
// Schema makes. A model fine-tuned on conversations answers the prompt as a message,
// another continues it. With d.MaxTokens 0 the value has the context's room; a limit
// too small for any value is an error, like d.Grammar.
func GenerateInto[T any](ctx context.Context, m *Model, prompt string, d Decoding) (T, error) {
	var last T
	for v, err := range StreamInto[T](ctx, m, prompt, d) {
		if err != nil {
			var none T
			return none, err
		}
		last = v
	}
	return last, nil
}

// StreamInto is GenerateInto with the value as it grows: strings get longer, slices
// and structs are filled, what is there stays. The last is the whole value. An error
// is the last thing that the iterator gives.
func StreamInto[T any](ctx context.Context, m *Model, prompt string, d Decoding) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := streamInto(ctx, m, prompt, d, func(v T) bool { return yield(v, nil) }); err != nil {
			yield(none, err)
		}
	}
}

func streamInto[T any](ctx context.Context, m *Model, prompt string, d Decoding, yield func(T) bool) error {
	if d.Grammar != nil {
		return errors.New("the type is the format of the answer: Decoding.Grammar cannot be another one")
	}
	var err error
	if d.Grammar, err = m.grammarOf(reflect.TypeFor[T]()); err != nil {
		return err
	}
	ids, o, err := m.prompt(prompt, d)
	if err != nil {
		return err
	}
	var text partial.Decoder
	var shown []byte
	var bad error
	stopped := false
	r, err := m.Engine.Generate(ctx, ids, o, func(p Piece) bool {
		if _, bad = text.Write([]byte(p.Text)); bad != nil {
			return false
		}
		s := text.Snapshot()
		if s == nil || bytes.Equal(s, shown) {
			return true
		}
		shown = s
		var v T
		if decode(s, &v) != nil {
			return true // the value's own decoder wants more of it
		}
		stopped = !yield(v)
		return !stopped
	})
	d.report(r)
	switch {
	case err != nil || stopped:
		return err
	case bad != nil:
		return bad
	}
	if err := text.Close(); err != nil {
		return fmt.Errorf("the text ended (%s) before the value was whole: %w", r.Finish, err)
	}
	var v T
	if err := decode(text.Text(), &v); err != nil {
		return fmt.Errorf("%q fits the schema of %T but not the type: %w", text.Text(), v, err)
	}
	yield(v)
	return nil
}

// prompt is a prompt as ids and how the answer is made: to a message where the model
// answers, else to a text that goes on.
func (m *Model) prompt(prompt string, d Decoding) (ids []int32, o generate.Options, err error) {
	o = m.Options(d)
	if m.Bundle.Chat {
		o.StopIDs = m.Bundle.Stops()
		ids, _, err = m.Bundle.ChatPrompt([]Message{{Role: chat.RoleUser, Content: prompt}}, 1)
	} else {
		ids, err = m.Bundle.TextPrompt(prompt)
	}
	if err == nil {
		ids, err = m.Begin(ids, d, &o)
	}
	return ids, o, err
}

// grammarOf is the grammar of a type's JSON, made once.
func (m *Model) grammarOf(t reflect.Type) (*Grammar, error) {
	if g, ok := m.types.Load(t); ok {
		return g.(*Grammar), nil
	}
	s, err := schemaOf(t)
	if err != nil {
		return nil, err
	}
	g, err := m.Grammar(Format{Source: language.Source{Schema: s}})
	if err != nil {
		return nil, fmt.Errorf("the schema of %v: %w", t, err)
	}
	m.types.Store(t, g)
	return g, nil
}

// Schema is the JSON Schema of the values of a Go type, as encoding/json writes them:
// fields under their json names, those without omitempty required, the text of a
// jsonschema tag as description. Numbers are bounded by what the type holds, integers
// of 64 bits by what JSON numbers are exact for (2^53). Slices and maps are not null.
func Schema[T any]() ([]byte, error) { return schemaOf(reflect.TypeFor[T]()) }

func schemaOf(t reflect.Type) ([]byte, error) {
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: typeSchemas})
	if err != nil {
		return nil, fmt.Errorf("%v has no JSON Schema: %w", t, err)
	}
	notNull(s)
	return json.Marshal(s)
}

const (
	exact   = 1<<53 - 1 // every integer up to here is a JSON number of its own
	largest = 1e300     // of a float64, for short
)

var typeSchemas = map[reflect.Type]*jsonschema.Schema{
	reflect.TypeFor[int]():           between("integer", -exact, exact),
	reflect.TypeFor[int64]():         between("integer", -exact, exact),
	reflect.TypeFor[time.Duration](): between("integer", -exact, exact),
	reflect.TypeFor[uint]():          between("integer", 0, exact),
	reflect.TypeFor[uint64]():        between("integer", 0, exact),
	reflect.TypeFor[uintptr]():       between("integer", 0, exact),
	reflect.TypeFor[float64]():       between("number", -largest, largest),
	reflect.TypeFor[float32]():       between("number", -1e38, 1e38),
	// RFC 3339 as package time reads it: no small letters, no leap seconds.
	reflect.TypeFor[time.Time]():       {Type: "string", Format: "date-time", Pattern: `T\d\d:\d\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$`},
	reflect.TypeFor[json.Number]():     {Type: "number"},
	reflect.TypeFor[big.Int]():         {Type: "integer"},
	reflect.TypeFor[json.RawMessage](): {},
	reflect.TypeFor[[]byte]():          {Type: "string", Pattern: "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"},
}

func between(kind string, low, high float64) *jsonschema.Schema {
	return &jsonschema.Schema{Type: kind, Minimum: &low, Maximum: &high}
}

// notNull leaves null out of what is a list or an object.
func notNull(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if slices.Contains(s.Types, "array") || slices.Contains(s.Types, "object") && s.Properties == nil {
		s.Types = slices.DeleteFunc(slices.Clone(s.Types), func(t string) bool { return t == "null" })
		if len(s.Types) == 1 {
			s.Type, s.Types = s.Types[0], nil
		}
	}
	notNull(s.Items)
	notNull(s.AdditionalProperties)
	for _, p := range s.Properties {
		notNull(p)
	}
}

// decode fills v from JSON.
func decode(text []byte, v any) error {
	text, err := plain(text)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// plain spells JSON as decoders expect it that read bytes: a schema takes any escape in
// a string, package time does not.
func plain(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		return nil, err
	}
	return json.Marshal(x)
}
