package tensortest

import (
	"math"
	"strings"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// constantWeights multiplies by matrices of every format and looks rows of them
// up; a row alone must have the bits that it has among others.
func constantWeights(s *session) {
	if s.seed > 2 {
		return // all formats three times are enough
	}
	for _, dt := range append([]dtype.Type{dtype.F32, dtype.BF16, dtype.F16}, blockFormats()...) {
		values, _ := dt.Block()
		M, N, K := s.n(1, 20), s.n(2, 90), values*s.n(1, 3)
		if values == 1 {
			K = s.n(1, 200)
		}
		w, data := pair{}, s.rows(dt, N, K)
		w.fast, w.slow = s.weights(s.fast.b, dt, N, K, data), s.weights(s.slow.b, dt, N, K, data)
		ids := s.ids(M, N)
		a, c, d, e, bias := s.wide(M, K), s.wide(M, N), s.narrow(M, N), s.wide(M, K), s.wide(1, N)
		all := s.wide(N, K)
		s.both(func(b tensor.Backend, p picker) {
			o := tensor.MatMul{TransB: true, Accumulate: true}
			b.MatMul(p(c), p(a), p(w), o)
			o.Accumulate, o.Bias = false, p(bias)
			b.MatMul(p(d), p(a), p(w), o)
			b.Embed(p(e), p(w), ids)
			b.Copy(p(all), p(w))
		})
		scale, what := 4*math.Sqrt(float64(K)), dt.String()
		s.same(what+" product", c, scale, dt == dtype.F32 || dt == dtype.F16)
		s.same(what+" product with bias", d, scale, true)
		s.same(what+" rows", e, 1, false)
		s.same(what+" values", all, 1, false)
		s.alone(what, a, w.fast, N)
		s.fast.b.Release(w.fast.Mem)
		s.slow.b.Release(w.slow.Mem)
	}
}

// alone compares each row's product with the one among all rows.
func (s *session) alone(what string, a pair, w *tensor.Tensor, n int) {
	b := s.fast.b
	m := a.fast.Rows
	c, d := s.wide(m, n).fast, s.wide(m, n).fast
	o := tensor.MatMul{TransB: true}
	b.MatMul(c, a.fast, w, o)
	for i := range m {
		b.MatMul(d.RowRange(i, i+1), a.fast.RowRange(i, i+1), w, o)
	}
	got, want := make([]float32, m*n), make([]float32, m*n)
	b.Download(got, d)
	b.Download(want, c)
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			s.t.Fatalf("%s: %s: row %d alone has %g at %d, among %d rows %g", s.name, what, i/n, got[i], i%n, m, want[i])
		}
	}
}

func blockFormats() (out []dtype.Type) {
	for _, dt := range dtype.Types() {
		if dt.IsBlock() {
			out = append(out, dt)
		}
	}
	return out
}

// rows is random normal values in the format.
func (s *session) rows(dt dtype.Type, n, k int) []byte {
	data := make([]byte, n*dt.RowBytes(k))
	dtype.Quantize(dt, data, s.values(n*k))
	return data
}

func (s *session) weights(b tensor.Backend, dt dtype.Type, n, k int, data []byte) *tensor.Tensor {
	t, err := b.Weights(dt, n, k, data)
	if err != nil {
		s.t.Fatalf("%s: %v weights (%d, %d): %v", s.name, dt, n, k, err)
	}
	return t
}

func brokenWeights(s *session) {
	data := s.rows(dtype.Q8_0, 3, 64)
	for _, c := range []struct {
		want string
		n, k int
		data []byte
	}{
		{"not whole blocks", 3, 60, data},
		{"not", 4, 64, data},
		{"NaN or infinite", 3, 64, append([]byte{0, 0x7c}, data[2:]...)},
	} {
		if _, err := s.fast.b.Weights(dtype.Q8_0, c.n, c.k, c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			s.t.Fatalf("%s: weights (%d, %d) of %d bytes: error %v, want one with %q", s.name, c.n, c.k, len(c.data), err, c.want)
		}
	}
}
