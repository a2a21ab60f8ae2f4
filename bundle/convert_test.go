package bundle_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// prompt is longer than the sliding windows of the models below.
var prompt = []int32{3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32}

// stretched are families with scaled positions: keys to add to config.json.
var stretched = map[string]map[string]any{
	"llama linear": {"rope_scaling": map[string]any{"rope_type": "linear", "factor": 4.0}},
	"llama llama3": {"rope_theta": 500000.0, "rope_scaling": map[string]any{
		"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}},
	"qwen2 yarn":         {"rope_scaling": map[string]any{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8}},
	"gemma3_text linear": {"rope_scaling": map[string]any{"rope_type": "linear", "factor": 8.0}},
}

// models are the families and the stretched ones.
func models() []string { return append(zoo.Families(), slices.Sorted(maps.Keys(stretched))...) }

// random saves a small model of a family, every parameter of it random, norms
// too, and without a tokenizer.
func random(t testing.TB, b *cpu.Backend, name string) *bundle.Bundle {
	t.Helper()
	family, _, _ := strings.Cut(name, " ")
	m, err := zoo.FromShape(b, zoo.Shape{
		Family: family, Layers: 6, Width: 64, Heads: 4, KVHeads: kvHeads(family), FF: 96, Vocab: 40, Context: 16, BOS: 1, EOS: 2, Pad: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 7)
	for _, w := range m.Params() {
		x := make([]float32, w.Len())
		b.Download(x, w.T)
		for i := range x {
			x[i] += 0.1 * float32(rng.Normal(7, rng.Stream(w.Name), uint64(i)))
		}
		b.Upload(w.T, x)
		w.Changed()
	}
	z := &bundle.Bundle{Dir: filepath.Join(t.TempDir(), family), Model: m}
	if err := z.Save(b, dtype.F32); err != nil {
		t.Fatal(err)
	}
	if more := stretched[name]; more != nil {
		c := config(t, z.Dir)
		maps.Copy(c, more)
		if err := atomicfile.WriteJSON(filepath.Join(z.Dir, bundle.ConfigFile), c); err != nil {
			t.Fatal(err)
		}
	}
	return z
}

func kvHeads(family string) int {
	if family == "gpt2" {
		return 0
	}
	return 2
}

// after is the log-probabilities of the token after ids.
func after(t testing.TB, b *cpu.Backend, path string, ids []int32) []float64 {
	t.Helper()
	z, err := bundle.Open(b, path)
	if err != nil {
		t.Fatal(err)
	}
	e := generate.New(b, z.Model, nil)
	defer e.Close()
	s, err := e.Score(ids, z.Model.Dims().Vocab)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, z.Model.Dims().Vocab)
	for _, c := range s.Top {
		out[c.ID] = c.LogProb
	}
	return out
}

// TestLlamaCPP writes a model of each family as a GGUF file and compares with
// what llama.cpp computed from such a file.
func TestLlamaCPP(t *testing.T) {
	b := backend(t, "")
	var want map[string][]float64
	path := filepath.Join("testdata", "llamacpp.json")
	program := os.Getenv("FOUNDLING_LLAMACPP")
	if *golden.Update && program != "" {
		want = map[string][]float64{}
	} else if data, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	} else if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for _, family := range models() {
		t.Run(family, func(t *testing.T) {
			z := random(t, b, family)
			file := filepath.Join(t.TempDir(), "m.gguf")
			if err := bundle.Convert(z.Dir, file, bundle.ConvertOptions{Threads: 2}); err != nil {
				t.Fatal(err)
			}
			if *golden.Update && program != "" {
				want[family] = llamaCPP(t, program, file)
			}
			theirs := normalised(want[family])
			got := after(t, b, file, prompt)
			if len(theirs) != len(got) {
				t.Fatalf("%d logits in the golden file, want %d", len(theirs), len(got))
			}
			for i := range got {
				if math.Abs(got[i]-theirs[i]) > 2e-3 {
					t.Errorf("log-probability of token %d = %.5f, llama.cpp has %.5f", i, got[i], theirs[i])
				}
			}
		})
	}
	if *golden.Update && program != "" {
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func llamaCPP(t *testing.T, program, file string) (logits []float64) {
	args := []string{file}
	for _, id := range prompt {
		args = append(args, strconv.Itoa(int(id)))
	}
	cmd := exec.Command(program, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for _, line := range strings.Fields(string(out)) {
		x, err := strconv.ParseFloat(line, 64)
		if err != nil {
			t.Fatal(err)
		}
		logits = append(logits, x)
	}
	return logits
}

func normalised(logits []float64) []float64 {
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(x)
	}
	out := slices.Clone(logits)
	for i := range out {
		out[i] -= math.Log(sum)
	}
	return out
}

// TestConvertRoundTrip goes from a directory to a file and back: the same
// configuration and the same weights, bit for bit but for norms that GGUF has
// with an offset.
func TestConvertRoundTrip(t *testing.T) {
	b := backend(t, "")
	for _, family := range models() {
		t.Run(family, func(t *testing.T) {
			z := random(t, b, family)
			file, back := filepath.Join(t.TempDir(), "m.gguf"), filepath.Join(t.TempDir(), "back")
			for _, step := range [][2]string{{z.Dir, file}, {file, back}} {
				if err := bundle.Convert(step[0], step[1], bundle.ConvertOptions{Threads: 1}); err != nil {
					t.Fatal(err)
				}
			}
			old, now := config(t, z.Dir), config(t, back)
			if family == "mistral" { // the format has no name for it
				old["model_type"], old["architectures"] = "llama", []any{"LlamaForCausalLM"}
			}
			for _, key := range slices.Sorted(maps.Keys(old)) {
				if got, want := fmt.Sprint(now[key]), fmt.Sprint(old[key]); got != want && !ignored[key] {
					t.Errorf("config.json: %s came back as %s, was %s", key, got, want)
				}
			}
			f, g := openFile(t, z.Dir), openFile(t, back)
			if !slices.Equal(slices.Sorted(slices.Values(f.Names())), slices.Sorted(slices.Values(g.Names()))) {
				t.Fatalf("tensors %v, want %v", g.Names(), f.Names())
			}
			for _, name := range f.Names() {
				x, _ := f.Tensor(name)
				y, _ := g.Tensor(name)
				v, w := make([]float32, x.Len()), make([]float32, x.Len())
				if err := x.Float32s(v); err != nil {
					t.Fatal(err)
				}
				if err := y.Float32s(w); err != nil {
					t.Fatal(err)
				}
				for i := range v {
					if v[i] != w[i] && !(strings.HasSuffix(name, "norm.weight") && math.Abs(float64(v[i]-w[i])) < 1e-6) {
						t.Fatalf("%s[%d] came back as %g, was %g", name, i, w[i], v[i])
					}
				}
			}
		})
	}
}

// ignored keys are of training, or the reader's default says the same.
var ignored = map[string]bool{
	"initializer_range": true, "head_dim": true, "sliding_window": true, "sliding_window_pattern": true, "n_inner": true,
	"router_aux_loss_coef": true, "max_window_layers": true,
}

func config(t testing.TB, dir string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, bundle.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func openFile(t *testing.T, path string) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
