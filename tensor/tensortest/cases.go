package tensortest

import (
	"math"

	"github.com/foundling-lm/foundling/tensor"
)

type testCase struct {
	name string
	run  func(*session)
}

type picker = func(pair) *tensor.Tensor

func cases() []testCase {
	return []testCase{
		{"copy and convert", copies}, {"products", products}, {"packed products", packedProducts},
		{"weights", constantWeights}, {"broken weights", brokenWeights},
		{"elementwise", elementwise}, {"sums", sums}, {"functions", functions}, {"gated units", gated}, {"rows", rowwise},
		{"softmax", softmax}, {"embedding", embedding}, {"norms", norms}, {"rope", rope},
		{"attention", attention}, {"attention gradient", attentionGradient}, {"cached attention", cachedAttention},
		{"cross-entropy", crossEntropy}, {"adamw", adamw}, {"dropout", dropout},
	}
}

func copies(s *session) {
	r, c := s.n(0, 40), s.n(1, 300)
	w, n := s.wide(r, c), s.narrow(r, c)
	x, y := s.narrow(r, c), s.wide(r, c)
	s.both(func(b tensor.Backend, p picker) {
		b.Copy(p(x), p(w))
		b.Copy(p(y), p(n))
	})
	s.same("narrowed", x, 1, true)
	s.same("widened", y, 1, false)
	s.both(func(b tensor.Backend, p picker) { b.Zero(p(y)) })
	s.same("zero", y, 0, false)
}

func products(s *session) {
	for _, trans := range []tensor.MatMul{{}, {TransA: true}, {TransB: true}, {TransA: true, TransB: true}} {
		M, N, K := s.n(0, 70), s.n(1, 90), s.n(0, 200)
		if s.seed == 0 {
			M = 1
		}
		a, b := s.narrow(M, K), s.wide(K, N)
		if trans.TransA {
			a = s.narrow(K, M)
		}
		if trans.TransB {
			b = s.wide(N, K)
		}
		c, d, bias := s.wide(M, N), s.narrow(M, N), s.wide(1, N)
		scale := math.Sqrt(float64(K + 1))
		s.both(func(be tensor.Backend, p picker) {
			o := trans
			o.Accumulate = true
			be.MatMul(p(c), p(a), p(b), o)
			o.Accumulate, o.Bias = false, p(bias)
			be.MatMul(p(d), p(a), p(b), o)
		})
		s.same("accumulated product", c, 4*scale, true)
		s.same("product with bias", d, 4*scale, true)
	}
}

// packedProducts checks that a packed operand changes no bit, nor does the
// number of rows.
func packedProducts(s *session) {
	M, N, K := s.n(2, 70), s.n(1, 90), s.n(1, 300)
	for _, trans := range []bool{false, true} {
		a, w := s.narrow(M, K), s.wide(K, N)
		if trans {
			w = s.wide(N, K)
		}
		b := s.fast.b
		c, d := s.wide(M, N).fast, s.wide(M, N).fast
		b.MatMul(c, a.fast, w.fast, tensor.MatMul{TransB: trans})
		packed := b.Pack(w.fast, trans)
		for i := range M {
			b.MatMul(d.RowRange(i, i+1), a.fast.RowRange(i, i+1), w.fast, tensor.MatMul{TransB: trans, Packed: packed})
		}
		if packed != nil {
			packed.Release()
		}
		x, y := make([]float32, M*N), make([]float32, M*N)
		b.Download(x, c)
		b.Download(y, d)
		for i := range x {
			if math.Float32bits(x[i]) != math.Float32bits(y[i]) {
				s.t.Fatalf("%s: row %d alone and packed gives %g, among %d rows %g (N=%d K=%d)", s.name, i/N, y[i], M, x[i], N, K)
			}
		}
	}
}

func elementwise(s *session) {
	r, c := s.n(1, 40), s.n(1, 300)
	x, y, z, u, v := s.wide(r, c), s.narrow(r, c), s.wide(r, c), s.wide(r, c), s.wide(r, c)
	s.both(func(b tensor.Backend, p picker) {
		b.Add(p(z), p(x), p(y))
		b.Mul(p(u), p(x), p(y))
		b.AddScaled(p(v), p(y), -0.5)
		b.Scale(p(x), p(x), 3)
	})
	s.same("sum", z, 4, false)
	s.same("product", u, 4, false)
	s.same("added", v, 4, false)
	s.same("scaled", x, 4, false)
}

func sums(s *session) {
	r, c := s.n(1, 200), s.n(1, 300)
	x, y, d := s.wide(r, c), s.wide(r, c), s.wide(1, c)
	var sum, sq []float64
	s.both(func(b tensor.Backend, p picker) {
		b.SumRows(p(d), p(x))
		sum = append(sum, b.Sum(p(x)))
		sq = append(sq, b.SumSquares([]*tensor.Tensor{p(x), p(y)}))
	})
	s.same("rows", d, math.Sqrt(float64(r)), false)
	s.equal("sum", sum[0]/math.Sqrt(float64(r*c)), sum[1]/math.Sqrt(float64(r*c)))
	s.equal("squares", sq[0]/sq[1], 1)
}

