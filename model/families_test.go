package model_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/tensor/ref"
)

// independent is testdata/families/NAME.json; families.py, which made it,
// describes the fields.
type independent struct {
	Config    json.RawMessage
	Shapes    map[string][]int
	IDs       [][]int32
	Logits    [][]float64
	Loss      float64
	Balance   []float64
	Gradients map[string][2]float64
}

func references(t *testing.T) map[string]*independent {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "families", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*independent{}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if name == "rope" {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &independent{}
		if err := json.Unmarshal(data, out[name]); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	if len(out) != 13 {
		t.Fatalf("testdata/families has %d models, want 13", len(out))
	}
	return out
}

// stream is n numbers of [-128, 127], a function of the name, as in families.py.
func stream(name string, n int) []float32 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	x := make([]float32, n)
	for i := range x {
		z := h + uint64(i)*0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		x[i] = float32(int((z^z>>31)>>56) - 128)
	}
	return x
}

// build makes the model on b with the weights of families.py.
func (r *independent) build(t *testing.T, b tensor.Backend) model.Model {
	t.Helper()
	m, err := zoo.FromConfig(b, r.Config)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range m.Params() {
		x := stream(w.Name, w.Len())
		for i := range x {
			x[i] /= 512
			if len(w.Shape) == 1 && !strings.HasSuffix(w.Name, "bias") && !strings.HasPrefix(m.Family(), "gemma") {
				x[i]++
			}
		}
		b.Upload(w.T, x)
		w.Changed()
	}
	return m
}

func (r *independent) input() (in *model.Input, targets []int32) {
	in = &model.Input{B: len(r.IDs), T: len(r.IDs[0]) - 1}
	for _, row := range r.IDs {
		in.IDs = append(in.IDs, row[:in.T]...)
		in.Pos = append(in.Pos, model.Positions(0, in.T)...)
		targets = append(targets, row[1:]...)
	}
	return in, targets
}

// TestFamiliesAgreeWithPyTorch compares names, shapes, logits, loss, the load of
// experts and all gradients with an implementation that is not ours, on the
// reference and on the kernels of this machine.
func TestFamiliesAgreeWithPyTorch(t *testing.T) {
	for name, r := range references(t) {
		for _, kernels := range []string{"reference", "purego", ""} {
			var b tensor.Backend = ref.New()
			tolerance := 2e-6 // the file has seven digits
			if kernels != "reference" {
				c, err := cpu.New(cpu.Options{Threads: 2, Kernels: kernels, Precision: "f32"})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				b, tolerance = c, 2e-5
			}
			t.Run(name+"/"+b.Kernels(), func(t *testing.T) { r.check(t, b, tolerance) })
		}
	}
}

func (r *independent) check(t *testing.T, b tensor.Backend, tolerance float64) {
	m := r.build(t, b)
	if len(m.Params()) != len(r.Shapes) {
		t.Errorf("%d parameters, want %d", len(m.Params()), len(r.Shapes))
	}
	for _, w := range m.Params() {
		if !slices.Equal(w.Shape, r.Shapes[w.Name]) {
			t.Errorf("%s has shape %v, want %v", w.Name, w.Shape, r.Shapes[w.Name])
		}
		w.NeedGrad(b)
	}
	p := op.NewPass(b, op.Options{Record: true})
	defer p.Close()
	in, targets := r.input()
	in.Balance = &model.Balance{Weight: 1}
	h := m.Hidden(p, in)
	logits := p.Host(model.Logits(p, m, &op.Value{T: h.T.RowRange(0, in.T)}).T)
	worst, vocab := 0.0, m.Dims().Vocab
	for i, x := range logits {
		worst = max(worst, math.Abs(float64(x)-r.Logits[i/vocab][i%vocab]))
	}
	if len(logits) != in.T*vocab || !(worst <= tolerance) {
		t.Errorf("a logit of %d is %g away from PyTorch's, tolerance %g", len(logits), worst, tolerance)
	}
	var loss float64
	for _, l := range model.Loss(p, m, h, targets, op.CrossEntropy{Scale: 1 / float64(len(targets))}) {
		loss += l / float64(len(targets))
	}
	near(t, "loss", loss, r.Loss, tolerance)
	if len(in.Balance.Losses) != len(r.Balance) {
		t.Fatalf("%d balances, want %d", len(in.Balance.Losses), len(r.Balance))
	}
	for i, l := range in.Balance.Losses {
		near(t, "balance", l, r.Balance[i], tolerance)
	}
	p.Backward()
	for _, w := range m.Params() {
		want := r.Gradients[w.Name]
		var norm, probe float64
		if !w.Fresh { // else no token chose the expert
			for i, x := range p.Host(w.Grad) {
				norm += float64(x) * float64(x)
				probe += float64(x) * math.Cos(float64(i))
			}
		}
		near(t, w.Name+" gradient norm", math.Sqrt(norm), want[0], tolerance*(want[0]+0.1))
		near(t, w.Name+" gradient probe", probe, want[1], 2*tolerance*(want[0]+0.1))
	}
}

// TestRotaryTables compares every way to stretch rotary positions with tables
// computed independently.
func TestRotaryTables(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "families", "rope.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Theta           float64
		D, Context, Run int
		Scaling         *nn.RopeScaling
		Frequencies     []float64
		Scale           float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, c := range cases {
		r, err := nn.Turns{Theta: c.Theta, D: c.D, Context: c.Context, Run: c.Run, Scaling: c.Scaling}.Rotary()
		if err != nil {
			t.Fatal(err)
		}
		kinds[c.Scaling.RopeType] = true
		if r.Scale == 0 {
			r.Scale = 1
		}
		near(t, c.Scaling.RopeType+" factor", r.Scale, c.Scale, 1e-14)
		if len(r.Freq) != len(c.Frequencies) {
			t.Fatalf("%s: %d frequencies, want %d", c.Scaling.RopeType, len(r.Freq), len(c.Frequencies))
		}
		for i, f := range c.Frequencies {
			near(t, c.Scaling.RopeType+" frequency", r.Freq[i], f, 1e-13*f)
		}
		for _, pos := range []int32{0, 1, 255, 256, 5000} { // the tables of the kernels
			cos, sin := r.Float32(pos)
			for i, f := range c.Frequencies {
				near(t, "cosine", float64(cos[i]), c.Scale*math.Cos(float64(pos)*f), 1e-7*(c.Scale+1e-3*float64(pos)))
				near(t, "sine", float64(sin[i]), c.Scale*math.Sin(float64(pos)*f), 1e-7*(c.Scale+1e-3*float64(pos)))
			}
		}
	}
	if len(kinds) != 6 {
		t.Errorf("%d kinds of scaling were checked, want 6", len(kinds))
	}
}
