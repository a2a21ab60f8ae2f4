package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

const u = 0x1p-24 // unit roundoff of float32

// lengths are those at which a kernel's tail can go wrong, and real row widths.
func lengths() []int {
	var ns []int
	for n := range 131 {
		ns = append(ns, n)
	}
	return append(ns, 768, 1000)
}

// fence is memory that ends at an unreadable page and begins with a canary.
type fence struct{ mem []byte }

const canary = 0xA5

func newFence(t testing.TB) *fence { return &fence{guarded(t, 8192)} }

// floats returns n values at the end of the memory, filled from src.
func (f *fence) floats(src []float32) []float32 {
	s := at[float32](f, len(src))
	copy(s, src)
	return s
}

func at[T any](f *fence, n int) []T {
	for i := range f.mem {
		f.mem[i] = canary
	}
	var zero T
	start := len(f.mem) - n*int(unsafe.Sizeof(zero))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&f.mem[start])), n)
}

// check fails if something was written before the n bytes at the end.
func (f *fence) check(t *testing.T, n int) {
	t.Helper()
	for i, b := range f.mem[:len(f.mem)-n] {
		if b != canary {
			t.Fatalf("byte %d before the slice was written", len(f.mem)-n-i)
		}
	}
}

func newFences(t testing.TB, n int) []*fence {
	fs := make([]*fence, n)
	for i := range fs {
		fs[i] = newFence(t)
	}
	return fs
}

// eachSet runs a test on every kernel set of this machine.
func eachSet(t *testing.T, f func(t *testing.T, v *Vec)) {
	for _, s := range Sets() {
		t.Run(s.Name, func(t *testing.T) { f(t, &s.Vec) })
	}
}

// normals returns values around 0 of the given scale, some of them zero or far
// out.
func normals(r *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * scale)
		switch r.IntN(16) {
		case 0:
			x[i] *= 10
		case 1:
			x[i] *= 1e-3
		case 2:
			x[i] = 0
		}
	}
	return x
}

func TestElementwise(t *testing.T) {
	eachSet(t, func(t *testing.T, v *Vec) {
		for _, e := range elementwiseKernels() {
			t.Run(e.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 2))
				fx, fy := newFences(t, e.in), newFences(t, e.out)
				worst := 0.0
				for _, n := range lengths() {
					src := e.inputs(r, n)
					x, y := make([][]float32, e.in), make([][]float32, e.out)
					for i := range x {
						x[i] = fx[i].floats(src[i])
					}
					for i := range y {
						y[i] = fy[i].floats(src[i%e.in])
					}
					e.call(v, y, x)
					for _, f := range slices.Concat(fx, fy) {
						f.check(t, 4*n)
					}
					worst = max(worst, e.compare(t, y, src))
				}
				t.Logf("largest error: %.2f of the bound", worst)
			})
		}
	})
}

// compare checks the outputs against the reference and returns the largest
// error as a part of the bound.
func (e *elementwise) compare(t *testing.T, y, src [][]float32) (worst float64) {
	t.Helper()
	in := make([]float64, e.in)
	for i := range y[0] {
		for k := range src {
			in[k] = float64(src[k][i])
		}
		want, tol := e.ref(in)
		for k := range y {
			err := math.Abs(float64(y[k][i]) - want[k])
			if !(err <= tol[k]+0x1p-126) {
				t.Fatalf("n=%d, output %d at %d: got %g, want %g for %v: error %.3g, bound %.3g", len(y[0]), k, i, y[k][i], want[k], in, err, tol[k])
			}
			if tol[k] > 0x1p-100 {
				worst = max(worst, err/tol[k])
			}
		}
	}
	return worst
}

