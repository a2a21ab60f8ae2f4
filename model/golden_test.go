package model_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/tensor/ref"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

// reference is testdata/golden_*.json; testdata/golden.py, which made it,
// describes the fields.
type reference struct {
	Config    json.RawMessage
	Optimizer struct {
		LR, Beta1, Beta2, Eps, Clip float64
		WeightDecay                 float64 `json:"weight_decay"`
	}
	IDs       [][][]int32 // step, row, T+1
	Logits    [][][]float64
	Losses    []float64
	GradNorms []float64 `json:"grad_norms"`
	Gradients map[string]struct {
		Norm, Probe float64
		Values      []float64
	}
}

// batch returns the inputs and targets of one step.
func (r *reference) batch(step int) *batch.Batch {
	rows := r.IDs[step]
	B, T := len(rows), len(rows[0])-1
	b := batch.New(B, T)
	for i := range b.IDs {
		row, t := i/T, i%T
		b.IDs[i], b.Targets[i], b.Pos[i], b.Start[i] = rows[row][t], rows[row][t+1], int32(t), 0
	}
	b.Trained = B * T
	return b
}

// load reads the values and binds the weights to a model on b.
func load(t *testing.T, b tensor.Backend, family string) (*reference, model.Model) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden_"+family+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	m, err := zoo.FromConfig(b, r.Config)
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(filepath.Join("testdata", "golden_"+family+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := model.Bind(b, m, f); err != nil {
		t.Fatal(err)
	}
	return &r, m
}

// onBackends runs f for both families on the float64 reference, on plain Go
// and on this machine's kernels, all with f32 products.
func onBackends(t *testing.T, f func(t *testing.T, b tensor.Backend, family string)) {
	for _, family := range []string{"gpt2", "llama"} {
		t.Run(family+"/reference", func(t *testing.T) { f(t, ref.New(), family) })
		for _, kernels := range []string{"purego", ""} {
			b, err := cpu.New(cpu.Options{Threads: 2, Kernels: kernels, Precision: "f32"})
			if err != nil {
				t.Fatal(err)
			}
			t.Run(family+"/"+b.Kernels(), func(t *testing.T) { f(t, b, family) })
			b.Close()
		}
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %.8g, PyTorch has %.8g, tolerance %g", what, got, want, tolerance)
	}
}

func TestLogitsAgreeWithPyTorch(t *testing.T) {
	onBackends(t, func(t *testing.T, b tensor.Backend, family string) {
		r, m := load(t, b, family)
		p := op.NewPass(b, op.Options{})
		defer p.Close()
		x := r.batch(0)
		h := m.Hidden(p, &model.Input{B: x.B, T: x.T, IDs: x.IDs, Pos: x.Pos, Start: x.Start})
		got := p.Host(model.Logits(p, m, h).T)
		if len(got) != x.B*x.T*m.Dims().Vocab {
			t.Fatalf("got %d logits", len(got))
		}
		worst := 0.0
		for i, g := range got {
			v := m.Dims().Vocab
			worst = math.Max(worst, math.Abs(float64(g)-r.Logits[i/v/x.T][i/v%x.T][i%v]))
		}
		if !(worst < 1e-5) {
			t.Errorf("a logit is %g away from PyTorch's", worst)
		}
	})
}

func TestGradientsAgreeWithPyTorch(t *testing.T) {
	onBackends(t, func(t *testing.T, b tensor.Backend, family string) {
		r, m := load(t, b, family)
		tr, err := train.New(b, m.Params(), m.Unembedding(), train.Options{Schedule: optim.Schedule{Peak: 1, Steps: 1}})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		loss, _ := tr.Accumulate(train.Language(m, r.batch(0)))
		near(t, "loss", loss, r.Losses[0], 2e-6)
		if len(m.Params()) != len(r.Gradients) {
			t.Errorf("got %d parameters, PyTorch has %d", len(m.Params()), len(r.Gradients))
		}
		for _, w := range m.Params() {
			want := r.Gradients[w.Name]
			g := make([]float32, w.Len())
			b.Download(g, w.Grad)
			var norm, probe float64
			for i, x := range g {
				norm += float64(x) * float64(x)
				probe += float64(x) * math.Cos(float64(i))
			}
			near(t, w.Name+" norm", math.Sqrt(norm), want.Norm, 1e-5*want.Norm)
			near(t, w.Name+" probe", probe, want.Probe, 2e-5*want.Norm)
			for i, x := range want.Values {
				near(t, w.Name+" value", float64(g[i]), x, 1e-5*want.Norm)
			}
		}
	})
}

func TestTenLossesAgreeWithPyTorch(t *testing.T) {
	onBackends(t, func(t *testing.T, b tensor.Backend, family string) {
		r, m := load(t, b, family)
		z := r.Optimizer
		tr, err := train.New(b, m.Params(), m.Unembedding(), train.Options{
			Optimizer: optim.Options{Name: "adamw", Beta1: z.Beta1, Beta2: z.Beta2, Eps: z.Eps, WeightDecay: z.WeightDecay},
			Schedule:  optim.Schedule{Kind: "constant", Peak: z.LR, Steps: len(r.IDs)}, Clip: z.Clip,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		for i, want := range r.Losses {
			got, err := tr.StepOn(train.Language(m, r.batch(i)))
			if err != nil {
				t.Fatal(err)
			}
			near(t, "loss", got.Loss, want, 1e-5)
			near(t, "gradient norm", got.GradNorm, r.GradNorms[i], 1e-4)
		}
	})
}
