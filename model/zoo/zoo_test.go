package zoo_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/op"
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
		{"Llama with biases", `{"model_type":"llama","attention_bias":true,"mlp_bias":true}`, 6738415616 + 32*(4*4096+2*11008+4096)},
		{"Llama 3.1 405B", llama(126, 16384, 53248, 128, 8, 128256), 405853388800},
		{"Gemma 3 4B, text", `{"model_type":"gemma3","text_config":{"model_type":"gemma3_text","hidden_size":2560,"intermediate_size":10240,"num_hidden_layers":34,"rope_scaling":{"factor":8.0,"rope_type":"linear"},"sliding_window":1024},"vision_config":{"hidden_size":1152}}`, 3880263168},
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

// TestActive counts what a token uses of published mixtures.
func TestActive(t *testing.T) {
	for config, want := range map[string]int{
		`{"model_type":"mixtral"}`: 12879925248, `{"model_type":"mistral"}`: 7241732096, `{"model_type":"qwen2_moe"}`: 2689173504,
		`{"model_type":"qwen3_moe","num_hidden_layers":48,"head_dim":128}`: 3353032704,
	} {
		m, err := zoo.FromConfig(nil, []byte(config))
		if err != nil {
			t.Fatal(err)
		}
		if got := model.Active(m); got != want {
			t.Errorf("%s: %d active parameters, want %d", config, got, want)
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
		`{`: "config.json",
		`{"model_type":"llama","hidden_size":"64"}`: "hidden_size is a string: it must be a whole number",
		`{"model_type":"llama","rope_scaling":[1]}`: "rope_scaling is a list: it must be an object",
		`[1]`:                                                                                  "the whole is a list: it must be an object",
		`{"model_type":"bert"}`:                                                                `"bert" is not supported: gemma2, gemma3_text, gpt2, llama, mistral`,
		`{"model_type":"gpt2","n_head":5}`:                                                     "n_head 5 does not divide n_embd 768",
		`{"model_type":"gpt2","n_positions":0}`:                                                "n_positions is 0",
		`{"model_type":"gpt2","vocab_size":-4}`:                                                "vocab_size is -4",
		`{"model_type":"gpt2","activation_function":"mish"}`:                                   `activation_function "mish"`,
		`{"model_type":"llama","num_attention_heads":7}`:                                       "num_attention_heads 7 does not divide hidden_size 4096",
		`{"model_type":"llama","num_key_value_heads":5}`:                                       "num_key_value_heads 5 does not divide num_attention_heads 32",
		`{"model_type":"llama","head_dim":3}`:                                                  "head_dim 3",
		`{"model_type":"llama","rope_scaling":{"type":"yarn"}}`:                                "rope_scaling of type yarn: factor is 0",
		`{"model_type":"llama","rope_scaling":{"rope_type":"spiral"}}`:                         `type "spiral" is not supported`,
		`{"model_type":"llama","rope_scaling":{"type":"linear","factor":-2}}`:                  "factor is -2",
		`{"model_type":"llama","rope_scaling":{"rope_type":"llama3","factor":8}}`:              "low_freq_factor 0",
		`{"model_type":"llama","rope_theta":-1}`:                                               "rope_theta is -1",
		`{"model_type":"llama","num_hidden_layers":4000000000}`:                                "num_hidden_layers is 4000000000: at most",
		`{"model_type":"llama","hidden_size":1000000000000}`:                                   "hidden_size is 1000000000000: at most",
		`{"model_type":"phi3","rope_scaling":{"type":"longrope","short_factor":[1,2]}}`:        "short_factor has 2 numbers: 48 pairs turn",
		`{"model_type":"phi3","partial_rotary_factor":0.01}`:                                   "partial_rotary_factor 0.01",
		`{"model_type":"llama","run_context":9000}`:                                            "run_context is 9000: only dynamic and longrope",
		`{"model_type":"llama","rope_scaling":{"type":"dynamic","factor":2},"run_context":-1}`: "run_context is -1",
		`{"model_type":"gemma3","text_config":{"num_attention_heads":0}}`:                      "num_attention_heads is 0",
		`{"model_type":"gemma3"}`:                                                              `"gemma3" is not supported`,
		`{"model_type":"mistral","sliding_window":-1}`:                                         "sliding_window is -1",
		`{"model_type":"qwen2","layer_types":["full_attention"]}`:                              "layer_types names 1 layers",
		`{"model_type":"qwen3","num_hidden_layers":1,"layer_types":["chunked"]}`:               `layer_types[0] is "chunked"`,
		`{"model_type":"gemma2","hidden_activation":"relu"}`:                                   `hidden_activation "relu"`,
		`{"model_type":"gemma2","final_logit_softcapping":-3}`:                                 "final_logit_softcapping is -3",
		`{"model_type":"gemma3_text","query_pre_attn_scalar":0}`:                               "query_pre_attn_scalar is 0",
		`{"model_type":"gemma3_text","sliding_window_pattern":-6}`:                             "sliding_window_pattern is -6",
		`{"model_type":"mixtral","num_experts_per_tok":9}`:                                     "num_experts_per_tok is 9: there are 8 experts",
		`{"model_type":"qwen2_moe","decoder_sparse_step":0}`:                                   "decoder_sparse_step is 0",
		`{"model_type":"qwen3_moe","num_experts":-1}`:                                          "num_experts is -1",
		`{"model_type":"qwen3_moe","num_experts":1000000000}`:                                  "num_experts is 1000000000: at most",
		`{"model_type":"llama","num_hidden_layers":"two"}`:                                     "num_hidden_layers",
		`{"model_type":"llama","max_position_embeddings":0}`:                                   "max_position_embeddings is 0",
	} {
		if _, err := zoo.FromConfig(nil, []byte(config)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", config, err, want)
		}
	}
}

// TestConfigRoundTrip writes a configuration, reads it back and wants the same
// one, with defaults of the family that differ from every value in it.
func TestConfigRoundTrip(t *testing.T) {
	shape := zoo.Shape{Layers: 2, Width: 24, Heads: 6, Vocab: 11, Context: 50, BOS: 1, EOS: 2, Pad: -1}
	configs := []string{
		`{"model_type":"mistral","sliding_window":null,"hidden_size":64,"num_attention_heads":8,"vocab_size":9,"num_hidden_layers":1,"_harmless":[1]}`,
		`{"model_type":"llama","head_dim":null,"hidden_size":64,"num_attention_heads":8,"vocab_size":9,"num_hidden_layers":1,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":512}}`,
		`{"model_type":"gemma2","attn_logit_softcapping":null,"final_logit_softcapping":null,"vocab_size":9,"num_hidden_layers":1}`,
		`{"model_type":"qwen3","hidden_size":64,"num_attention_heads":8,"num_key_value_heads":2,"vocab_size":9,"num_hidden_layers":2,"rope_parameters":{"rope_type":"yarn","rope_theta":1e6,"factor":4,"original_max_position_embeddings":32768},"layer_types":["full_attention","sliding_attention"]}`,
	}
	for _, family := range zoo.Families() {
		shape.Family = family
		m, err := zoo.FromShape(nil, shape)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(m.Config())
		if err != nil {
			t.Fatal(err)
		}
		configs = append(configs, string(text))
	}
	for _, config := range configs {
		first, err := zoo.FromConfig(nil, []byte(config))
		if err != nil {
			t.Fatalf("%s: %v", config, err)
		}
		text, err := json.Marshal(first.Config())
		if err != nil {
			t.Fatal(err)
		}
		second, err := zoo.FromConfig(nil, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := json.Marshal(second.Config())
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != string(again) {
			t.Errorf("%s became\n%s", text, again)
		}
		if a, b := first.Params(), second.Params(); len(a) != len(b) || !slices.EqualFunc(a, b, func(x, y *op.Param) bool {
			return x.Name == y.Name && slices.Equal(x.Shape, y.Shape)
		}) || first.Dims() != second.Dims() {
			t.Errorf("%s describes another model after a round trip", config)
		}
	}
}
