package tensortest

import (
	"math"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
)

// cachedProblem is a ragged batch and the whole sequences behind it.
type cachedProblem struct {
	s       *session
	total   []int // tokens of each sequence
	q, k, v []pair
	c       tensor.Cached
}

func (s *session) cached(format tensor.CacheFormat) *cachedProblem {
	K := s.n(1, 3)
	p := &cachedProblem{s: s, c: tensor.Cached{K: K, H: K * s.n(1, 4), D: 2 * s.n(1, 20), Scale: 0.3, Format: format, Offset: 64 * s.n(0, 3)}}
	if s.seed%3 == 2 {
		p.c.Window = s.n(1, 90)
	}
	if s.seed%4 == 3 {
		p.c.SoftCap = 2
	}
	sequences := s.n(1, 3)
	if s.seed >= 7 {
		p.c.K, p.c.H, p.c.D, sequences = 1, s.n(1, 2), 2*s.n(1, 4), 1
	}
	for range sequences {
		n := s.n(1, 120)
		if s.seed >= 7 {
			n = s.n(600, 1100)
		}
		p.total = append(p.total, n)
		p.q, p.k, p.v = append(p.q, s.narrow(n, p.c.H*p.c.D)), append(p.k, s.narrow(n, p.c.K*p.c.D)), append(p.v, s.narrow(n, p.c.K*p.c.D))
	}
	return p
}

// run puts the sequences through b in steps; each step takes up to rows tokens
// of every sequence that has some left. It returns the outputs by sequence.
func (p *cachedProblem) run(b tensor.Backend, pick picker, rows int) [][]float32 {
	c := p.c
	seqs, done := make([]tensor.CachedSeq, len(p.total)), make([]int, len(p.total))
	out := make([][]float32, len(p.total))
	bytes := c.Offset + 2*c.K*c.Format.Bytes(c.D)
	dt := pick(p.q[0]).DType
	for {
		c.Seqs = c.Seqs[:0]
		n := 0
		var of []int
		for i, total := range p.total {
			r := min(rows, total-done[i])
			if r == 0 {
				continue
			}
			seqs[i].Row, seqs[i].Rows, seqs[i].Past = n, r, done[i]
			for len(seqs[i].Pages)*tensor.PageTokens < done[i]+r {
				seqs[i].Pages = append(seqs[i].Pages, b.Alloc(bytes))
			}
			c.Seqs, of = append(c.Seqs, seqs[i]), append(of, i)
			n += r
		}
		if n == 0 {
			return out
		}
		gather := func(from []pair, cols int) *tensor.Tensor {
			t := side{b: b}.tensor(dt, n, cols, cols)
			for j, i := range of {
				q := &c.Seqs[j]
				b.Copy(t.RowRange(q.Row, q.Row+q.Rows), pick(from[i]).RowRange(q.Past, q.Past+q.Rows))
			}
			return t
		}
		y := side{b: b}.tensor(dt, n, c.H*c.D, c.H*c.D)
		b.CacheStore(&c, gather(p.k, c.K*c.D), gather(p.v, c.K*c.D))
		b.CacheAttention(y, gather(p.q, c.H*c.D), &c)
		for j, i := range of {
			q := &c.Seqs[j]
			part := make([]float32, q.Rows*c.H*c.D)
			b.Download(part, y.RowRange(q.Row, q.Row+q.Rows))
			out[i] = append(out[i], part...)
			done[i] += q.Rows
		}
	}
}

// cachedAttention compares every format with the reference, and bits across
// ways to cut the same sequences into steps; a format that holds the values
// exactly must have the bits of Attention.
func cachedAttention(s *session) {
	for _, f := range []tensor.CacheFormat{tensor.CacheF32, tensor.CacheF16, tensor.CacheBF16, tensor.CacheQ8} {
		p := s.cached(f)
		b := s.fast.b
		fast := func(x pair) *tensor.Tensor { return x.fast }
		whole := p.run(b, fast, 1<<20)
		slow := p.run(s.slow.b, func(x pair) *tensor.Tensor { return x.slow }, 1<<20)
		bound := 4 * s.bounds.Narrow
		for i := range whole {
			for j, g := range whole[i] {
				if d := math.Abs(float64(g - slow[i][j])); !(d <= bound*math.Max(1, math.Abs(float64(slow[i][j])))) {
					s.t.Fatalf("%s: %v: sequence %d, element %d = %g, want %g", s.name, f, i, j, g, slow[i][j])
				}
			}
		}
		steps := []int{37, 200}
		if p.total[0] < 200 {
			steps = append(steps, 1)
		}
		for _, rows := range steps {
			s.sameBits(f.String()+" in other steps", p.run(b, fast, rows), whole)
		}
		if f == tensor.CacheF32 || f == tensor.CacheBF16 && b.Narrow() == dtype.BF16 {
			s.sameBits(f.String()+" against a pass without a cache", p.flat(), whole)
		}
	}
}

// flat is Attention of each sequence.
func (p *cachedProblem) flat() (out [][]float32) {
	b := p.s.fast.b
	for i, n := range p.total {
		a := tensor.Attention{B: 1, TQ: n, TK: n, H: p.c.H, K: p.c.K, D: p.c.D, Scale: p.c.Scale, SoftCap: p.c.SoftCap, Lo: make([]int32, n), Hi: make([]int32, n)}
		op.CausalRanges(a.Lo, a.Hi, nil, n, p.c.Window)
		y, lse := p.s.narrow(n, a.H*a.D).fast, p.s.wide(n, a.H).fast
		b.Attention(y, lse, p.q[i].fast, p.k[i].fast, p.v[i].fast, &a)
		x := make([]float32, y.Len())
		b.Download(x, y)
		out = append(out, x)
	}
	return out
}

func (s *session) sameBits(what string, got, want [][]float32) {
	s.t.Helper()
	for i := range want {
		for j := range want[i] {
			if math.Float32bits(got[i][j]) != math.Float32bits(want[i][j]) {
				s.t.Fatalf("%s: cache of %s: sequence %d, element %d of %d is %g, want the bits of %g", s.name, what, i, j, len(want[i]), got[i][j], want[i][j])
			}
		}
	}
}
