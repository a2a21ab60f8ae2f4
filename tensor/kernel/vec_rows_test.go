package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// rowKernel is a kernel whose results depend on the whole row. run returns all
// results in one slice; ref the exact results and bounds of error.
type rowKernel struct {
	name string
	in   int
	run  func(v *Vec, x [][]float32) []float32 // may write to x
	ref  func(x [][]float64) (y, tol []float64)
}

func (k *rowKernel) inputs(r *rand.Rand, n int) [][]float32 {
	x := make([][]float32, k.in)
	for i := range x {
		x[i] = normals(r, n, 1)
	}
	return x
}

const testEps = 1e-5

// sumTol is the bound that Vec states for sums.
func sumTol(n int, size float64) float64 { return u * float64(n/32+8) * size }

func rowKernels() []rowKernel {
	return []rowKernel{
		{"Sum", 1, func(v *Vec, x [][]float32) []float32 { return []float32{v.Sum(x[0])} },
			func(x [][]float64) ([]float64, []float64) {
				s, size := total(x[0], func(a float64) float64 { return a })
				return one(s, sumTol(len(x[0]), size))
			}},
		{"SumSquares", 1, func(v *Vec, x [][]float32) []float32 { return []float32{v.SumSquares(x[0])} },
			func(x [][]float64) ([]float64, []float64) {
				s, size := total(x[0], func(a float64) float64 { return a * a })
				return one(s, sumTol(len(x[0]), size))
			}},
		{"Dot", 2, func(v *Vec, x [][]float32) []float32 { return []float32{v.Dot(x[0], x[1])} },
			func(x [][]float64) ([]float64, []float64) {
				var s, size float64
				for i, a := range x[0] {
					s += a * x[1][i]
					size += math.Abs(a * x[1][i])
				}
				return one(s, sumTol(len(x[0]), size))
			}},
		{"Max", 1, func(v *Vec, x [][]float32) []float32 { return []float32{v.Max(x[0])} },
			func(x [][]float64) ([]float64, []float64) {
				m := math.Inf(-1)
				for _, a := range x[0] {
					m = max(m, a)
				}
				return one(m, 0)
			}},
		{"ExpSub", 1, func(v *Vec, x [][]float32) []float32 {
			m := pureMax(x[0])
			sum := v.ExpSub(x[0], x[0], m)
			return append(x[0], sum)
		}, expSubRef},
		{"LayerNorm", 3, func(v *Vec, x [][]float32) []float32 {
			mean, rstd := v.LayerNorm(x[0], x[0], x[1], x[2], testEps)
			return append(x[0], mean, rstd)
		}, func(x [][]float64) ([]float64, []float64) { return normRef(x[0], x[1], x[2], true) }},
		{"LayerNorm without w, b", 1, func(v *Vec, x [][]float32) []float32 {
			mean, rstd := v.LayerNorm(x[0], x[0], nil, nil, testEps)
			return append(x[0], mean, rstd)
		}, func(x [][]float64) ([]float64, []float64) { return normRef(x[0], nil, nil, true) }},
		{"RMSNorm", 2, func(v *Vec, x [][]float32) []float32 {
			rstd := v.RMSNorm(x[0], x[0], x[1], testEps)
			return append(x[0], 0, rstd)
		}, func(x [][]float64) ([]float64, []float64) { return normRef(x[0], x[1], nil, false) }},
		{"RMSNorm without w", 1, func(v *Vec, x [][]float32) []float32 {
			rstd := v.RMSNorm(x[0], x[0], nil, testEps)
			return append(x[0], 0, rstd)
		}, func(x [][]float64) ([]float64, []float64) { return normRef(x[0], nil, nil, false) }},
		{"LayerNormBack", 5, func(v *Vec, x [][]float32) []float32 {
			mean, rstd := statistics(x[1], true)
			v.LayerNormBack(x[0], x[3], x[4], x[0], x[1], x[2], mean, rstd)
			return slices.Concat(x[0], x[3], x[4])
		}, nil},
		{"RMSNormBack", 4, func(v *Vec, x [][]float32) []float32 {
			_, rstd := statistics(x[1], false)
			v.RMSNormBack(x[0], x[3], x[0], x[1], x[2], rstd)
			return slices.Concat(x[0], x[3])
		}, nil},
		{"RoPEHalf", 3, func(v *Vec, x [][]float32) []float32 {
			head := slices.Concat(x[0], x[1])
			cos, sin := angles(x[2])
			v.RoPEHalf(head, cos, sin)
			return head
		}, func(x [][]float64) ([]float64, []float64) {
			n := len(x[0])
			return ropeRef(slices.Concat(x[0], x[1]), x[2], func(i int) (int, int) { return i, n + i })
		}},
		{"RoPEPair", 3, func(v *Vec, x [][]float32) []float32 {
			head := slices.Concat(x[0], x[1])
			cos, sin := angles(x[2])
			v.RoPEPair(head, cos, sin)
			return head
		}, func(x [][]float64) ([]float64, []float64) {
			return ropeRef(slices.Concat(x[0], x[1]), x[2], func(i int) (int, int) { return 2 * i, 2*i + 1 })
		}},
	}
}

