package generate_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// adapted saves an adapter of m whose changes are large enough to be seen, and returns
// its directory.
func adapted(t *testing.T, b tensor.Backend, m model.Model, seed uint64, o lora.Options) string {
	t.Helper()
	o.Seed = seed
	a, err := lora.Attach(b, m, o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Detach()
	for i, w := range a.Params() {
		x := make([]float32, w.Len())
		for k := range x {
			x[k] = 0.3 * float32(rng.Normal(seed, uint64(i), uint64(k)))
		}
		b.Upload(w.T, x)
	}
	dir := t.TempDir()
	if err := a.Save(dir, "base"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSameBitsWithAdapters decodes with a model and two adapters of it in the same
// steps. Each text and each score is that of an engine whose model has the one adapter
// attached, and the model's own are what they are without any; the second time their
// prefixes come from the cache, which must not mix them up.
func TestSameBitsWithAdapters(t *testing.T) {
	rs := requests(9)
	for _, c := range []struct{ family, precision string }{{"llama", "f32"}, {"llama", "bf16"}, {"gpt2", "f32"}, {"qwen2_moe", "f32"}} {
		t.Run(c.family+" "+c.precision, func(t *testing.T) {
			b := backend(t, cpu.Options{Precision: c.precision})
			m := small(t, b, c.family)
			dirs := []string{"", adapted(t, b, m, 1, lora.Options{Rank: 3}), adapted(t, b, m, 2, lora.Options{Rank: 5, Targets: []string{targets[c.family]}})}
			want, scores := attached(t, b, m, dirs, rs)
			for i := range 2 {
				if slices.Equal(want[i][8].IDs, want[i+1][8].IDs) {
					t.Fatal("adapters change nothing")
				}
			}
			for _, config := range []generate.Config{{}, {Beside: 5, Chunk: 40, Speculation: generate.Speculation{NGram: true}}} {
				e := engine(t, b, m, config)
				engines := []*generate.Engine{e}
				for _, dir := range dirs[1:] {
					a, err := lora.Read(b, m, dir)
					if err != nil {
						t.Fatal(err)
					}
					defer a.Detach()
					engines = append(engines, e.With(a.Changes()))
				}
				for round := range 2 {
					var all sync.WaitGroup
					for i, e := range engines {
						all.Go(func() {
							got, err := e.GenerateAll(context.Background(), rs, nil)
							if err != nil {
								t.Error(err)
								return
							}
							for k := range got {
								if !slices.Equal(got[k].IDs, want[i][k].IDs) || !slices.Equal(got[k].LogProbs, want[i][k].LogProbs) {
									t.Errorf("round %d, adapter %d, request %d: %v, alone %v", round, i, k, got[k].IDs, want[i][k].IDs)
								}
							}
							s, err := e.Score(ids(100), 3)
							if err != nil || !slices.Equal(s.LogProbs, scores[i].LogProbs) || !slices.Equal(s.Top, scores[i].Top) {
								t.Errorf("round %d, adapter %d: scores differ (%v)", round, i, err)
							}
							branch, err := e.Branch(context.Background(), rs[8].Prompt, 0)
							if err != nil {
								t.Error(err)
								return
							}
							defer branch.Close()
							var top []float32
							if err := e.Next(context.Background(), []*generate.Branch{branch}, func(_ int, logits []float32) { top = slices.Clone(logits) }); err != nil {
								t.Error(err)
							}
							if s, err := e.Score(rs[8].Prompt, 1); err != nil || top[s.Top[0].ID] != slices.Max(top) {
								t.Errorf("round %d, adapter %d: a branch knows other logits (%v)", round, i, err)
							}
						})
					}
					all.Wait()
				}
			}
		})
	}
}

// attached is what engines make of rs, and of a text to score, whose model has one of the
// adapters attached; "": none.
func attached(t *testing.T, b *cpu.Backend, m model.Model, dirs []string, rs []generate.Request) (texts [][]*generate.Result, scores []*generate.Score) {
	t.Helper()
	for _, dir := range dirs {
		a := &lora.Adapter{}
		if dir != "" {
			var err error
			if a, err = lora.Open(b, m, dir); err != nil {
				t.Fatal(err)
			}
		}
		texts = append(texts, alone(t, b, m, generate.Config{}, rs))
		score, err := engine(t, b, m, generate.Config{}).Score(ids(100), 3)
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, score)
		a.Detach()
	}
	return texts, scores
}

// targets is a layer of each family.
var targets = map[string]string{"llama": "q_proj", "gpt2": "attn.c_attn", "qwen2_moe": "down_proj"}
