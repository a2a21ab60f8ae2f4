package ref

import (
	"math"

	"github.com/foundling-lm/foundling/tensor"
)

// fn returns f(x) and f'(x).
func fn(f tensor.Func, x float64) (y, dy float64) {
	switch f {
	case tensor.GELUTanh:
		const c = 0.7978845608028654 // sqrt(2/pi)
		t := math.Tanh(c * (x + 0.044715*x*x*x))
		return 0.5 * x * (1 + t), 0.5*(1+t) + 0.5*x*(1-t*t)*c*(1+3*0.044715*x*x)
	case tensor.GELUErf:
		cdf := 0.5 * (1 + math.Erf(x/math.Sqrt2))
		return x * cdf, cdf + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	case tensor.SiLU:
		s := 1 / (1 + math.Exp(-x))
		return x * s, s * (1 + x*(1-s))
	case tensor.ReLU:
		if x > 0 {
			return x, 1
		}
		return 0, 0
	case tensor.Tanh:
		t := math.Tanh(x)
		return t, 1 - t*t
	case tensor.Sigmoid:
		s := 1 / (1 + math.Exp(-x))
		return s, s * (1 - s)
	}
	panic("ref: unknown function")
}

// Unary is dst = f(x).
func (*Backend) Unary(f tensor.Func, dst, x *tensor.Tensor) {
	d, m := of(dst), of(x)
	each(dst, func(i, j int) { y, _ := fn(f, m.at(i, j)); d.set(i, j, y) })
}

// UnaryBack is dx = dy f'(x).
func (*Backend) UnaryBack(f tensor.Func, dx, dy, x *tensor.Tensor) {
	d, g, m := of(dx), of(dy), of(x)
	each(dx, func(i, j int) { _, s := fn(f, m.at(i, j)); d.set(i, j, g.at(i, j)*s) })
}

// GLU is dst = f(gate) up.
func (*Backend) GLU(f tensor.Func, dst, gate, up *tensor.Tensor) {
	d, g, u := of(dst), of(gate), of(up)
	each(dst, func(i, j int) { y, _ := fn(f, g.at(i, j)); d.set(i, j, y*u.at(i, j)) })
}

// GLUBack is the gradient of GLU.
func (*Backend) GLUBack(f tensor.Func, dgate, dup, dy, gate, up *tensor.Tensor) {
	dg, du, d, g, u := of(dgate), of(dup), of(dy), of(gate), of(up)
	each(dy, func(i, j int) {
		y, s := fn(f, g.at(i, j))
		gy, uy := d.at(i, j)*s*u.at(i, j), d.at(i, j)*y
		dg.set(i, j, gy)
		du.set(i, j, uy)
	})
}

// Embed gathers rows of table.
func (*Backend) Embed(dst, table *tensor.Tensor, ids []int32) {
	d, m := of(dst), of(table)
	each(dst, func(i, j int) { d.set(i, j, m.at(int(ids[i]), j)) })
}

// EmbedBack scatters rows of dy.
func (*Backend) EmbedBack(dtable, dy *tensor.Tensor, ids []int32) {
	d, m := of(dtable), of(dy)
	each(dy, func(i, j int) { d.add(int(ids[i]), j, m.at(i, j)) })
}

// Norm normalises each row.
func (*Backend) Norm(k tensor.NormKind, dst, stats, x, w, b *tensor.Tensor, eps float64) {
	d, s, m := of(dst), of(stats), of(x)
	C := float64(x.Cols)
	for i := range x.Rows {
		var mean, sq float64
		if k == tensor.LayerNorm {
			for j := range x.Cols {
				mean += m.at(i, j) / C
			}
		}
		for j := range x.Cols {
			sq += (m.at(i, j) - mean) * (m.at(i, j) - mean) / C
		}
		r := 1 / math.Sqrt(sq+eps)
		s.set(i, 0, mean)
		s.set(i, 1, r)
		for j := range x.Cols {
			y := (m.at(i, j) - mean) * r
			if w != nil {
				y *= of(w).at(0, j)
			}
			if b != nil {
				y += of(b).at(0, j)
			}
			d.set(i, j, y)
		}
	}
}

// NormBack is the gradient of Norm. With h the normalised row and g = dy w:
// dx = r (g - mean(g) - h mean(g h)); RMSNorm has no mean(g).
func (*Backend) NormBack(k tensor.NormKind, dx, dw, db, dy, x, w, stats *tensor.Tensor) {
	X, D, M, S := of(dx), of(dy), of(x), of(stats)
	C := float64(x.Cols)
	g := func(i, j int) float64 {
		if w == nil {
			return D.at(i, j)
		}
		return D.at(i, j) * of(w).at(0, j)
	}
	for i := range x.Rows {
		mean, r := S.at(i, 0), S.at(i, 1)
		var mg, mgh float64
		for j := range x.Cols {
			h := (M.at(i, j) - mean) * r
			mg += g(i, j) / C
			mgh += g(i, j) * h / C
			if dw != nil {
				of(dw).add(0, j, D.at(i, j)*h)
			}
			if db != nil {
				of(db).add(0, j, D.at(i, j))
			}
		}
		if k == tensor.RMSNorm {
			mg = 0
		}
		for j := range x.Cols {
			h := (M.at(i, j) - mean) * r
			X.set(i, j, r*(g(i, j)-mg-h*mgh))
		}
	}
}

