package eval_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// health reads ids with a model and judges it.
func health(t *testing.T, b *cpu.Backend, m model.Model, ids []int32) eval.Health {
	t.Helper()
	e := generate.New(b, m, nil)
	defer e.Close()
	var p eval.Predictions
	if err := e.EachLogits(context.Background(), [][]int32{ids}, func(_, i int, logits []float32) { p.Add(ids[i], logits) }); err != nil {
		t.Fatal(err)
	}
	return p.Health()
}

func TestTrainedModelIsNotFlagged(t *testing.T) {
	dir := golden.Data(t, "models", "stories260K", "hf")
	data, err := os.ReadFile(golden.Data(t, "models", "stories260K", "reference_stories260K.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Files map[string]struct{ Prompts []struct{ IDs []int32 } }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	b, err := cpu.New(cpu.Options{Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	z, err := bundle.Open(b, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range file.Files["stories260K.bin"].Prompts {
		h := health(t, b, z.Model, p.IDs)
		t.Logf("%d places: entropy %.2f, mixture %.2f", h.Places, h.Entropy, h.Mixture)
		if h.Warning != "" {
			t.Errorf("%v: %s", p.IDs, h.Warning)
		}
	}
	for _, w := range z.Model.Params() { // the same shape before training
		w.Changed()
	}
	z.Model.Init(b, 1)
	if h := health(t, b, z.Model, file.Files["stories260K.bin"].Prompts[0].IDs); !strings.Contains(h.Warning, "untrained") {
		t.Errorf("random weights: %+v", h)
	}
}

func TestUntrainedModelsAreFlagged(t *testing.T) {
	b, err := cpu.New(cpu.Options{Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ids := []int32{1, 5, 9, 2, 30, 44, 7, 8}
	for _, family := range []string{"llama", "gpt2", "qwen3"} {
		m, err := zoo.FromShape(b, zoo.Shape{Family: family, Layers: 2, Width: 64, Heads: 4, Vocab: 500, Context: 64})
		if err != nil {
			t.Fatal(err)
		}
		m.Init(b, 3)
		if h := health(t, b, m, ids); !strings.Contains(h.Warning, "even choice among its 500") {
			t.Errorf("%s: %+v", family, h)
		}
	}
}

func TestHealth(t *testing.T) {
	row := func(f func(i int) float64) []float32 {
		x := make([]float32, 100)
		for i := range x {
			x[i] = float32(f(i))
		}
		return x
	}
	var unigram, bigram, same, broken, none eval.Predictions
	for at := range int32(12) {
		noise := func(i int) float64 { return 0.05 * rng.Normal(1, uint64(at), uint64(i)) }
		unigram.Add(at, row(func(i int) float64 { return -1.2*math.Log(float64(i+1)) + noise(i) }))
		bigram.Add(at, row(func(i int) float64 { return -1.2*math.Log(float64((i+int(at)*7)%100+1)) + noise(i) }))
		same.Add(5, row(func(i int) float64 { return -1.2 * math.Log(float64(i+1)) }))
	}
	broken.Add(1, []float32{1, float32(math.NaN())})
	for name, c := range map[string]struct {
		p    *eval.Predictions
		want string
	}{
		"frequencies of tokens": {&unigram, "same wherever it is asked"}, "what precedes counts": {&bigram, ""},
		"one place many times tells nothing": {&same, ""}, "NaN": {&broken, "not numbers"}, "nothing": {&none, ""},
	} {
		h := c.p.Health()
		if (h.Warning == "") != (c.want == "") || !strings.Contains(h.Warning, c.want) {
			t.Errorf("%s: %+v, want %q", name, h, c.want)
		}
	}
	if h := bigram.Health(); h.Entropy > h.Mixture || h.Mixture > h.Uniform || math.Abs(h.Information-(h.Mixture-h.Entropy)) > 1e-12 {
		t.Errorf("%+v", h)
	}
}