func pureMax(x []float32) float32 {
	if len(x) == 0 {
		return 0
	}
	return slices.Max(x)
}

func total(x []float64, f func(float64) float64) (sum, size float64) {
	for _, a := range x {
		sum += f(a)
		size += math.Abs(f(a))
	}
	return sum, size
}

// ulp is the distance from |x| to the next float32.
func ulp(x float64) float64 {
	a := float32(math.Abs(x))
	return float64(math.Nextafter32(a, 2*a+1) - a)
}

func expSubRef(x [][]float64) (y, tol []float64) {
	m := float32(math.Inf(-1))
	for _, a := range x[0] {
		m = max(m, float32(a))
	}
	var sum float64
	for _, a := range x[0] {
		e := math.Exp(float64(float32(a) - m))
		sum += e
		y, tol = append(y, e), append(tol, max(2*ulp(e), 0x1p-126))
	}
	return append(y, sum), append(tol, sumTol(2*len(x[0]), sum))
}

// moments are the mean (0 for RMSNorm) and reciprocal deviation of a row.
func moments(x []float64, centred bool) (mean, rstd float64) {
	n := float64(len(x))
	if centred {
		s, _ := total(x, func(a float64) float64 { return a })
		mean = s / n
	}
	v, _ := total(x, func(a float64) float64 { return (a - mean) * (a - mean) })
	return mean, 1 / math.Sqrt(v/n+testEps)
}

func statistics(x []float32, centred bool) (mean, rstd float32) {
	m, r := moments(wide(x), centred)
	return float32(m), float32(r)
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, a := range x {
		y[i] = float64(a)
	}
	return y
}

// normRef returns y and after it mean and rstd.
func normRef(x, w, b []float64, centred bool) (y, tol []float64) {
	if len(x) == 0 {
		return []float64{0, 0}, []float64{0, 0}
	}
	mean, rstd := moments(x, centred)
	_, size := total(x, func(a float64) float64 { return a })
	meanTol := 0.0
	if centred {
		meanTol = sumTol(len(x), size)/float64(len(x)) + u*math.Abs(mean)
	}
	rstdTol := rstd * (u*float64(len(x)/32+10) + meanTol*meanTol*rstd*rstd)
	for i, a := range x {
		h := (a - mean) * rstd
		t := meanTol*rstd + (math.Abs(a)+math.Abs(mean))*rstdTol + 4*u*(math.Abs(a)+math.Abs(mean))*rstd
		if w != nil {
			h *= w[i]
			t *= math.Abs(w[i])
		}
		if b != nil {
			h += b[i]
			t += 2 * u * math.Abs(h)
		}
		y, tol = append(y, h), append(tol, t)
	}
	return append(y, mean, rstd), append(tol, meanTol, rstdTol)
}

func angles(a []float32) (cos, sin []float32) {
	for _, x := range a {
		s, c := math.Sincos(float64(x))
		cos, sin = append(cos, float32(c)), append(sin, float32(s))
	}
	return cos, sin
}

func ropeRef(x, angle []float64, pair func(i int) (int, int)) (y, tol []float64) {
	y, tol = make([]float64, len(x)), make([]float64, len(x))
	for k, a := range angle {
		i, j := pair(k)
		s, c := math.Sincos(a)
		y[i], y[j] = x[i]*c-x[j]*s, x[j]*c+x[i]*s
		tol[i] = 3 * u * (math.Abs(x[i]) + math.Abs(x[j]))
		tol[j] = tol[i]
	}
	return y, tol
}

func TestRows(t *testing.T) {
	eachSet(t, func(t *testing.T, v *Vec) {
		for _, k := range rowKernels() {
			if k.ref == nil {
				continue // TestNormBack
			}
			t.Run(k.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(11, 12))
				fences := newFences(t, k.in)
				worst := 0.0
				for _, n := range lengths() {
					src := k.inputs(r, n)
					x, exact := make([][]float32, k.in), make([][]float64, k.in)
					for i := range x {
						x[i], exact[i] = fences[i].floats(src[i]), wide(src[i])
					}
					got := k.run(v, x)
					for _, f := range fences {
						f.check(t, 4*n)
					}
					want, tol := k.ref(exact)
					for i := range want {
						err := math.Abs(float64(got[i]) - want[i])
						if want[i] == float64(got[i]) {
							err = 0 // infinite
						}
						if !(err <= tol[i]) {
							t.Fatalf("n=%d, result %d: got %g, want %g: error %.3g, bound %.3g", n, i, got[i], want[i], err, tol[i])
						}
						if tol[i] > 0 {
							worst = max(worst, err/tol[i])
						}
					}
					if !sameBits(got, k.run(v, src)) {
						t.Fatalf("n=%d: bits depend on where the slices lie", n)
					}
				}
				t.Logf("largest error: %.2f of the bound", worst)
			})
		}
	})
}

