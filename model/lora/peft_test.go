package lora_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// TestSaveOpen brings every family's adapter to a directory and back.
func TestSaveOpen(t *testing.T) {
	for _, family := range zoo.Families() {
		b := backend(t, "f32")
		m := random(t, b, family)
		a := attach(t, b, m, lora.Options{Rank: 3, Alpha: 5, Dropout: 0.25})
		want, dir := logits(b, m), filepath.Join(t.TempDir(), "a")
		if lora.Is(dir) {
			t.Error("there is an adapter before it was saved")
		}
		if err := a.Save(dir, "the/base"); err != nil {
			t.Fatal(err)
		}
		if !lora.Is(dir) {
			t.Error("there is no adapter after it was saved")
		}
		a.Detach()
		back, err := lora.Open(b, m, dir)
		if err != nil {
			t.Fatalf("%s: %v", family, err)
		}
		if got := logits(b, m); !slices.Equal(got, want) {
			t.Errorf("%s: the opened adapter's logits differ by %g, want no bit", family, distance(got, want))
		}
		if back.Rank != 3 || back.Alpha != 5 || back.Dropout != 0.25 {
			t.Errorf("%s: opened as %+v", family, back.Options)
		}
	}
}

// TestPEFTNames checks what PEFT reads: names, shapes and keys.
func TestPEFTNames(t *testing.T) {
	b := backend(t, "f32")
	for _, c := range []struct {
		family string
		o      lora.Options
		names  map[string][]int
		config map[string]any
	}{
		{"llama", lora.Options{Rank: 4, Alpha: 8, Targets: []string{"q_proj", "v_proj"}}, map[string][]int{
			"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": {4, 32},
			"base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": {32, 4},
			"base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight": {4, 32},
			"base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight": {16, 4},
			"base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight": {4, 32},
			"base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight": {32, 4},
			"base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight": {4, 32},
			"base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight": {16, 4},
		}, map[string]any{"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4.0, "lora_alpha": 8.0, "lora_dropout": 0.0, "bias": "none",
			"target_modules": []any{"q_proj", "v_proj"}, "fan_in_fan_out": false, "base_model_name_or_path": "some/base", "inference_mode": true}},
		{"gpt2", lora.Options{Rank: 2, Targets: []string{"c_attn"}}, map[string][]int{
			"base_model.model.transformer.h.0.attn.c_attn.lora_A.weight": {2, 32},
			"base_model.model.transformer.h.0.attn.c_attn.lora_B.weight": {96, 2},
			"base_model.model.transformer.h.1.attn.c_attn.lora_A.weight": {2, 32},
			"base_model.model.transformer.h.1.attn.c_attn.lora_B.weight": {96, 2},
		}, map[string]any{"r": 2.0, "lora_alpha": 4.0, "fan_in_fan_out": true, "target_modules": []any{"c_attn"}}},
		{"gpt2", lora.Options{}, nil, map[string]any{"r": 16.0, "target_modules": []any{"c_attn", "c_fc", "c_proj"}}},
	} {
		dir := t.TempDir()
		if err := attach(t, b, random(t, b, c.family), c.o).Save(dir, "some/base"); err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Open(filepath.Join(dir, "adapter_model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		names := map[string][]int{}
		for _, name := range f.Names() {
			x, _ := f.Tensor(name)
			names[name] = x.Shape
		}
		if c.names != nil && !reflect.DeepEqual(names, c.names) {
			t.Errorf("%s: tensors %v, want %v", c.family, names, c.names)
		}
		data, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]any
		if err := json.Unmarshal(data, &config); err != nil {
			t.Fatal(err)
		}
		for key, want := range c.config {
			if !reflect.DeepEqual(config[key], want) {
				t.Errorf("%s: %s is %v, want %v", c.family, key, config[key], want)
			}
		}
	}
}

// saved is a directory with a good adapter of a llama.
func saved(t testing.TB) string {
	b := backend(t, "f32")
	dir := t.TempDir()
	if err := attach(t, b, random(t, b, "llama"), lora.Options{Rank: 2, Alpha: 8, Targets: []string{"q_proj"}}).Save(dir, ""); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestOpenVariants are adapters of PEFT with other factors.
func TestOpenVariants(t *testing.T) {
	b := backend(t, "f32")
	m := random(t, b, "llama")
	scales := func(edit string) (out []float64) {
		dir := saved(t)
		change(t, dir, edit)
		a, err := lora.Open(b, m, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Detach()
		for _, w := range m.Params() {
			if w.LoRA != nil {
				out = append(out, w.LoRA.Scale)
			}
		}
		return out
	}
	for _, c := range []struct {
		edit string
		want []float64
	}{
		{`{}`, []float64{4, 4}},
		{`{"use_rslora": true}`, []float64{8 / 1.4142135623730951, 8 / 1.4142135623730951}},
		{`{"alpha_pattern": {"layers.1.self_attn.q_proj": 2}}`, []float64{4, 1}},
		{`{"alpha_pattern": {"layers\\.\\d\\.self_attn\\..*": 2}}`, []float64{1, 1}},
		{`{"target_modules": ".*q_proj", "some_new_key": 3, "modules_to_save": null}`, []float64{4, 4}},
		{`{"r": 7}`, []float64{4, 4}}, // the tensors say the rank
	} {
		if got := scales(c.edit); !slices.Equal(got, c.want) {
			t.Errorf("%s: factors %v, want %v", c.edit, got, c.want)
		}
	}
}

// change sets keys of the adapter's configuration.
func change(t testing.TB, dir, edit string) {
	t.Helper()
	path := filepath.Join(dir, lora.ConfigFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{}
	for _, text := range []string{string(data), edit} {
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Fatal(err)
		}
	}
	if data, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOpenErrors(t *testing.T) {
	b := backend(t, "f32")
	m := random(t, b, "llama")
	ts := func(shapes map[string][]int) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			var src []checkpoint.Source
			for name, shape := range shapes {
				src = append(src, checkpoint.Source{Name: name, Shape: shape, Read: func([]float32) error { return nil }})
			}
			if err := checkpoint.Save(filepath.Join(dir, lora.WeightsFile), dtype.F32, nil, src, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	edit := func(s string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { change(t, dir, s) }
	}
	const q = "base_model.model.model.layers.0.self_attn.q_proj"
	for _, c := range []struct {
		edit func(t *testing.T, dir string)
		want string
	}{
		{edit(`{"peft_type": "IA3"}`), `peft_type is "IA3"`},
		{edit(`{"r": 0}`), "r is 0"},
		{edit(`{"lora_alpha": 0}`), "lora_alpha is 0"},
		{edit(`{"lora_dropout": 1}`), "lora_dropout is 1"},
		{edit(`{"use_dora": true}`), "use_dora"},
		{edit(`{"bias": "all"}`), `bias is "all"`},
		{edit(`{"modules_to_save": ["lm_head"]}`), "lm_head"},
		{edit(`{"alpha_pattern": {"(": 1}}`), "alpha_pattern"},
		{edit(`{"r": "many"}`), lora.ConfigFile},
		{func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, lora.ConfigFile)) }, "is no adapter"},
		{func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, lora.WeightsFile)) }, lora.WeightsFile},
		{ts(map[string][]int{q + ".lora_A.weight": {2, 32}}), q + ".lora_B.weight is missing"},
		{ts(map[string][]int{q + ".lora_B.weight": {32, 2}}), q + ".lora_A.weight is missing"},
		{ts(map[string][]int{q + ".lora_A.weight": {2, 16}, q + ".lora_B.weight": {32, 2}}), "has shape [2 16]"},
		{ts(map[string][]int{q + ".lora_A.weight": {2, 32}, q + ".lora_B.weight": {32, 3}}), "has shape [32 3]"},
		{ts(map[string][]int{q + ".lora_A.weight": {64}, q + ".lora_B.weight": {32, 3}}), "has shape [64]"},
		{ts(map[string][]int{"base_model.model.model.embed_tokens.lora_embedding_A": {2, 40}}), "lora_embedding_A"},
		{ts(map[string][]int{"base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight": {2, 32}}), "no layer model.layers.7"},
	} {
		dir := saved(t)
		c.edit(t, dir)
		if _, err := lora.Open(b, m, dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one that says %s", err, c.want)
		}
		for _, w := range m.Params() {
			if w.LoRA != nil {
				t.Fatalf("after %s a change is left behind", c.want)
			}
		}
	}
}

// FuzzOpen reads any configuration, and any tensors, without a panic.
func FuzzOpen(f *testing.F) {
	dir := saved(f)
	config, _ := os.ReadFile(filepath.Join(dir, lora.ConfigFile))
	weights, _ := os.ReadFile(filepath.Join(dir, lora.WeightsFile))
	f.Add(config, weights)
	f.Add([]byte(`{"peft_type":"LORA","r":1,"lora_alpha":1,"alpha_pattern":{"q_proj":-1}}`), weights)
	b := backend(f, "f32")
	m := random(f, b, "llama")
	f.Fuzz(func(t *testing.T, config, weights []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{lora.ConfigFile: config, lora.WeightsFile: weights} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if a, err := lora.Open(b, m, dir); err == nil {
			a.Detach()
		}
	})
}
