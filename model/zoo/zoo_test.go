package zoo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
)

// TestPublishedCounts makes models of published sizes without memory and counts
// their parameters.
func TestPublishedCounts(t *testing.T) {
	gpt2 := func(l, d, h int) string {
		return fmt.Sprintf(`{"model_type":"gpt2","n_layer":%d,"n_embd":%d,"n_head":%d}`, l, d, h)
	}
	llama := func(l, d, f, h, k, v int) string {
		return fmt.Sprintf(`{"model_type":"llama","num_hidden_layers":%d,"hidden_size":%d,"intermediate_size":%d,"num_attention_heads":%d,"num_key_value_heads":%d,"vocab_size":%d}`, l, d, f, h, k, v)
	}
	for _, c := range []struct {
		name, config string
		want         int
	}{
		{"GPT-2 small", gpt2(12, 768, 12), 124439808},
		{"GPT-2 medium", gpt2(24, 1024, 16), 354823168},
		{"GPT-2 large", gpt2(36, 1280, 20), 774030080},
		{"GPT-2 XL", gpt2(48, 1600, 25), 1557611200},
		{"Llama 2 7B", llama(32, 4096, 11008, 32, 32, 32000), 6738415616},
		{"Llama 2 13B", llama(40, 5120, 13824, 40, 40, 32000), 13015864320},
		{"Llama 2 70B", llama(80, 8192, 28672, 64, 8, 32000), 68976648192},
		{"Llama 3 8B", llama(32, 4096, 14336, 32, 8, 128256), 8030261248},
		{"Llama 3 70B", llama(80, 8192, 28672, 64, 8, 128256), 70553706496},
		{"Llama 3.1 405B", llama(126, 16384, 53248, 128, 8, 128256), 405853388800},
	} {
		m, err := zoo.FromConfig(nil, []byte(c.config))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := model.Count(m); got != c.want {
			t.Errorf("%s has %d parameters, want %d", c.name, got, c.want)
		}
	}
}

// TestNamesAndShapes keeps the checkpoint names of small models as goldens.
func TestNamesAndShapes(t *testing.T) {
	for _, family := range zoo.Families() {
		m, err := zoo.FromShape(nil, zoo.Shape{Family: family, Layers: 2, Width: 8, Heads: 2, Vocab: 11, Context: 5, Untied: true, BOS: 1, EOS: 1, Pad: -1})
		if err != nil {
			t.Fatal(err)
		}
		var s strings.Builder
		for _, w := range m.Params() {
			fmt.Fprintln(&s, w.Name, w.Shape)
		}
		config, err := json.MarshalIndent(m.Config(), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, family+".txt", []byte(s.String()+string(config)+"\n"))
	}
}

func TestBadConfigs(t *testing.T) {
	for config, want := range map[string]string{
		`{`:                                     "config.json",
		`{"model_type":"bert"}`:                 `"bert" is not supported: gpt2, llama are`,
		`{"model_type":"gpt2","n_head":5}`:      "n_head 5 does not divide n_embd 768",
		`{"model_type":"gpt2","n_positions":0}`: "n_positions is 0",
		`{"model_type":"gpt2","vocab_size":-4}`: "vocab_size is -4",
		`{"model_type":"gpt2","activation_function":"mish"}`:    `activation_function "mish"`,
		`{"model_type":"llama","num_attention_heads":7}`:        "num_attention_heads 7 does not divide hidden_size 4096",
		`{"model_type":"llama","num_key_value_heads":5}`:        "num_key_value_heads 5 does not divide num_attention_heads 32",
		`{"model_type":"llama","head_dim":3}`:                   "head_dim 3",
		`{"model_type":"llama","rope_scaling":{"type":"yarn"}}`: "rope_scaling",
		`{"model_type":"llama","num_hidden_layers":"two"}`:      "num_hidden_layers",
		`{"model_type":"llama","max_position_embeddings":0}`:    "max_position_embeddings is 0",
	} {
		if _, err := zoo.FromConfig(nil, []byte(config)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", config, err, want)
		}
	}
}
