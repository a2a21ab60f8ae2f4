package optim_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/tensor/ref"
	"github.com/foundling-lm/foundling/train/optim"
)

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		s    optim.Schedule
		want map[int]float64
	}{
		{optim.Schedule{Kind: "constant", Peak: 2, Warmup: 4, Steps: 100}, map[int]float64{1: 0.5, 4: 2, 5: 2, 100: 2}},
		{optim.Schedule{Peak: 1, Warmup: 10, Steps: 100, Cooldown: 20}, map[int]float64{5: 0.5, 10: 1, 80: 1, 81: 1, 91: 0.5, 100: 0.05}},
		{optim.Schedule{Peak: 1, Steps: 100, Cooldown: 10, Final: 0.1}, map[int]float64{90: 1, 96: 0.55, 100: 0.19}},
		{optim.Schedule{Peak: 1, Warmup: 10, Steps: 100, Cooldown: 50, Cuts: []optim.Cut{{At: 20, Steps: 39}}}, map[int]float64{10: 1, 20: 1, 30: 0.5, 39: 0.05}},
		{optim.Schedule{Peak: 1, Steps: 100, Cooldown: 100, Cuts: []optim.Cut{{At: 51, Steps: 60}, {At: 55, Steps: 56}}}, map[int]float64{51: 0.5, 55: 0.3, 56: 0.15}},
		{optim.Schedule{Kind: "cosine", Peak: 1, Warmup: 0, Steps: 100, Final: 0.1}, map[int]float64{50: 0.55, 100: 0.1}},
	} {
		for step, want := range c.want {
			if got := c.s.At(step); math.Abs(got-want) > 1e-12 {
				t.Errorf("%+v at step %d = %g, want %g", c.s, step, got, want)
			}
		}
	}
}

func TestImpossibleSchedules(t *testing.T) {
	for _, s := range []optim.Schedule{
		{Peak: 1}, {Steps: 1}, {Peak: -1, Steps: 1}, {Peak: math.NaN(), Steps: 1}, {Kind: "linear", Peak: 1, Steps: 1},
		{Peak: 1, Steps: 1, Warmup: -1}, {Peak: 1, Steps: 1, Cooldown: -1}, {Peak: 1, Steps: 1, Final: 2},
	} {
		if s.Validate() == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
}

// param makes a parameter with values and a gradient.
func param(b tensor.Backend, site uint64, shape ...int) *op.Param {
	w := op.NewParam(b, fmt.Sprint("w", site), shape...)
	w.NeedGrad(b)
	x, g := make([]float32, w.Len()), make([]float32, w.Len())
	for i := range x {
		x[i], g[i] = float32(rng.Normal(1, site, uint64(i))), float32(rng.Normal(2, site, uint64(i)))
	}
	b.Upload(w.T, x)
	b.Upload(w.Grad, g)
	w.Fresh = false
	return w
}

func host(b tensor.Backend, t *tensor.Tensor) []float32 {
	x := make([]float32, t.Len())
	b.Download(x, t)
	return x
}

// TestAdamWFirstStep compares with the closed form: the first step is the
// gradient's sign, and only matrices decay.
func TestAdamWFirstStep(t *testing.T) {
	b := ref.New()
	for _, shape := range [][]int{{6}, {3, 4}} {
		w := param(b, 5, shape...)
		before, g := host(b, w.T), host(b, w.Grad)
		z, err := optim.New(b, []*op.Param{w}, func(*op.Param) bool { return false }, optim.Options{Name: "adamw", WeightDecay: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		z.Step(1, 0.1, 1)
		for i, got := range host(b, w.T) {
			decay := 0.0
			if len(shape) == 2 {
				decay = 0.5 * float64(before[i])
			}
			want := float64(before[i]) - 0.1*(math.Copysign(1, float64(g[i]))+decay)
			if math.Abs(float64(got)-want) > 1e-6 {
				t.Errorf("shape %v element %d = %g, want %g", shape, i, got, want)
			}
		}
	}
}

// TestMuonUpdateIsNearlyOrthogonal takes one step from zero weights: the update,
// divided by its scale, must have singular values near 1, for each block of a
// fused projection.
func TestMuonUpdateIsNearlyOrthogonal(t *testing.T) {
	b := ref.New()
	for _, c := range []struct{ rows, cols, blocks int }{{8, 8, 1}, {6, 20, 1}, {20, 6, 1}, {8, 24, 3}} {
		w := param(b, uint64(c.rows*100+c.cols), c.rows, c.cols)
		w.Blocks = c.blocks
		b.Zero(w.T)
		z, err := optim.New(b, []*op.Param{w}, func(*op.Param) bool { return true }, optim.Options{})
		if err != nil {
			t.Fatal(err)
		}
		z.Step(1, 1, 1)
		x, width := host(b, w.T), c.cols/c.blocks
		for k := range c.blocks {
			n := min(c.rows, width)
			scale := 0.2 * math.Sqrt(float64(max(c.rows, width)))
			at := func(i, j int) float64 { // the short side first
				if c.rows > width {
					i, j = j, i
				}
				return float64(x[i*c.cols+k*width+j]) / scale
			}
			var trace float64
			for i := range n {
				for l := range n {
					var dot float64
					for j := range max(c.rows, width) {
						dot += at(i, j) * at(l, j)
					}
					if i == l {
						trace += dot
					} else if math.Abs(dot) > 0.5 {
						t.Errorf("%+v: rows %d and %d have product %.2f, want near 0", c, i, l, dot)
					}
				}
			}
			if mean := trace / float64(n); mean < 0.6 || mean > 1.3 {
				t.Errorf("%+v: mean squared singular value %.2f, want near 1", c, mean)
			}
		}
	}
}

// TestParametersWithoutGradientStay: nothing depended on them in this step.
func TestParametersWithoutGradientStay(t *testing.T) {
	b := ref.New()
	w := param(b, 9, 4, 4)
	before := host(b, w.T)
	for _, name := range []string{"adamw", "muon"} {
		z, err := optim.New(b, []*op.Param{w}, func(*op.Param) bool { return true }, optim.Options{Name: name, WeightDecay: 0.1})
		if err != nil {
			t.Fatal(err)
		}
		w.ZeroGrad()
		z.Step(1, 1, 1)
		for i, x := range host(b, w.T) {
			if x != before[i] {
				t.Fatalf("%s moved element %d", name, i)
			}
		}
	}
}
