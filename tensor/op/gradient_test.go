package op_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/tensor/ref"
)

// graph is a small computation with inputs and parameters to be checked.
type graph struct {
	name   string
	inputs [][2]int // rows, cols
	params [][]int  // shapes
	run    func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value
}

func ids(n, vocab int) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = int32(rng.Intn(5, 6, uint64(i), vocab))
	}
	return x
}

// attentionCase is an attention over B sequences with documents and a window.
func attentionCase(H, K, D, B, T, window int, docs bool) *tensor.Attention {
	a := &tensor.Attention{B: B, TQ: T, TK: T, H: H, K: K, D: D, Scale: 0.7, Lo: make([]int32, B*T), Hi: make([]int32, B*T)}
	var start []int32
	if docs {
		start = make([]int32, B*T)
		for i := range start {
			start[i] = int32(i % T / 3 * 3)
		}
	}
	op.CausalRanges(a.Lo, a.Hi, start, T, window)
	return a
}

func graphs() []graph {
	gs := []graph{
		{"linear", [][2]int{{5, 4}}, [][]int{{3, 4}, {3}}, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			return op.Linear{W: w[0], B: w[1]}.Apply(p, in[0])
		}},
		{"linear input-major into stream", [][2]int{{5, 4}, {5, 3}}, [][]int{{4, 3}, {3}}, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			return op.Linear{W: w[0], B: w[1], InOut: true, Stream: in[1]}.Apply(p, in[0])
		}},
		{"linear with LoRA", [][2]int{{5, 4}}, [][]int{{3, 4}, {3}, {2, 4}, {3, 2}}, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			w[0].LoRA = &op.LoRA{A: w[2], B: w[3], Scale: 1.5}
			return op.Linear{W: w[0], B: w[1]}.Apply(p, in[0])
		}},
		{"linear input-major into stream with LoRA and dropout", [][2]int{{5, 4}, {5, 3}}, [][]int{{4, 3}, {2, 4}, {3, 2}}, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			w[0].LoRA = &op.LoRA{A: w[1], B: w[2], Scale: 0.5, Drop: tensor.Dropout{P: 0.3, Seed: 1, Stream: 2}}
			return op.Linear{W: w[0], InOut: true, Stream: in[1]}.Apply(p, in[0])
		}},
		{"value used three times", [][2]int{{3, 4}}, [][]int{{4, 4}}, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			y := op.Linear{W: w[0], Stream: in[0]}.Apply(p, in[0])
			return op.Mul(p, op.Add(p, y, in[0]), y)
		}},
		{"embedding", nil, [][]int{{6, 4}}, func(p *op.Pass, _ []*op.Value, w []*op.Param) *op.Value {
			return op.Embedding(p, w[0], ids(9, 6))
		}},
		{"layernorm", [][2]int{{4, 6}}, [][]int{{6}, {6}}, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			return op.LayerNorm(p, in[0], w[0], w[1], 1e-5)
		}},
		{"layernorm plain", [][2]int{{4, 6}}, nil, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			return op.LayerNorm(p, in[0], nil, nil, 1e-5)
		}},
		{"rmsnorm", [][2]int{{4, 6}}, [][]int{{6}}, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			return op.RMSNorm(p, in[0], w[0], 1e-5)
		}},
		{"swiglu", [][2]int{{3, 5}, {3, 5}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			return op.SwiGLU(p, in[0], in[1])
		}},
		{"dropout", [][2]int{{7, 5}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			return op.Dropout(p, in[0], tensor.Dropout{P: 0.3, Seed: 1, Stream: 2})
		}},
		{"softmax, scale, mean", [][2]int{{3, 5}, {3, 5}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			return op.Mean(p, op.Mul(p, op.Scale(p, op.Softmax(p, in[0]), 1.5), in[1]))
		}},
	}
	for f, name := range []string{"gelu-tanh", "gelu-erf", "silu", "relu", "tanh", "sigmoid"} {
		gs = append(gs, graph{name, [][2]int{{3, 5}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			return op.Unary(p, tensor.Func(f), in[0])
		}})
	}
	for _, pairs := range []bool{false, true} {
		gs = append(gs, graph{fmt.Sprintf("rope pairs=%v", pairs), [][2]int{{4, 8}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			// RoPE works in place, on a copy of the input here.
			return op.RoPE(p, op.Scale(p, in[0], 1), []int32{0, 1, 2, 5}, op.NewRotary(4, 100, pairs))
		}})
	}
	for _, c := range []struct {
		name       string
		H, K, T, w int
		docs       bool
	}{
		{"multi-head", 2, 2, 5, 0, false}, {"grouped-query", 4, 2, 6, 0, false}, {"multi-query", 3, 1, 5, 0, false},
		{"documents", 2, 1, 7, 0, true}, {"window", 2, 2, 7, 3, false},
	} {
		gs = append(gs, graph{"attention " + c.name, [][2]int{{2 * c.T, c.H * 4}, {2 * c.T, c.K * 4}, {2 * c.T, c.K * 4}}, nil,
			func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
				return op.Attention(p, in[0], in[1], in[2], attentionCase(c.H, c.K, 4, 2, c.T, c.w, c.docs))
			}})
	}
	gs = append(gs, familyGraphs()...)
	gs = append(gs, graph{"attention of one projection", [][2]int{{6, 16}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
		return op.AttentionQKV(p, in[0], attentionCase(2, 1, 4, 1, 6, 0, false))
	}})
	return gs
}

