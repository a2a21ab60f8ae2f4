package op

import (
	"fmt"

	"github.com/foundling-lm/foundling/tensor"
)

// A mixture of experts (Shazeer et al. 2017, arXiv 1701.06538) in three steps:
// TopK routes each token to its best experts, Gather brings the tokens of one
// expert together, Combine adds what the experts made of them, weighted. A token
// is never dropped, and its result is a sum over its own experts in rising
// order: it does not depend on the tokens beside it.

// Routes says which tokens go to which expert.
type Routes struct {
	Tokens []int32   // rows of the input, by expert, rising for each
	Start  []int     // expert e has Tokens[Start[e]:Start[e+1]]
	Share  []float64 // of each expert in the routes
	Mean   []float64 // of each expert's probability over the tokens
}

// Expert is the tokens of expert e.
func (r *Routes) Expert(e int) []int32 { return r.Tokens[r.Start[e]:r.Start[e+1]] }

// Balance is the load-balancing loss of Switch Transformers (Fedus et al. 2021,
// arXiv 2101.03961, eq. 4): E * sum(Share * Mean), 1 where the load is even.
// With k routes a token, Share counts them all.
func (r *Routes) Balance() float64 {
	var s float64
	for e, f := range r.Share {
		s += f * r.Mean[e]
	}
	return float64(len(r.Share)) * s
}

// TopK is the options of a routing.
type TopK struct {
	K         int     // experts of a token
	Normalise bool    // weights are divided by their sum
	Balance   float64 // the gradient is also that of Balance times Routes.Balance
}

// Apply routes the rows of probs (N,E), probabilities of the experts, to those
// with the K greatest, the lower number where two are equal. weights (N*K,1) is
// Wide, in the order of Routes.Tokens.
func (o TopK) Apply(p *Pass, probs *Value) (r *Routes, weights *Value) {
	n, experts := probs.T.Rows, probs.T.Cols
	if o.K <= 0 || o.K > experts {
		panic(fmt.Sprintf("op: the best %d of %d experts", o.K, experts))
	}
	g := &routing{TopK: o, probs: p.Host(probs.T), experts: experts, chosen: make([]int32, n*o.K)}
	for i := range n {
		best(g.chosen[i*o.K:(i+1)*o.K], g.probs[i*experts:(i+1)*experts])
	}
	r = g.routes(n)
	weights = p.New(p.Backend.Wide(), len(r.Tokens), 1)
	p.Backend.Upload(weights.T, g.weights(n))
	return r, p.record(weights, func(dw *tensor.Tensor) {
		d := g.gradient(n, p.Host(dw), r)
		p.give(probs, func(dst *tensor.Tensor) { p.Backend.Upload(dst, d) })
	})
}

// routing is what TopK keeps for its gradient.
type routing struct {
	TopK
	probs   []float32 // (N,E)
	experts int
	chosen  []int32 // (N,K): experts of each token, rising
	place   []int   // (N,K): where in Routes.Tokens
}

// best writes the places of the len(dst) greatest of p to dst, rising.
func best(dst []int32, p []float32) {
	for j := range dst {
		at := -1
		for e, x := range p {
			if at >= 0 && !(x > p[at]) {
				continue
			}
			taken := false
			for _, c := range dst[:j] {
				taken = taken || int(c) == e
			}
			if !taken {
				at = e
			}
		}
		dst[j] = int32(at)
	}
	for i := 1; i < len(dst); i++ { // by insertion: there are few
		for j := i; j > 0 && dst[j] < dst[j-1]; j-- {
			dst[j], dst[j-1] = dst[j-1], dst[j]
		}
	}
}

func (g *routing) routes(n int) *Routes {
	r := &Routes{
		Tokens: make([]int32, len(g.chosen)), Start: make([]int, g.experts+1),
		Share: make([]float64, g.experts), Mean: make([]float64, g.experts),
	}
	for _, e := range g.chosen {
		r.Start[e+1]++
	}
	for e := range g.experts {
		r.Share[e] = float64(r.Start[e+1]) / float64(max(1, len(g.chosen)))
		r.Start[e+1] += r.Start[e]
	}
	next := append([]int(nil), r.Start...)
	g.place = make([]int, len(g.chosen))
	for i, e := range g.chosen {
		r.Tokens[next[e]], g.place[i] = int32(i/g.K), next[e]
		next[e]++
	}
	for i, x := range g.probs {
		r.Mean[i%g.experts] += float64(x) / float64(n)
	}
	return r
}