func functions(s *session) {
	r, c := s.n(1, 20), s.n(1, 300)
	for f := tensor.GELUTanh; f <= tensor.Sigmoid; f++ {
		x, dy, y, dx := s.narrow(r, c), s.wide(r, c), s.narrow(r, c), s.wide(r, c)
		s.both(func(b tensor.Backend, p picker) {
			b.Unary(f, p(y), p(x))
			b.UnaryBack(f, p(dx), p(dy), p(x))
			b.UnaryBack(f, p(dy), p(dy), p(x)) // in place
		})
		s.same("value", y, 4, false)
		s.same("gradient", dx, 4, false)
		s.same("gradient in place", dy, 4, false)
	}
}

func gated(s *session) {
	for f := tensor.GELUTanh; f <= tensor.ReLU; f++ {
		r, c := s.n(1, 20), s.n(1, 300)
		g, u, dy, y, dg, du := s.narrow(r, c), s.narrow(r, c), s.wide(r, c), s.narrow(r, c), s.wide(r, c), s.wide(r, c)
		s.both(func(b tensor.Backend, p picker) {
			b.GLU(f, p(y), p(g), p(u))
			b.GLUBack(f, p(dg), p(du), p(dy), p(g), p(u))
		})
		s.same("value", y, 4, false)
		s.same("gate's gradient", dg, 4, false)
		s.same("up's gradient", du, 4, false)
	}
}

func rowwise(s *session) {
	n, c := s.n(1, 90), s.n(1, 300)
	a, b, f, y, z, d := s.narrow(n, c), s.wide(n, c), s.wide(n, 1), s.wide(n, c), s.narrow(n, c), s.wide(n, 1)
	s.both(func(be tensor.Backend, p picker) {
		be.ScaleRows(p(y), p(a), p(f))
		be.ScaleRows(p(z), p(b), p(f))
		be.DotRows(p(d), p(a), p(b))
	})
	s.same("scaled rows", y, 4, false)
	s.same("scaled rows, narrow", z, 4, false)
	s.same("products of rows", d, math.Sqrt(float64(c)), false)
}

func softmax(s *session) {
	r, c := s.n(1, 20), s.n(1, 300)
	x, y, dy, dx := s.wide(r, c), s.wide(r, c), s.wide(r, c), s.wide(r, c)
	s.both(func(b tensor.Backend, p picker) {
		b.Softmax(p(y), p(x))
		b.SoftmaxBack(p(dx), p(dy), p(y))
	})
	s.same("value", y, 1, false)
	s.same("gradient", dx, 1, false)
}

func embedding(s *session) {
	n, c, v := s.n(1, 90), s.n(1, 300), s.n(1, 30)
	ids := s.ids(n, v)
	table, y, dy, d := s.wide(v, c), s.wide(n, c), s.wide(n, c), s.wide(v, c)
	s.both(func(b tensor.Backend, p picker) {
		b.Embed(p(y), p(table), ids)
		b.EmbedBack(p(d), p(dy), ids)
	})
	s.same("rows", y, 1, false)
	s.same("gradient", d, math.Sqrt(float64(n)), false)
}

func norms(s *session) {
	for _, k := range []tensor.NormKind{tensor.LayerNorm, tensor.RMSNorm} {
		n, c := s.n(1, 150), s.n(2, 300)
		x, w, bias, y, stats := s.wide(n, c), s.wide(1, c), s.wide(1, c), s.narrow(n, c), s.wide(n, 2)
		dy, dx, dw, db := s.wide(n, c), s.wide(n, c), s.wide(1, c), s.wide(1, c)
		s.both(func(b tensor.Backend, p picker) {
			var shift, dshift *tensor.Tensor
			if k == tensor.LayerNorm {
				shift, dshift = p(bias), p(db)
			}
			b.Norm(k, p(y), p(stats), p(x), p(w), shift, 1e-5)
			b.NormBack(k, p(dx), p(dw), dshift, p(dy), p(x), p(w), p(stats))
		})
		s.same("value", y, 4, false)
		s.same("statistics", stats, 4, false)
		s.same("gradient", dx, 8, false)
		s.same("scale's gradient", dw, 8*math.Sqrt(float64(n)), false)
		s.same("shift's gradient", db, 4*math.Sqrt(float64(n)), false)
	}
}

func rope(s *session) {
	heads, half, n := s.n(1, 4), s.n(1, 20), s.n(1, 50)
	r := &tensor.Rotary{D: 2 * half, Pairs: s.seed%2 == 1}
	for i := range half {
		r.Freq = append(r.Freq, math.Pow(50, -float64(i)/float64(half)))
	}
	if s.seed >= 4 {
		r.Head, r.Scale = 2*half+s.n(0, 9), 1.2
	}
	pos := s.ids(n, 2000)
	x, y := s.narrow(n, heads*r.Width()), s.wide(n, heads*r.Width())
	s.both(func(b tensor.Backend, p picker) {
		b.RoPE(p(x), pos, r, false)
		b.RoPE(p(y), pos, r, true)
	})
	s.same("rotation", x, 2, false)
	s.same("inverse", y, 2, false)
}