// RoPE rotates each pair of each head by its position's angle.
func (*Backend) RoPE(x *tensor.Tensor, pos []int32, r *tensor.Rotary, inverse bool) {
	m := of(x)
	half := r.D / 2
	for i := range x.Rows {
		for h := 0; h < x.Cols; h += r.Width() {
			for p := range half {
				cos, sin := r.Turn(pos[i], p)
				if inverse {
					sin = -sin
				}
				a, b := h+p, h+p+half
				if r.Pairs {
					a, b = h+2*p, h+2*p+1
				}
				u, v := m.at(i, a), m.at(i, b)
				m.set(i, a, u*cos-v*sin)
				m.set(i, b, u*sin+v*cos)
			}
		}
	}
}

// visit calls f for each query row and head with the key rows it sees, their
// weights, and the slopes of their soft-capped scores (1 without a cap).
func visit(q, k *tensor.Tensor, a *tensor.Attention, f func(row, h, kvCol, key0 int, lse float64, p, slope []float64)) {
	Q, K := of(q), of(k)
	for row := range a.B * a.TQ {
		base := row / a.TQ * a.TK
		lo, hi := int(a.Lo[row]), int(a.Hi[row])
		for h := range a.H {
			kv := h / (a.H / a.K) * a.D
			s := make([]float64, hi-lo)
			for t := range s {
				for c := range a.D {
					s[t] += a.Scale * Q.at(row, h*a.D+c) * K.at(base+lo+t, kv+c)
				}
			}
			slope := make([]float64, hi-lo)
			for t := range s {
				slope[t] = 1
				if a.SoftCap != 0 {
					u, du := fn(tensor.Tanh, s[t]/a.SoftCap)
					s[t], slope[t] = a.SoftCap*u, du
				}
			}
			lse := logSumExp(s)
			for t := range s {
				s[t] = math.Exp(s[t] - lse)
			}
			f(row, h, kv, base+lo, lse, s, slope)
		}
	}
}

// Attention is softmax(scale q kT) v.
func (*Backend) Attention(out, lse, q, k, v *tensor.Tensor, a *tensor.Attention) {
	O, L, V := of(out), of(lse), of(v)
	visit(q, k, a, func(row, h, kv, key0 int, l float64, p, _ []float64) {
		L.set(row, h, l)
		for c := range a.D {
			var s float64
			for t := range p {
				s += p[t] * V.at(key0+t, kv+c)
			}
			O.set(row, h*a.D+c, s)
		}
	})
}

// AttentionBack is the gradient of Attention: with dp = dout vT,
// ds = p (dp - sum(dp p)) times the slope of the cap.
func (b *Backend) AttentionBack(dq, dk, dv, dout, out, lse, q, k, v *tensor.Tensor, a *tensor.Attention) {
	b.Zero(dq)
	b.Zero(dk)
	b.Zero(dv)
	DQ, DK, DV, DO, Q, K, V := of(dq), of(dk), of(dv), of(dout), of(q), of(k), of(v)
	visit(q, k, a, func(row, h, kv, key0 int, _ float64, p, slope []float64) {
		dp := make([]float64, len(p))
		var sum float64
		for t := range p {
			for c := range a.D {
				dp[t] += DO.at(row, h*a.D+c) * V.at(key0+t, kv+c)
				DV.add(key0+t, kv+c, p[t]*DO.at(row, h*a.D+c))
			}
			sum += dp[t] * p[t]
		}
		for t := range p {
			ds := a.Scale * slope[t] * p[t] * (dp[t] - sum)
			for c := range a.D {
				DQ.add(row, h*a.D+c, ds*K.at(key0+t, kv+c))
				DK.add(key0+t, kv+c, ds*Q.at(row, h*a.D+c))
			}
		}
	})
}

// CrossEntropy is lse - x[target] + zloss lse^2 for each row, lse without targets.
func (*Backend) CrossEntropy(losses []float64, logits *tensor.Tensor, targets []int32, o tensor.CrossEntropy) {
	m := of(logits)
	for i := range logits.Rows {
		row := m.row(i, logits.Cols)
		if targets == nil {
			losses[i] = logSumExp(row)
			continue
		}
		t := int(targets[i])
		if t < 0 {
			losses[i] = 0
			clear(row)
			continue
		}
		lse := logSumExp(row)
		losses[i] = lse - row[t] + o.ZLoss*lse*lse
		scale := o.Scale
		if o.Weights != nil {
			scale *= o.Weights[i]
		}
		for j := range row {
			row[j] = scale * math.Exp(row[j]-lse) * (1 + 2*o.ZLoss*lse)
		}
		row[t] -= scale
	}
}

// AdamW is algorithm 2 of Loshchilov & Hutter.
func (*Backend) AdamW(p, m, v, g *tensor.Tensor, o tensor.AdamW) {
	P, M, V, G := of(p), of(m), of(v), of(g)
	c1 := 1 - math.Pow(o.Beta1, float64(o.Step))
	c2 := 1 - math.Pow(o.Beta2, float64(o.Step))
	each(p, func(i, j int) {
		gr := G.at(i, j) * o.GradScale
		M.set(i, j, o.Beta1*M.at(i, j)+(1-o.Beta1)*gr)
		V.set(i, j, o.Beta2*V.at(i, j)+(1-o.Beta2)*gr*gr)
		step := (M.at(i, j) / c1) / (math.Sqrt(V.at(i, j)/c2) + o.Eps)
		P.add(i, j, -o.LR*(step+o.WeightDecay*P.at(i, j)))
	})
}
