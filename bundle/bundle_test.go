package bundle_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

func backend(t testing.TB, kernels string) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Options{Kernels: kernels, Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// save makes a small model directory.
func save(t testing.TB, b *cpu.Backend, family string) *bundle.Bundle {
	t.Helper()
	tok := tokenizer.Bytes(chat.SpecialTokens()...)
	m, err := zoo.FromShape(b, zoo.Shape{Family: family, Layers: 2, Width: 16, Heads: 2, Vocab: tok.VocabSize(), Context: 32, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 1)
	end, _ := tok.SpecialID(chat.End)
	z := &bundle.Bundle{Dir: filepath.Join(t.TempDir(), "m"), Model: m, Tokenizer: tok, Chat: true, Generation: bundle.Generation{EOS: bundle.IDs{end}}}
	if err := z.Save(b, dtype.F32); err != nil {
		t.Fatal(err)
	}
	return z
}

func TestSaveOpenRoundTrip(t *testing.T) {
	b := backend(t, "")
	for _, family := range zoo.Families() {
		z := save(t, b, family)
		got, err := bundle.Open(b, z.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Chat || got.Tokenizer == nil || len(got.Generation.EOS) != 1 || got.Generation.EOS[0] != z.Generation.EOS[0] {
			t.Errorf("%s: opened %+v", family, got)
		}
		for i, w := range got.Model.Params() {
			x, y := make([]float32, w.Len()), make([]float32, w.Len())
			b.Download(x, w.T)
			b.Download(y, z.Model.Params()[i].T)
			for k := range x {
				if x[k] != y[k] {
					t.Fatalf("%s: %s[%d] = %g, want %g", family, w.Name, k, x[k], y[k])
				}
			}
		}
	}
}

func TestErrorsNameFileAndField(t *testing.T) {
	b := backend(t, "")
	for _, c := range []struct {
		name, file string
		edit       func(string) string
		want       string
	}{
		{"no config", "config.json", nil, "no config.json"},
		{"broken config", "config.json", func(s string) string { return s[:len(s)/2] }, "config.json"},
		{"unknown family", "config.json", func(s string) string { return strings.Replace(s, `"gpt2"`, `"gpt9"`, 1) }, `model_type "gpt9"`},
		{"heads do not divide", "config.json", func(s string) string { return strings.Replace(s, `"n_head": 2`, `"n_head": 3`, 1) }, "n_head 3 does not divide n_embd 16"},
		{"wrong shape", "config.json", func(s string) string { return strings.Replace(s, `"n_positions": 32`, `"n_positions": 33`, 1) }, "transformer.wpe.weight has shape [32 16], config.json asks for [33 16]"},
		{"missing layer", "config.json", func(s string) string { return strings.Replace(s, `"n_layer": 2`, `"n_layer": 3`, 1) }, "transformer.h.2."},
		{"left-over layer", "config.json", func(s string) string { return strings.Replace(s, `"n_layer": 2`, `"n_layer": 1`, 1) }, "no such parameter"},
		{"context 0", "config.json", func(s string) string { return strings.Replace(s, `"n_positions": 32`, `"n_positions": 0`, 1) }, "n_positions is 0"},
		{"truncated weights", "model.safetensors", func(s string) string { return s[:len(s)-100] }, "model.safetensors"},
		{"no weights", "model.safetensors", nil, "model.safetensors"},
		{"impossible min-p", "generation_config.json", func(string) string { return `{"min_p":1.5}` }, "generation_config.json: field min_p is 1.5: want a number from 0 to 1"},
		{"impossible penalty", "generation_config.json", func(string) string { return `{"repetition_penalty":-1}` }, "field repetition_penalty is -1: want a number from 0 up"},
		{"broken generation config", "generation_config.json", func(string) string { return "{" }, "generation_config.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := save(t, b, "gpt2")
			path := filepath.Join(z.Dir, c.file)
			if c.edit == nil {
				os.Remove(path)
			} else {
				old, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				edited := c.edit(string(old))
				if edited == string(old) {
					t.Fatal("the edit changed nothing")
				}
				os.WriteFile(path, []byte(edited), 0o644)
			}
			_, err := bundle.Open(b, z.Dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
}

// TestStories runs a real model against values of an independent float64
// implementation.
func TestStories(t *testing.T) {
	dir := golden.Data(t, "models", "stories260K", "hf")
	data, err := os.ReadFile(golden.Data(t, "models", "stories260K", "reference_stories260K.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Files map[string]reference `json:"files"`
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	b := backend(t, "")
	z, err := bundle.Open(b, dir)
	if err != nil {
		t.Fatal(err)
	}
	e := generate.New(b, z.Model, nil)
	defer e.Close()
	f32 := ref.Files["stories260K-f32.gguf"]
	if len(f32.Prompts) == 0 {
		t.Fatal("the reference file has no prompts")
	}
	text, err := e.Score(f32.Text.IDs, 1)
	if err != nil {
		t.Fatal(err)
	}
	var nll float64
	for _, lp := range text.LogProbs {
		nll -= lp / float64(len(text.LogProbs))
	}
	if math.Abs(nll-f32.Text.Mean) > 1e-4 {
		t.Errorf("mean loss of the text = %.6f, want %.6f", nll, f32.Text.Mean)
	}
	for _, p := range f32.Prompts {
		s, err := e.Score(p.IDs, 10)
		if err != nil {
			t.Fatal(err)
		}
		for i, lp := range p.LogProbs[1:] { // the first token has none
			if lp == nil || math.Abs(s.LogProbs[i]-*lp) > 1e-4 {
				t.Errorf("log-probability %d = %.6f, want %v", i, s.LogProbs[i], lp)
			}
		}
		r, err := e.Generate(context.Background(), p.IDs, generate.Options{MaxTokens: len(p.Greedy), Sample: sample.Options{}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range p.Greedy {
			if r.IDs[i] != id {
				t.Errorf("greedy token %d = %d, want %d", i, r.IDs[i], id)
				break
			}
		}
	}
}

type reference struct {
	Prompts []struct {
		IDs      []int32    `json:"ids"`
		LogProbs []*float64 `json:"prompt_token_logprobs"`
		Greedy   []int32    `json:"greedy_ids"`
	} `json:"prompts"`
	Text struct {
		IDs  []int32 `json:"ids"`
		Mean float64 `json:"mean_nll"`
	} `json:"text_nll"`
}