func attention(s *session) {
	a := s.attention()
	q, k, v := s.narrow(a.B*a.TQ, a.H*a.D), s.narrow(a.B*a.TK, a.K*a.D), s.narrow(a.B*a.TK, a.K*a.D)
	out, lse := s.narrow(a.B*a.TQ, a.H*a.D), s.wide(a.B*a.TQ, a.H)
	s.both(func(b tensor.Backend, p picker) { b.Attention(p(out), p(lse), p(q), p(k), p(v), a) })
	s.same("value", out, 4, true)
	s.same("log-sum-exp", lse, 4, true)
	s.decode(a, q, k, v, out)
}

// decode checks that the last row alone, over the keys so far, gives the bits of
// the full pass.
func (s *session) decode(a *tensor.Attention, q, k, v, out pair) {
	b := s.fast.b
	one := *a
	one.B, one.TQ = 1, 1
	row := s.n(0, a.TQ-1)
	one.TK = row + 1
	one.Lo, one.Hi = a.Lo[row:row+1], a.Hi[row:row+1]
	y := s.narrow(1, a.H*a.D).fast
	lse := s.wide(1, a.H).fast
	b.Attention(y, lse, q.fast.RowRange(row, row+1), k.fast.RowRange(0, row+1), v.fast.RowRange(0, row+1), &one)
	got, want := make([]float32, y.Len()), make([]float32, y.Len())
	b.Download(got, y)
	b.Download(want, out.fast.RowRange(row, row+1))
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			s.t.Fatalf("%s: row %d alone has %g at %d, among %d rows %g", s.name, row, got[i], i, a.TQ, want[i])
		}
	}
}

func attentionGradient(s *session) {
	a := s.attention()
	nq, nk := a.B*a.TQ, a.B*a.TK
	q, k, v := s.narrow(nq, a.H*a.D), s.narrow(nk, a.K*a.D), s.narrow(nk, a.K*a.D)
	out, lse, dout := s.narrow(nq, a.H*a.D), s.wide(nq, a.H), s.wide(nq, a.H*a.D)
	dq, dk, dv := s.wide(nq, a.H*a.D), s.wide(nk, a.K*a.D), s.wide(nk, a.K*a.D)
	s.both(func(b tensor.Backend, p picker) {
		b.Attention(p(out), p(lse), p(q), p(k), p(v), a)
		b.AttentionBack(p(dq), p(dk), p(dv), p(dout), p(out), p(lse), p(q), p(k), p(v), a)
	})
	scale := 4 * math.Sqrt(float64(a.H/a.K*a.D))
	s.same("dq", dq, scale, true)
	s.same("dk", dk, scale, true)
	s.same("dv", dv, scale, true)
}

func crossEntropy(s *session) {
	n, v := s.n(1, 40), s.n(2, 500)
	targets := s.ids(n, v)
	targets[0] = -1
	x := s.wide(n, v)
	losses := [2][]float64{make([]float64, n), make([]float64, n)}
	o := tensor.CrossEntropy{Scale: 0.25, ZLoss: 0.01 * float64(s.seed%2)}
	if s.seed%3 == 0 {
		o.Weights = make([]float64, n)
		for i := range o.Weights {
			o.Weights[i] = float64(i%5) - 1.5
		}
	}
	i := 0
	if s.seed%4 == 1 {
		targets, o = nil, tensor.CrossEntropy{NoGrad: true}
	}
	s.both(func(b tensor.Backend, p picker) {
		b.CrossEntropy(losses[i], p(x), targets, o)
		i++
	})
	if targets != nil {
		s.same("gradient", x, 1, false)
	}
	for i := range losses[0] {
		s.equal("loss", losses[0][i], losses[1][i])
	}
}

func adamw(s *session) {
	r, c := s.n(1, 20), s.n(1, 300)
	w, m, v, g := s.wide(r, c), s.wide(r, c), s.wide(r, c), s.wide(r, c)
	s.both(func(b tensor.Backend, p picker) {
		b.Mul(p(v), p(v), p(v)) // a second moment is not negative
		b.AdamW(p(w), p(m), p(v), p(g), tensor.AdamW{
			LR: 0.01, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, GradScale: 0.5, Step: 3,
		})
	})
	s.same("parameter", w, 1, false)
	s.same("first moment", m, 1, false)
	s.same("second moment", v, 1, false)
}

func dropout(s *session) {
	r, c := s.n(1, 20), s.n(1, 300)
	x, y := s.wide(r, c), s.wide(r, c)
	s.both(func(b tensor.Backend, p picker) {
		b.Dropout(p(y), p(x), tensor.Dropout{P: 0.4, Seed: s.seed, Stream: 9})
	})
	s.same("value", y, 4, false)
}