// TestNormBack compares the gradients with central differences of the forward
// pass in float64, for the loss sum(dy*y).
func TestNormBack(t *testing.T) {
	eachSet(t, func(t *testing.T, v *Vec) {
		for _, centred := range []bool{true, false} {
			r := rand.New(rand.NewPCG(13, 14))
			for _, n := range []int{1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 48, 67} {
				x, w, dy := normals(r, n, 1), normals(r, n, 1), normals(r, n, 1)
				testNormBack(t, v, centred, x, w, dy)
				testNormBack(t, v, centred, x, nil, dy)
			}
		}
	})
}

func testNormBack(t *testing.T, v *Vec, centred bool, x, w, dy []float32) {
	t.Helper()
	n := len(x)
	fs := newFences(t, 6)
	fill := func(f *fence, src []float32) []float32 {
		if src == nil {
			return nil
		}
		return f.floats(src)
	}
	start := make([]float32, n) // dw and db are added to
	for i := range start {
		start[i] = 0.5
	}
	dx, dw, db := fs[0].floats(x), fill(fs[1], start), fs[2].floats(start)
	gx, gw, gdy := fs[3].floats(x), fill(fs[4], w), fs[5].floats(dy)
	if w == nil {
		dw = nil
	}
	mean, rstd := statistics(x, centred)
	if centred {
		v.LayerNormBack(dx, dw, db, gdy, gx, gw, mean, rstd)
	} else {
		v.RMSNormBack(dx, dw, gdy, gx, gw, rstd)
	}
	for i, f := range fs {
		if i == 1 && dw == nil || i == 4 && w == nil {
			continue
		}
		f.check(t, 4*n)
	}
	xs := wide(x)
	var ws []float64
	if w != nil {
		ws = wide(w)
	}
	loss := func() (s float64) {
		y, _ := normRef(xs, ws, nil, centred)
		for i := range xs {
			s += float64(dy[i]) * y[i]
		}
		return s
	}
	difference := func(p *float64) float64 {
		const h = 1e-6
		was := *p
		*p = was + h
		up := loss()
		*p = was - h
		down := loss()
		*p = was
		return (up - down) / (2 * h)
	}
	_, rs := moments(xs, centred)
	size := 1.0
	for i := range dy {
		size += math.Abs(float64(dy[i]))
	}
	for i := range xs {
		if want := difference(&xs[i]); math.Abs(float64(dx[i])-want) > 2e-6*size*(rs+1)*10 {
			t.Fatalf("n=%d, w=%v: dx[%d] is %g, difference quotient %g", n, w != nil, i, dx[i], want)
		}
		if w != nil {
			if want := difference(&ws[i]) + 0.5; math.Abs(float64(dw[i])-want) > 1e-5*(1+math.Abs(want)) {
				t.Fatalf("n=%d: dw[%d] is %g, difference quotient %g", n, i, dw[i], want)
			}
		}
		if want := dy[i] + 0.5; centred && db[i] != want {
			t.Fatalf("n=%d: db[%d] is %g, want %g", n, i, db[i], want)
		}
	}
}

// TestExpSub sweeps the exponential and its special values.
func TestExpSub(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachSet(t, func(t *testing.T, v *Vec) {
		var x []float32
		for b := uint32(0x80000000); b <= math.Float32bits(-90); b += 4099 {
			x = append(x, math.Float32frombits(b))
		}
		y := make([]float32, len(x))
		v.ExpSub(y, x, 0)
		worst := 0.0
		for i, a := range x {
			want := math.Exp(float64(a))
			err := math.Abs(float64(y[i]) - want)
			if want < 0x1p-126 {
				if err > 0x1p-126 {
					t.Fatalf("exp(%g): got %g, want %g", a, y[i], want)
				}
				continue
			}
			worst = max(worst, err/ulp(want))
		}
		t.Logf("largest error %.3f units in the last place", worst)
		if worst > 2 {
			t.Errorf("largest error %.3f units in the last place, want at most 2", worst)
		}

		x = []float32{0, -inf, -1e30, -200, -104, -math.MaxFloat32, -1e-45}
		want := []float32{1, 0, 0, 0, 0, 0, 1}
		if sum := v.ExpSub(x, x, 0); sum != 2 || !sameBits(x, want) && !slices.Equal(x[:4], want[:4]) {
			t.Errorf("special values: got %v, sum %v, want %v", x, sum, want)
		}
		for _, x := range [][]float32{{0, nan, -1}, {-inf, -inf}, {nan}} {
			m := x[0]
			y := make([]float32, len(x))
			if sum := v.ExpSub(y, x, m); !isNaN(sum) {
				t.Errorf("ExpSub(%v, %v): sum %v, want NaN", x, m, sum)
			}
		}
		if got := v.Max([]float32{nan, -3, nan, -2, -inf, nan}); got != -2 {
			t.Errorf("Max with NaN: got %v, want -2", got)
		}
		if got := v.Max(slices.Repeat([]float32{-inf, nan}, 40)); got != -inf {
			t.Errorf("Max of -Inf and NaN: got %v, want -Inf", got)
		}
	})
}