// TestActivationRange sweeps the activations over all magnitudes.
func TestActivationRange(t *testing.T) {
	var x, ones []float32
	for e := -30.0; e < 12; e += 0.001 {
		x = append(x, float32(math.Exp2(e)), -float32(math.Exp2(e)))
	}
	x = append(x, 1e10, -1e10, 1e20, -1e20, math.MaxFloat32, -math.MaxFloat32, 88, -88, 104, -104, 13.25, -13.25)
	for range x {
		ones = append(ones, 1)
	}
	eachSet(t, func(t *testing.T, v *Vec) {
		for _, e := range elementwiseKernels() {
			src := [][]float32{x}
			switch e.name {
			case "GELUTanhBack", "GELUErfBack", "SiLUBack", "ReLUBack":
				src = [][]float32{ones, x}
			case "GELUTanh", "GELUErf", "SiLU", "ReLU":
			default:
				continue
			}
			t.Logf("%s: largest error %.2f of the bound", e.name, e.compare(t, e.run(v, src), src))
		}
	})
}

// TestSpecialValues compares NaN and infinities with the reference in Go.
func TestSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	odd := math.Float32frombits(0xff800001) // signalling, negative, with a payload
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, inf, -inf, nan, odd, 1e-45, -1e-40, math.MaxFloat32, -math.MaxFloat32, 200, -200}
	pure := vecPurego()
	eachSet(t, func(t *testing.T, v *Vec) {
		for _, e := range elementwiseKernels() {
			if e.name == "AdamW" {
				continue // NaN only; the moments mix infinities
			}
			x := make([][]float32, e.in)
			for _, a := range special {
				for _, b := range special {
					product := e.name == "MulAdd" || e.name == "SwiGLU" || e.name == "SwiGLUBack"
					if product && (extreme(a) || extreme(b)) {
						continue // whether a product overflows on the way may differ
					}
					x[0] = append(x[0], a)
					for k := 1; k < e.in; k++ {
						x[k] = append(x[k], b)
					}
				}
			}
			got, want := e.run(v, x), e.run(&pure, x)
			for k := range got {
				for i, g := range got[k] {
					w := want[k][i]
					if isNaN(g) != isNaN(w) || isInf(g) != isInf(w) || isInf(w) && g != w {
						t.Errorf("%s output %d for %v, %v: got %v, want %v", e.name, k, x[0][i], x[e.in-1][i], g, w)
					}
				}
			}
		}
	})
}

// extreme says that products of two such values leave float32.
func extreme(x float32) bool {
	a := math.Abs(float64(x))
	return a > 0 && a < 1e-30 || a > 1e30 && a <= math.MaxFloat32
}

func isNaN(x float32) bool { return x != x }
func isInf(x float32) bool { return math.IsInf(float64(x), 0) }

// TestPlace checks that the bits of an element do not depend on its place, and
// that dst may be an input.
func TestPlace(t *testing.T) {
	eachSet(t, func(t *testing.T, v *Vec) {
		for _, e := range elementwiseKernels() {
			x := e.inputs(rand.New(rand.NewPCG(3, 4)), 67)
			want := e.run(v, x)
			for start := range 17 {
				for _, end := range []int{start + 1, start + 7, start + 16, start + 33, 67} {
					part := make([][]float32, e.in)
					for k := range part {
						part[k] = x[k][start:end]
					}
					for k, y := range e.run(v, part) {
						if !sameBits(y, want[k][start:end]) {
							t.Errorf("%s output %d: elements %d to %d differ when computed alone", e.name, k, start, end)
						}
					}
				}
			}
			alias := make([][]float32, e.in)
			for k := range alias {
				alias[k] = slices.Clone(x[k])
			}
			e.call(v, alias[:min(e.in, e.out)], alias)
			for k := range want {
				if e.name != "SwiGLUBack" && !sameBits(alias[k], want[k]) {
					t.Errorf("%s output %d differs in place", e.name, k)
				}
			}
		}
	})
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// TestLengths checks that unequal slices panic and that no kernel allocates.
func TestLengths(t *testing.T) {
	eachSet(t, func(t *testing.T, v *Vec) {
		for _, e := range elementwiseKernels() {
			x := e.inputs(rand.New(rand.NewPCG(7, 8)), 77)
			y := make([][]float32, e.out)
			for k := range y {
				y[k] = slices.Clone(x[k%e.in])
			}
			if n := testing.AllocsPerRun(10, func() { e.call(v, y, x) }); n != 0 {
				t.Errorf("%s allocates %v times a call", e.name, n)
			}
			x[e.in-1] = x[e.in-1][:50]
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s took slices of 77 and 50 elements", e.name)
					}
				}()
				e.call(v, y, x)
			}()
		}
	})
}

