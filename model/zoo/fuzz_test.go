package zoo_test

import (
	"encoding/json"
	"testing"

	"github.com/foundling-lm/foundling/model/zoo"
)

// FuzzConfig gives any bytes as config.json: an error or a model whose
// configuration reads back as itself, never a panic.
func FuzzConfig(f *testing.F) {
	for _, family := range zoo.Families() {
		m, err := zoo.FromShape(nil, zoo.Shape{Family: family, Layers: 2, Width: 8, Heads: 2, Vocab: 11, Context: 5, BOS: 1, EOS: 1, Pad: -1})
		if err != nil {
			f.Fatal(err)
		}
		text, err := json.Marshal(m.Config())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"model_type":"llama","num_hidden_layers":1,"rope_scaling":{"rope_type":"yarn","factor":4,"truncate":false}}`))
	f.Add([]byte(`{"model_type":"phi3","num_hidden_layers":1,"rope_parameters":{"type":"su","short_factor":[1]}}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		m, err := zoo.FromConfig(nil, config)
		if err != nil {
			return
		}
		text, err := json.Marshal(m.Config())
		if err != nil {
			t.Fatal(err)
		}
		again, err := zoo.FromConfig(nil, text)
		if err != nil {
			t.Fatalf("%s\nis written as\n%s\n%v", config, text, err)
		}
		if again.Dims() != m.Dims() || len(again.Params()) != len(m.Params()) {
			t.Fatalf("%s\nis written as\n%s", config, text)
		}
	})
}
