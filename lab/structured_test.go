package lab

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate/repair"
	"github.com/foundling-lm/foundling/internal/rng"
)

// scribe answers orders: right with probability p, else in one of two broken
// ways, of which repair can mend the first.
func scribe(task StructuredTask, p, mendable float64) Writer {
	return func(_ context.Context, prompt string, stream uint64) (Written, error) {
		for _, item := range task.Items {
			if !strings.Contains(prompt, item.Text+"\nJSON:") {
				continue
			}
			gold := string(item.Gold)
			switch u := rng.Float64(1, stream, 0); {
			case u < p:
				return Written{" " + gold, 10}, nil
			case u < p+mendable:
				return Written{"Sure: " + strings.ReplaceAll(gold, `"`, "'"), 10}, nil
			}
			return Written{"I do not know. " + strings.Repeat("Really. ", 40), 10}, nil
		}
		return Written{}, errors.New("no item in " + prompt)
	}
}

func TestStructured(t *testing.T) {
	task := Orders(400, 7)
	within := func([]byte) (Writer, error) { return scribe(task, 1, 0), nil }
	o := StructuredOptions{Write: scribe(task, 0.5, 0.2), Within: within, Tries: 3}
	r, err := Structured(context.Background(), task, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]StructuredRow{}
	for _, w := range r.Rows {
		got[w.Layer] = w
	}
	near := func(name string, x eval.Interval, want float64) {
		if math.Abs(x.Value-want) > 4*math.Sqrt(want*(1-want)/400)+1e-9 || x.Low > x.Value || x.High < x.Value {
			t.Errorf("%s: %+v, want %v", name, x, want)
		}
	}
	near("prompt only", got[LayerPrompt].Valid, 0.5)
	near("repair", got[LayerRepair].Valid, 0.7)
	near("repair, right", got[LayerRepair].Right, 0.7)
	near("retry", got[LayerRetry].Valid, repair.ValidWithin(0.7, 3))
	near("constrained", got[LayerConstrained].Right, 1)
	if tries, want := got[LayerRetry].Tries, repair.ExpectedTries(0.7, 3); math.Abs(tries-want) > 0.15 {
		t.Errorf("%v tries an item, want %v", tries, want)
	}
	if got[LayerRetry].Tokens.Value != 10*got[LayerRetry].Tries || got[LayerPrompt].Tokens.Value != 10 {
		t.Errorf("tokens %v of %v tries, prompt only %v", got[LayerRetry].Tokens, got[LayerRetry].Tries, got[LayerPrompt].Tokens)
	}
	if w := got[LayerTuned]; !strings.Contains(w.Missing, "no fine-tuned model") || w.Valid.N != 0 {
		t.Errorf("a layer that did not run has %+v", w)
	}
	var page bytes.Buffer
	if err := r.Page("a model").Render(&page); err != nil || !strings.Contains(page.String(), "validate and retry") {
		t.Errorf("the page: %v", err)
	}
}

func TestOrdersFit(t *testing.T) {
	task := Orders(50, 1)
	schema, err := compileSchema(task.Schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range append(task.Items, task.Shots...) {
		if err := fits(schema, string(item.Gold)); err != nil {
			t.Errorf("%s: %v", item.Gold, err)
		}
		if right, fields, exact := agreement(string(item.Gold), item.Gold); !exact || right != 4 || fields != 4 {
			t.Errorf("gold agrees with itself in %d of %d fields", right, fields)
		}
	}
	if right, fields, exact := agreement(`{"name":"Ann","count":2}`, []byte(`{"name":"Ann","count":3,"gift":null}`)); right != 1 || fields != 3 || exact {
		t.Error(right, fields, exact)
	}
}

func TestReadStructured(t *testing.T) {
	schema := []byte(`{"type":"object","required":["a"]}`)
	good := "{\"text\":\"x\",\"gold\":{\"a\":1}}\n\n{\"id\":\"q\",\"text\":\"y\",\"gold\":{\"a\":2}}\n"
	task, err := ReadStructured("f", strings.NewReader(good), schema, 1, 0)
	if err != nil || len(task.Items) != 1 || len(task.Shots) != 1 || task.Items[0].ID != "q" {
		t.Fatalf("%+v %v", task, err)
	}
	for _, bad := range []string{"", "{", `{"text":"x","gold":{}}`, `{"gold":{"a":1}}`, `{"text":"x"}`, good[:30]} {
		if _, err := ReadStructured("f", strings.NewReader(bad), schema, 1, 0); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	if _, err := ReadStructured("f", strings.NewReader(good), []byte(`{"type":7}`), 1, 0); err == nil {
		t.Error("a schema that is none passes")
	}
}