// TestSameBits checks what users of the two vector sets may rely on: avx2 and
// avx512 give the same bits.
func TestSameBits(t *testing.T) {
	narrow, err := ByName("avx2")
	if err != nil {
		t.Skip(err)
	}
	wide, err := ByName("avx512")
	if err != nil {
		t.Skip(err)
	}
	r := rand.New(rand.NewPCG(9, 10))
	for _, n := range lengths() {
		for _, e := range elementwiseKernels() {
			x := e.inputs(r, n)
			a, b := e.run(&narrow.Vec, x), e.run(&wide.Vec, x)
			for k := range a {
				if !sameBits(a[k], b[k]) {
					t.Errorf("%s, n=%d: avx2 and avx512 differ", e.name, n)
				}
			}
		}
		for _, s := range rowKernels() {
			x := s.inputs(r, n)
			again := make([][]float32, len(x)) // run writes to its inputs
			for i := range x {
				again[i] = slices.Clone(x[i])
			}
			if !sameBits(s.run(&narrow.Vec, x), s.run(&wide.Vec, again)) {
				t.Errorf("%s, n=%d: avx2 and avx512 differ", s.name, n)
			}
		}
	}
}

func ExampleVec() {
	v := Best().Vec
	x := []float32{0, -1, -2}
	sum := v.ExpSub(x, x, 0)
	v.Scale(x, x, 1/sum)
	fmt.Printf("%.3f\n", x)
	// Output: [0.665 0.245 0.090]
}

// TestStackGrowth calls the kernels on fresh stacks of many fillings, so that
// the stack moves at every call on the way to the assembly, whose padded tails lie
// on the stack.
func TestStackGrowth(t *testing.T) {
	const n = 21
	eachSet(t, func(t *testing.T, v *Vec) {
		r := rand.New(rand.NewPCG(15, 16))
		for _, e := range elementwiseKernels() {
			x := e.inputs(r, n)
			want := slices.Concat(e.run(v, x)...)
			for depth := range 60 {
				y := make([][]float32, e.out)
				for i := range y {
					y[i] = slices.Clone(x[i%e.in])
				}
				freshStack(depth, func() { e.call(v, y, x) })
				if !sameBits(slices.Concat(y...), want) {
					t.Fatalf("%s: bits differ on a stack of depth %d", e.name, depth)
				}
			}
		}
		for _, k := range rowKernels() {
			x := k.inputs(r, n)
			clone := func() [][]float32 {
				c := make([][]float32, len(x))
				for i := range x {
					c[i] = slices.Clone(x[i])
				}
				return c
			}
			want := k.run(v, clone())
			for depth := range 60 {
				var got []float32
				c := clone()
				freshStack(depth, func() { got = k.run(v, c) })
				if !sameBits(got, want) {
					t.Fatalf("%s: bits differ on a stack of depth %d", k.name, depth)
				}
			}
		}
	})
}

// freshStack runs f on a new goroutine below depth frames.
func freshStack(depth int, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		deeper(depth, f)
	}()
	<-done
}

//go:noinline
func deeper(depth int, f func()) byte {
	var frame [96]byte
	frame[depth] = 1
	if depth == 0 {
		f()
		return frame[1]
	}
	return deeper(depth-1, f) + frame[depth]
}