// values draws n numbers of deviation 1 for a site of the test.
func values(n int, site string) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.Normal(11, rng.Stream(site), uint64(i)))
	}
	return x
}

// state is the numbers that the graph depends on.
func (g graph) state() (in, w [][]float32) {
	for i, s := range g.inputs {
		in = append(in, values(s[0]*s[1], fmt.Sprint(g.name, "in", i)))
	}
	for i, s := range g.params {
		n := 1
		for _, d := range s {
			n *= d
		}
		w = append(w, values(n, fmt.Sprint(g.name, "w", i)))
	}
	return in, w
}

// eval runs the graph on b and returns the sum of the result times fixed
// weights; with grads it also returns all gradients.
func (g graph) eval(b tensor.Backend, in, w [][]float32, grads bool) (loss float64, din, dw [][]float32) {
	p := op.NewPass(b, op.Options{Record: true})
	defer p.Close()
	var vs []*op.Value
	var ps []*op.Param
	for i, s := range g.inputs {
		vs = append(vs, p.Input(in[i], s[0], s[1], true))
	}
	for i, s := range g.params {
		q := op.NewParam(b, fmt.Sprint("w", i), s...)
		b.Upload(q.T, w[i])
		if grads {
			q.NeedGrad(b)
		}
		ps = append(ps, q)
	}
	y := g.run(p, vs, ps).Keep()
	out := tensorData(y.T)
	seed := values(len(out), g.name+"seed")
	for i := range out {
		loss += out[i] * float64(seed[i])
	}
	if !grads {
		return loss, nil, nil
	}
	p.Seed(y, seed)
	p.Backward()
	for _, v := range vs {
		din = append(din, p.Host(v.Gradient()))
	}
	for _, q := range ps {
		dw = append(dw, p.Host(q.Grad))
	}
	return loss, din, dw
}

func tensorData(t *tensor.Tensor) []float64 {
	var out []float64
	for i := range t.Rows {
		out = append(out, tensor.Row[float64](t, i)...)
	}
	return out
}

// TestGradients compares every gradient with central differences on the
// float64 reference.
func TestGradients(t *testing.T) {
	b := ref.New()
	for _, g := range graphs() {
		t.Run(g.name, func(t *testing.T) {
			in, w := g.state()
			_, din, dw := g.eval(b, in, w, true)
			tolerance := 2e-5
			if strings.HasPrefix(g.name, "experts") {
				tolerance = 2e-4 // weights are float32 on their way, and a difference divides by its step
			}
			check := func(kind string, x, grad [][]float32) {
				for k := range x {
					for i := range x[k] {
						const h = 1.0 / 1024
						old := x[k][i]
						x[k][i] = old + h
						hi, _, _ := g.eval(b, in, w, false)
						x[k][i] = old - h
						lo, _, _ := g.eval(b, in, w, false)
						x[k][i] = old
						want := (hi - lo) / (float64(old+h) - float64(old-h))
						if got := float64(grad[k][i]); math.Abs(got-want) > tolerance*(1+math.Abs(want)) {
							t.Errorf("%s %d element %d: gradient %.8g, central difference %.8g", kind, k, i, got, want)
						}
					}
				}
			}
			check("input", in, din)
			check("parameter", w, dw)
		})
	}
}

// TestLossGradient checks the fused unembedding and cross-entropy.
func TestLossGradient(t *testing.T) {
	for _, o := range []op.CrossEntropy{
		{Scale: 1.0 / 5, ZLoss: 0.1}, {Scale: 1.0 / 5, ZLoss: 0.1, LogitCap: 1.2},
		{Scale: 1.0 / 5, LogitCap: 1.2, Weights: []float64{1, 1, -2, 0, 0.5, 1, 3}},
	} {
		t.Run(fmt.Sprint("cap ", o.LogitCap, " weights ", o.Weights), func(t *testing.T) { checkLossGradient(t, o) })
	}
}

func checkLossGradient(t *testing.T, o op.CrossEntropy) {
	const N, C, V = 7, 4, 9
	b := ref.New()
	targets := []int32{3, -1, 0, 8, 2, -1, 2}
	h0, w0 := values(N*C, "h"), values(V*C, "w")
	run := func(record bool) (loss float64, dh, dw []float32) {
		p := op.NewPass(b, op.Options{Record: record})
		defer p.Close()
		w := op.NewParam(b, "w", V, C)
		b.Upload(w.T, w0)
		if record {
			w.NeedGrad(b)
		}
		h := p.Input(h0, N, C, true)
		for i, l := range op.Loss(p, h, w, targets, o) {
			if targets[i] < 0 && l != 0 {
				t.Errorf("masked row %d has loss %g", i, l)
			}
			if o.Weights != nil {
				l *= o.Weights[i]
			}
			loss += l * o.Scale
		}
		if record {
			dh, dw = p.Host(h.Gradient()), p.Host(w.Grad)
		}
		return loss, dh, dw
	}
	_, dh, dw := run(true)
	for name, x := range map[string][2][]float32{"h": {h0, dh}, "w": {w0, dw}} {
		for i := range x[0] {
			const step = 1.0 / 1024
			old := x[0][i]
			x[0][i] = old + step
			hi, _, _ := run(false)
			x[0][i] = old - step
			lo, _, _ := run(false)
			x[0][i] = old
			want := (hi - lo) / (float64(old+step) - float64(old-step))
			if got := float64(x[1][i]); math.Abs(got-want) > 1e-5 {
				t.Errorf("d%s[%d] = %.7g, central difference %.7g", name, i, got, want)
			}
		}
	}
}