// sum is that of the chosen probabilities of token i, 1 where they are not
// normalised.
func (g *routing) sum(i int) float64 {
	if !g.Normalise {
		return 1
	}
	var s float64
	for _, e := range g.chosen[i*g.K : (i+1)*g.K] {
		s += float64(g.probs[i*g.experts+int(e)])
	}
	return s
}

func (g *routing) weights(n int) []float32 {
	w := make([]float32, n*g.K)
	for j, e := range g.chosen {
		i := j / g.K
		w[g.place[j]] = float32(float64(g.probs[i*g.experts+int(e)]) / g.sum(i))
	}
	return w
}

// gradient is that of the probabilities. With w = p/s: dp = (dw - sum(dw w)) / s
// where weights are normalised. The gradient of Balance goes through Mean alone,
// the shares being counts.
func (g *routing) gradient(n int, dw []float32, r *Routes) []float32 {
	d := make([]float32, n*g.experts)
	for i := range n {
		s, dot := g.sum(i), 0.0
		row := d[i*g.experts : (i+1)*g.experts]
		for j := i * g.K; g.Normalise && j < (i+1)*g.K; j++ {
			dot += float64(dw[g.place[j]]) * float64(g.probs[i*g.experts+int(g.chosen[j])]) / s
		}
		for e := range row {
			row[e] = float32(g.Balance * float64(g.experts) * r.Share[e] / float64(n))
		}
		for j := i * g.K; j < (i+1)*g.K; j++ {
			row[g.chosen[j]] += float32((float64(dw[g.place[j]]) - dot) / s)
		}
	}
	return d
}

// Gather is the given rows of x, in the format of x.
func Gather(p *Pass, x *Value, rows []int32) *Value {
	y := p.New(x.T.DType, len(rows), x.T.Cols)
	p.Backend.Embed(y.T, x.T, rows)
	return p.record(y, func(dy *tensor.Tensor) {
		p.addRows(x, dy, rows)
	})
}

// addRows adds row i of d to row rows[i] of the gradient of v.
func (p *Pass) addRows(v *Value, d *tensor.Tensor, rows []int32) {
	if !v.needs {
		return
	}
	if v.grad == nil {
		v.grad = p.like(v.T)
		p.Backend.Zero(v.grad)
	}
	p.Backend.EmbedBack(v.grad, d, rows)
}

// Combine is (N,C): the sum of the experts' results, each row times its weight.
// outs[e] holds the rows of r.Expert(e), nil where there are none. The result is
// Wide.
func Combine(p *Pass, n int, r *Routes, weights *Value, outs []*Value) *Value {
	var y *Value
	part := func(e int) *tensor.Tensor { return p.data(weights).RowRange(r.Start[e], r.Start[e+1]) }
	for e, out := range outs {
		if out == nil {
			continue
		}
		if y == nil {
			y = p.New(p.Backend.Wide(), n, out.T.Cols)
			p.Backend.Zero(y.T)
		}
		scaled := p.like(out.T)
		p.Backend.ScaleRows(scaled, out.T, part(e))
		p.Backend.EmbedBack(y.T, scaled, r.Expert(e))
		p.free(scaled)
	}
	return p.record(y, func(dy *tensor.Tensor) {
		dw := p.like(weights.T)
		for e, out := range outs {
			if out == nil {
				continue
			}
			d := p.like(out.T)
			p.Backend.Embed(d, dy, r.Expert(e))
			p.Backend.DotRows(dw.RowRange(r.Start[e], r.Start[e+1]), d, p.data(out))
			p.Backend.ScaleRows(d, d, part(e))
			p.giveBuffer(out, d)
		}
		p.giveBuffer(weights, dw)
	})
}
