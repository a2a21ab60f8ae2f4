// Package tensortest is the conformance suite that every tensor.Backend must
// pass: each method on random shapes, in both formats, against the float64
// reference under a stated bound, plus the promises of engine rule 5 (a row's
// bits do not depend on its neighbours).
//
// The bound is relative to the size of the numbers that were summed: Wide for
// results in the wide format, Narrow for those rounded to the narrow one.
package tensortest

import (
	"fmt"
	"math"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/tensor/ref"
)

// Bounds are the largest error allowed, relative to the root of the sum of
// squares of what was added up (at least 1).
type Bounds struct {
	Wide   float64 // products and everything else in the wide format
	Narrow float64 // results stored in the narrow format, or products of rounded operands
}

// Run checks all methods of b.
func Run(t *testing.T, b tensor.Backend, bounds Bounds) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			for trial := range 9 {
				s := &session{t: t, name: fmt.Sprint(c.name, " trial ", trial), seed: uint64(trial), bounds: bounds}
				s.fast, s.slow = side{b: b}, side{b: ref.New()}
				c.run(s)
			}
		})
	}
}

// session runs one case on both backends in step.
type session struct {
	t          *testing.T
	name       string
	seed       uint64
	sites      int
	bounds     Bounds
	fast, slow side
}

type side struct{ b tensor.Backend }

func (s side) tensor(dt dtype.Type, rows, cols, stride int) *tensor.Tensor {
	t := tensor.Over(s.b.Alloc(max(1, rows)*stride*dt.Size()), dt, rows, stride)
	return t.ColRange(0, cols)
}

// pair is the same values on both backends.
type pair struct{ fast, slow *tensor.Tensor }

// n draws a size in [lo, hi].
func (s *session) n(lo, hi int) int {
	s.sites++
	return lo + rng.Intn(s.seed, 1, uint64(s.sites), hi-lo+1)
}

// values draws normal numbers.
func (s *session) values(n int) []float32 {
	s.sites++
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.Normal(s.seed, uint64(s.sites), uint64(i)))
	}
	return x
}

// wide and narrow make a random tensor in that format, with a gap between rows
// in odd trials. Narrow values are rounded before the reference gets them.
func (s *session) wide(rows, cols int) pair   { return s.make(rows, cols, false) }
func (s *session) narrow(rows, cols int) pair { return s.make(rows, cols, true) }

func (s *session) make(rows, cols int, narrow bool) pair {
	stride := cols + int(s.seed%2)*8
	fdt, sdt := s.fast.b.Wide(), s.slow.b.Wide()
	if narrow {
		fdt, sdt = s.fast.b.Narrow(), s.slow.b.Narrow()
	}
	p := pair{s.fast.tensor(fdt, rows, cols, stride), s.slow.tensor(sdt, rows, cols, stride)}
	x := s.values(rows * cols)
	if fdt == dtype.BF16 {
		for i := range x {
			x[i] = dtype.FromBF16(dtype.ToBF16(x[i]))
		}
	}
	s.fast.b.Upload(p.fast, x)
	s.slow.b.Upload(p.slow, x)
	return p
}

func (s *session) ids(n, limit int) []int32 {
	s.sites++
	x := make([]int32, n)
	for i := range x {
		x[i] = int32(rng.Intn(s.seed, uint64(s.sites), uint64(i), limit))
	}
	return x
}

// same compares a result; scale is the size of the sums behind it. rounded says
// that operands were rounded to the narrow format on the way.
func (s *session) same(what string, p pair, scale float64, rounded bool) {
	s.t.Helper()
	got, want := make([]float32, p.fast.Len()), make([]float32, p.fast.Len())
	s.fast.b.Download(got, p.fast)
	s.slow.b.Download(want, p.slow)
	bound := s.bounds.Wide
	if rounded || p.fast.DType != s.fast.b.Wide() {
		bound = s.bounds.Narrow
	}
	for i := range got {
		g, w := float64(got[i]), float64(want[i])
		if d := math.Abs(g - w); !(d <= bound*math.Max(scale, math.Abs(w))) {
			s.t.Fatalf("%s: %s[%d,%d] = %g, want %g (%v, bound %g)", s.name, what, i/p.fast.Cols, i%p.fast.Cols, g, w, p.fast, bound*scale)
		}
	}
}

// equal compares two numbers under the wide bound.
func (s *session) equal(what string, got, want float64) {
	s.t.Helper()
	if d := math.Abs(got - want); !(d <= s.bounds.Wide*math.Max(1, math.Abs(want))) {
		s.t.Fatalf("%s: %s = %g, want %g", s.name, what, got, want)
	}
}

// both runs f on either backend.
func (s *session) both(f func(b tensor.Backend, pick func(pair) *tensor.Tensor)) {
	f(s.fast.b, func(p pair) *tensor.Tensor { return p.fast })
	f(s.slow.b, func(p pair) *tensor.Tensor { return p.slow })
}

// attention draws an attention problem: ranges are causal, with documents or a
// window or a soft cap in some trials, and more keys than any backend takes at a time in the
// last ones.
func (s *session) attention() *tensor.Attention {
	K := s.n(1, 3)
	a := &tensor.Attention{B: s.n(1, 3), K: K, H: K * s.n(1, 3), D: 2 * s.n(1, 20), Scale: 0.3}
	a.TQ = s.n(1, 150)
	if s.seed >= 6 {
		a.B, a.K, a.H, a.D, a.TQ = 1, 1, s.n(1, 2), 2*s.n(1, 4), s.n(600, 1100)
	}
	a.TK = a.TQ
	a.Lo, a.Hi = make([]int32, a.B*a.TQ), make([]int32, a.B*a.TQ)
	var start []int32
	if s.seed%3 == 1 {
		start = make([]int32, a.B*a.TQ)
		for i := range start {
			start[i] = int32(i % a.TQ / 29 * 29)
		}
	}
	window := 0
	if s.seed%3 == 2 {
		window = s.n(1, 90)
	}
	op.CausalRanges(a.Lo, a.Hi, start, a.TQ, window)
	if s.seed%2 == 1 {
		a.SoftCap = 2
	}
	return a
}
