package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/foundling-lm/foundling/internal/rng"
)

// StructuredItem is a text with the fields that are in it.
type StructuredItem struct {
	ID   string          `json:"id"`
	Text string          `json:"text"`
	Gold json.RawMessage `json:"gold"` // JSON of the schema
	// Schema is that of this item; nil: the task's.
	Schema json.RawMessage `json:"-"`
	// Call says what is right where there are several answers; nil: Gold alone is.
	Call *Call `json:"-"`
}

// StructuredTask asks for the fields of texts as the JSON of a schema.
type StructuredTask struct {
	Name   string
	Schema []byte // nil: each item has its own
	Items  []StructuredItem
	Shots  []StructuredItem // solved in the prompt
	Ask    string           // the prompt's first line; "": for facts
	Label  string           // of a text in the prompt; "": Text
}

// orderSchema is what the built-in task wants.
const orderSchema = `{"type":"object","properties":{"name":{"type":"string","maxLength":12},"count":{"type":"integer","minimum":1,"maximum":99},` +
	`"color":{"enum":["red","blue","green"]},"gift":{"type":"boolean"}},"required":["name","count","color","gift"],"additionalProperties":false}`

// Orders is n short sentences about orders, after two that are solved in the
// prompt.
func Orders(n int, seed uint64) StructuredTask {
	stream := rng.Stream("lab: orders")
	item := func(i int) StructuredItem {
		draw := func(k, most int) int { return rng.Intn(seed, stream, uint64(8*i+k), most) }
		name := []string{"Ann", "Ben", "Eva", "Tom", "Lily", "Max", "Sue", "Tim"}[draw(0, 8)]
		count, color, gift := 1+draw(1, 20), []string{"red", "blue", "green"}[draw(2, 3)], draw(3, 2) == 0
		thing := []string{"balls", "hats", "cups", "books"}[draw(4, 4)]
		text := fmt.Sprintf("%s wants %d %s %s", name, count, color, thing)
		if gift {
			text += " as a gift"
		}
		return StructuredItem{ID: fmt.Sprint(i + 1), Text: text + ".",
			Gold: json.RawMessage(fmt.Sprintf(`{"name":%q,"count":%d,"color":%q,"gift":%t}`, name, count, color, gift))}
	}
	t := StructuredTask{Name: "orders", Schema: []byte(orderSchema), Shots: []StructuredItem{item(n), item(n + 1)}}
	for i := range n {
		t.Items = append(t.Items, item(i))
	}
	return t
}

// schema is the schema of an item's answers.
func (t *StructuredTask) schema(item StructuredItem) []byte {
	if item.Schema != nil {
		return item.Schema
	}
	return t.Schema
}

// Prompt asks for one item, after so many of the solved ones.
func (t *StructuredTask) Prompt(item StructuredItem, shots int) string {
	ask, label := t.Ask, t.Label
	if ask == "" {
		ask = "Write the facts as JSON."
	}
	if label == "" {
		label = "Text"
	}
	var b strings.Builder
	b.WriteString(ask + "\n\n")
	for _, s := range t.Shots[:shots] {
		fmt.Fprintf(&b, "%s: %s\nJSON: %s\n\n", label, s.Text, s.Gold)
	}
	fmt.Fprintf(&b, "%s: %s\nJSON:", label, item.Text)
	return b.String()
}

// ReadStructured reads items, JSON lines {"text":...,"gold":{...}}, for a schema.
// The first shots of them are solved in the prompt. Every gold must fit.
func ReadStructured(name string, r io.Reader, schema []byte, shots, most int) (StructuredTask, error) {
	t := StructuredTask{Name: name, Schema: schema}
	validator, err := compileSchema(schema)
	if err != nil {
		return t, err
	}
	err = eachLine(r, func(n int, line []byte) error {
		item := StructuredItem{ID: fmt.Sprint(n)}
		if err := json.Unmarshal(line, &item); err != nil {
			return fmt.Errorf("line %d of %s: %w", n, name, err)
		}
		if item.Text == "" {
			return fmt.Errorf("line %d of %s: field text is missing", n, name)
		}
		if err := fits(validator, string(item.Gold)); err != nil {
			return fmt.Errorf("line %d of %s: field gold: %w", n, name, err)
		}
		if len(t.Shots) < shots {
			t.Shots = append(t.Shots, item)
		} else if most == 0 || len(t.Items) < most {
			t.Items = append(t.Items, item)
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	if len(t.Items) == 0 {
		return t, fmt.Errorf("%s has no items beyond the %d that are solved in the prompt", name, shots)
	}
	return t, nil
}

// compileSchema reads a schema that stands alone: nothing is loaded for it.
func compileSchema(text []byte) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	if err := c.AddResource("schema.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("schema.json")
}

// fits says what keeps a text from being JSON of the schema.
func fits(s *jsonschema.Schema, text string) error {
	if !json.Valid([]byte(text)) {
		return errors.New("it is not JSON")
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	if err := s.Validate(v); err != nil {
		lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
		return errors.New(strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- "))
	}
	return nil
}

// agreement counts what is right in a text, of so much, and says whether all is.
func (item *StructuredItem) agreement(text string) (right, fields int, exact bool) {
	if item.Call != nil {
		return item.Call.agreement(text)
	}
	return agreement(text, item.Gold)
}

// agreement counts the fields of gold that a text has, and says whether it has
// them all and no other. Gold that is no object is one field.
func agreement(text string, gold json.RawMessage) (right, fields int, exact bool) {
	var want, got any
	if err := json.Unmarshal(gold, &want); err != nil {
		return 0, 1, false
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		got = nil
	}
	exact = reflect.DeepEqual(got, want)
	object, ok := want.(map[string]any)
	if !ok || len(object) == 0 {
		if exact {
			right = 1
		}
		return right, 1, exact
	}
	have, _ := got.(map[string]any)
	for key, v := range object {
		if x, ok := have[key]; ok && reflect.DeepEqual(x, v) {
			right++
		}
	}
	return right, len(object), exact
}
