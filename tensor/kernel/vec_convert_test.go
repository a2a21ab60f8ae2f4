package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/foundling-lm/foundling/tensor/dtype"
)

// TestConversions compares with package dtype: all 65536 halves, and floats
// around every rounding border.
func TestConversions(t *testing.T) {
	var halves []uint16
	var floats []float32
	r := rand.New(rand.NewPCG(5, 6))
	for h := range 1 << 16 {
		halves = append(halves, uint16(h))
		for _, low := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, r.Uint32() & 0xffff} {
			floats = append(floats, math.Float32frombits(uint32(h)<<16|low))
		}
		f := math.Float32bits(dtype.FromF16(uint16(h)))
		for _, d := range []uint32{0xfff, 0x1000, 0x1001} {
			floats = append(floats, math.Float32frombits(f+d))
		}
	}
	eachSet(t, func(t *testing.T, v *Vec) {
		testNarrow(t, "ToBF16", v.ToBF16, dtype.ToBF16, dtype.FromBF16, floats)
		testNarrow(t, "ToF16", v.ToF16, dtype.ToF16, dtype.FromF16, floats)
		testWiden(t, "FromBF16", v.FromBF16, dtype.FromBF16, halves)
		testWiden(t, "FromF16", v.FromF16, dtype.FromF16, halves)
	})
}

func TestFromInt8(t *testing.T) {
	eachSet(t, func(t *testing.T, v *Vec) {
		fx, fy := newFence(t), newFence(t)
		for n := range 300 {
			src, dst := at[int8](fx, n), at[float32](fy, n)
			for i := range src {
				src[i] = int8(i*7 + n)
			}
			v.FromInt8(dst, src, 0.013)
			fx.check(t, n)
			fy.check(t, 4*n)
			for i, q := range src {
				if want := float32(q) * 0.013; dst[i] != want {
					t.Fatalf("length %d, element %d: %g, want %g", n, i, dst[i], want)
				}
			}
		}
	})
}

func testNarrow(t *testing.T, name string, kernel func([]uint16, []float32), want func(float32) uint16, back func(uint16) float32, x []float32) {
	t.Helper()
	got := make([]uint16, len(x))
	kernel(got, x)
	for i, h := range got {
		w := want(x[i])
		if h != w && !(isNaN(back(h)) && isNaN(back(w))) {
			t.Fatalf("%s(%g = %#08x): got %#04x, want %#04x", name, x[i], math.Float32bits(x[i]), h, w)
		}
	}
	fx, fy := newFence(t), newFence(t)
	for n := range 131 {
		src := fx.floats(x[n*7 : n*8])
		dst := at[uint16](fy, n)
		kernel(dst, src)
		fx.check(t, 4*n)
		fy.check(t, 2*n)
		for i := range dst {
			if dst[i] != got[n*7+i] {
				t.Fatalf("%s, length %d: element %d is %#04x, alone %#04x", name, n, i, dst[i], got[n*7+i])
			}
		}
	}
}

func testWiden(t *testing.T, name string, kernel func([]float32, []uint16), want func(uint16) float32, h []uint16) {
	t.Helper()
	got := make([]float32, len(h))
	kernel(got, h)
	for i, x := range got {
		if w := want(h[i]); math.Float32bits(x) != math.Float32bits(w) && !(isNaN(x) && isNaN(w)) {
			t.Fatalf("%s(%#04x): got %g, want %g", name, h[i], x, w)
		}
	}
	fx, fy := newFence(t), newFence(t)
	for n := range 131 {
		src := at[uint16](fx, n)
		copy(src, h[n*100:])
		dst := at[float32](fy, n)
		kernel(dst, src)
		fx.check(t, 2*n)
		fy.check(t, 4*n)
		if !sameBits(dst, got[n*100:n*101]) {
			t.Fatalf("%s, length %d: bits differ", name, n)
		}
	}
}
