package op_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/tensor/ref"
)

// experts is a mixture of linear experts: w[0] routes, the others are experts.
func experts(o op.TopK) func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
	return func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
		probs := op.Softmax(p, op.Linear{W: w[0], Wide: true}.Apply(p, in[0]))
		r, weights := o.Apply(p, probs)
		var outs []*op.Value
		for e, x := range w[1:] {
			outs = append(outs, nil)
			if len(r.Expert(e)) > 0 {
				outs[e] = op.Linear{W: x}.Apply(p, op.Gather(p, in[0], r.Expert(e)))
			}
		}
		return op.Combine(p, in[0].T.Rows, r, weights, outs)
	}
}

// familyGraphs are the operations that some families of models brought.
func familyGraphs() []graph {
	gs := []graph{
		{"rmsnorm with offset", [][2]int{{4, 6}}, [][]int{{6}}, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			return op.Norm{Kind: tensor.RMSNorm, W: w[0], Eps: 1e-5, Offset: true}.Apply(p, in[0])
		}},
		{"rmsnorm of heads", [][2]int{{4, 6}}, [][]int{{3}}, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			return op.Norm{Kind: tensor.RMSNorm, W: w[0], Eps: 1e-5, Heads: true}.Apply(p, in[0])
		}},
		{"rmsnorm of heads with offset", [][2]int{{4, 6}}, [][]int{{3}}, func(p *op.Pass, in []*op.Value, w []*op.Param) *op.Value {
			return op.Norm{Kind: tensor.RMSNorm, W: w[0], Eps: 1e-5, Heads: true, Offset: true}.Apply(p, in[0])
		}},
		{"geglu", [][2]int{{3, 5}, {3, 5}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			return op.GLU(p, tensor.GELUTanh, in[0], in[1])
		}},
		{"scale rows", [][2]int{{4, 5}, {4, 1}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			return op.ScaleRows(p, in[0], in[1])
		}},
		{"soft cap", [][2]int{{4, 5}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			return op.SoftCap(p, in[0], 1.5)
		}},
		{"columns", [][2]int{{4, 6}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			return op.Mul(p, op.Columns(p, in[0], 0, 3), op.Columns(p, in[0], 2, 5))
		}},
		{"gather", [][2]int{{4, 5}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			return op.Mul(p, op.Gather(p, in[0], []int32{2, 0, 2, 3, 2}), op.Gather(p, in[0], []int32{1, 1, 3, 3, 0}))
		}},
		{"experts", [][2]int{{6, 4}}, [][]int{{3, 4}, {4, 4}, {4, 4}, {4, 4}}, experts(op.TopK{K: 2})},
		{"experts, normalised", [][2]int{{6, 4}}, [][]int{{3, 4}, {4, 4}, {4, 4}, {4, 4}}, experts(op.TopK{K: 2, Normalise: true})},
	}
	gs = append(gs, graph{"attention with a soft cap", [][2]int{{7, 8}, {7, 4}, {7, 4}}, nil,
		func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			a := attentionCase(2, 1, 4, 1, 7, 4, false)
			a.SoftCap = 0.8
			return op.Attention(p, in[0], in[1], in[2], a)
		}})
	for _, partial := range []bool{false, true} {
		gs = append(gs, graph{fmt.Sprint("rope with a factor, partial ", partial), [][2]int{{4, 12}}, nil, func(p *op.Pass, in []*op.Value, _ []*op.Param) *op.Value {
			r := op.NewRotary(4, 100, false)
			if r.Scale = 1.3; partial {
				r.Head = 6
			}
			return op.RoPE(p, op.Scale(p, in[0], 1), []int32{0, 1, 2, 5}, r)
		}})
	}
	return gs
}

// TestBalance checks the load-balancing loss: 1 at even load, its gradient
// against central differences, which do not move the shares.
func TestBalance(t *testing.T) {
	const N, E, K = 6, 4, 2
	b := ref.New()
	run := func(logits []float32, o op.TopK) (*op.Routes, []float32) {
		p := op.NewPass(b, op.Options{Record: true})
		defer p.Close()
		x := p.Input(logits, N, E, true)
		r, w := o.Apply(p, op.Softmax(p, x))
		p.Seed(w, make([]float32, N*K))
		p.Backward()
		return r, p.Host(x.Gradient())
	}
	even := make([]float32, N*E)
	for i := range even {
		even[i] = float32(i * 7 % E / 2 * (1 - 2*(i/E%2))) // two of four, in turns
	}
	if r, _ := run(even, op.TopK{K: K}); r.Share[0] != 0.25 || math.Abs(r.Balance()-1) > 1e-7 {
		t.Errorf("even load: shares %v, loss %g, want 1", r.Share, r.Balance())
	}
	x := values(N*E, "router")
	o := op.TopK{K: K, Normalise: true, Balance: 0.7}
	first, grad := run(x, o)
	for i := range x {
		const h = 1.0 / 1024
		old := x[i]
		x[i] = old + h
		hi, _ := run(x, o)
		x[i] = old - h
		lo, _ := run(x, o)
		x[i] = old
		if !slices.Equal(hi.Tokens, lo.Tokens) || !slices.Equal(hi.Tokens, first.Tokens) {
			t.Fatalf("logit %d decides a route: choose other numbers", i)
		}
		want := 0.7 * (hi.Balance() - lo.Balance()) / (2 * h)
		if math.Abs(float64(grad[i])-want) > 1e-5 {
			t.Errorf("gradient %d is %g, central difference %g", i, grad[i], want)
		}
	}
}

// TestRoutes checks order, ties and that nothing is dropped.
func TestRoutes(t *testing.T) {
	p := op.NewPass(ref.New(), op.Options{})
	defer p.Close()
	probs := []float32{0.1, 0.4, 0.1, 0.4, 0.25, 0.25, 0.25, 0.25, 0.7, 0.1, 0.1, 0.1}
	r, w := op.TopK{K: 2}.Apply(p, p.Input(probs, 3, 4, false))
	if want := []int32{1, 2, 0, 1, 2, 0}; !slices.Equal(r.Tokens, want) || !slices.Equal(r.Start, []int{0, 2, 5, 5, 6}) {
		t.Errorf("routes %v from %v, want %v", r.Tokens, r.Start, want)
	}
	if got, want := p.Host(w.T), []float32{0.25, 0.7, 0.4, 0.25, 0.1, 0.4}; !slices.Equal(got, want) {
		t.Errorf("weights %v, want %v", got, want)
	}
}
