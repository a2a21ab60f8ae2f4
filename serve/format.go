package serve

import (
	"fmt"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling"
)

// responseFormat is OpenAI's way to ask for JSON.
type responseFormat struct {
	Type       string      `json:"type"`
	JSONSchema *jsonSchema `json:"json_schema"`
}

// jsonSchema is a schema with its name. The schema is kept to in full, strict or not: a
// keyword that cannot be enforced is an error.
type jsonSchema struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Schema      jsontext.Value `json:"schema"`
	Strict      *bool          `json:"strict"`
}

// format is what the text must be, and the field that says so; "" for free text.
func (f *writing) format() (source foundling.Format, field string, err error) {
	var given []string
	set := func(name string, is bool) {
		if is {
			given = append(given, name)
		}
	}
	if r := f.ResponseFormat; r != nil {
		switch r.Type {
		case "text":
		case "json_object":
			source.Schema = []byte(`{"type":"object"}`)
		case "json_schema":
			if r.JSONSchema == nil || len(r.JSONSchema.Schema) == 0 {
				return source, "", wrong("response_format.json_schema.schema", "it is missing")
			}
			source.Schema = r.JSONSchema.Schema
		default:
			return source, "", wrong("response_format.type", fmt.Sprintf("%q is none of text, json_object, json_schema", r.Type))
		}
		if r.JSONSchema != nil && r.Type != "json_schema" {
			return source, "", wrong("response_format.json_schema", "it needs the type json_schema")
		}
		set("response_format", source.Schema != nil)
	}
	if f.calling != nil && f.calling.may != nil {
		may := *f.calling.may
		source.Calls, may.Answer, source.Schema = &may, source.Schema, nil
		given = []string{"tools"}
	}
	source.Grammar, source.Name, source.Regex, source.Choices = f.More.Grammar, "grammar.gbnf", f.Regex, f.Choices
	set("grammar", source.Grammar != "")
	set("regex", source.Regex != "")
	set("choices", source.Choices != nil)
	if source.Choices != nil && len(source.Choices) == 0 {
		return source, "", wrong("choices", "the list is empty")
	}
	switch len(given) {
	case 0:
		return source, "", nil
	case 1:
		return source, given[0], nil
	}
	return source, "", wrong(given[1], "it goes not with "+given[0]+": give one of them")
}

// grammars are the languages that a model has been asked for of late.
type grammars struct {
	mu    sync.Mutex
	known map[string]*foundling.Grammar
	order []string // the oldest first
}

// maxGrammars is how many are remembered.
const maxGrammars = 64

// compile makes the language of a request, or remembers it.
func (m *served) compile(f *writing) (*foundling.Grammar, error) {
	source, field, err := f.format()
	if err != nil || field == "" {
		return nil, err
	}
	b, err := canonicalFormat(source)
	if err != nil {
		return nil, err
	}
	key, g := string(b), &m.grammars
	g.mu.Lock()
	known := g.known[key]
	g.mu.Unlock()
	if known != nil {
		return known, nil
	}
	made, err := m.Grammar(source)
	if err != nil && field == "tools" {
		return nil, f.calling.wrong(err)
	}
	if err != nil {
		if field == "response_format" && strings.HasPrefix(f.ResponseFormat.Type, "json_schema") {
			field = "response_format.json_schema.schema"
		}
		return nil, wrong(field, err.Error())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil {
		g.known = map[string]*foundling.Grammar{}
	}
	if g.known[key] == nil {
		g.order = append(g.order, key)
	}
	g.known[key] = made
	if len(g.order) > maxGrammars {
		delete(g.known, g.order[0])
		g.order = g.order[1:]
	}
	return made, nil
}
