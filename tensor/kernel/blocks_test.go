package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// scalePlaces are the offsets of f16 scales in a block of each format; MXFP4 has
// a byte that is any exponent.
var scalePlaces = map[dtype.Type][]int{
	dtype.Q8_0: {0}, dtype.Q4_0: {0}, dtype.Q4_1: {0, 2}, dtype.Q5_0: {0}, dtype.Q5_1: {0, 2},
	dtype.Q2_K: {80, 82}, dtype.Q3_K: {108}, dtype.Q4_K: {0, 2}, dtype.Q5_K: {0, 2}, dtype.Q6_K: {208},
	dtype.IQ4_NL: {0}, dtype.IQ4_XS: {0}, dtype.MXFP4: nil,
}

// randomBlocks is n rows of k weights of any bits and reasonable scales, at the
// end of readable memory.
func randomBlocks(t testing.TB, seed uint64, dt dtype.Type, n, k int) []byte {
	b := guarded(t, n*dt.RowBytes(k))
	for i := range b {
		b[i] = byte(rng.Block(seed, 1, uint64(i))[0])
	}
	_, size := dt.Block()
	for at := 0; at < len(b); at += size {
		if dt == dtype.MXFP4 {
			b[at] = byte(120 + rng.Intn(seed, 2, uint64(at), 8))
			if at%(7*size) == 0 {
				b[at] = byte(rng.Intn(seed, 3, uint64(at), 2)) // the smallest powers
			}
		}
		for _, p := range scalePlaces[dt] {
			le.PutUint16(b[at+p:], dtype.ToF16(float32(rng.Normal(seed, 4, uint64(at+p)))/100))
		}
	}
	return b
}

func eachForm(t *testing.T, f func(t *testing.T, dt dtype.Type)) {
	for dt := range scalePlaces {
		t.Run(dt.String(), func(t *testing.T) { f(t, dt) })
	}
	if len(scalePlaces) != len(blockForms) {
		t.Errorf("%d formats are tested, there are %d", len(scalePlaces), len(blockForms))
	}
}

func layBlocks(t testing.TB, s *Set, dt dtype.Type, n, k int, src []byte) *Blocks {
	t.Helper()
	b := &Blocks{Data: make([]byte, s.BlocksBytes(dt, n, k))}
	if err := s.LayBlocks(nil, dt, n, k, src, b); err != nil {
		t.Fatal(err)
	}
	return b
}

// wantBlocks is the promise of BlockGemm in plain loops, from the weights' values
// and offsets.
func wantBlocks(g *BlockGemm, i, j int) float64 {
	k := g.B.K
	w := make([]float32, k)
	g.B.Row(j, w)
	sum := 0.0
	if g.Bias != nil {
		sum = float64(g.Bias[j])
	}
	for at := 0; at < k; at += 32 {
		var most float32
		x := make([]float32, 32)
		for e := range x {
			if x[e] = 0; g.A.F32 != nil {
				x[e] = g.A.F32[i*g.A.Stride+at+e]
			} else {
				x[e] = dtype.FromBF16(g.A.BF16[i*g.A.Stride+at+e])
			}
			most = max(most, float32(math.Abs(float64(x[e]))))
		}
		scale := most / 127
		for e := range x {
			if scale > 0 {
				sum += math.RoundToEven(float64(x[e]*(1/scale))) * float64(scale) * float64(w[at+e])
			}
		}
	}
	return sum
}

// TestBlockGemm compares every set with the formula, and bit for bit with the
// plain one, at odd shapes whose operands end at unreadable pages.
func TestBlockGemm(t *testing.T) {
	pool := parallel.New(3)
	defer pool.Close()
	scratch := NewScratch(3)
	shapes := [][3]int{{1, 32, 1}, {1, 33, 2}, {5, 31, 3}, {6, 64, 1}, {7, 95, 2}, {13, 1, 5}, {2, 70, 4}, {4, 40, 3}, {37, 70, 3}}
	eachForm(t, func(t *testing.T, dt dtype.Type) {
		for c, shape := range shapes {
			m, n, k := shape[0], shape[1], shape[2]*256
			if values, _ := dt.Block(); values == 32 {
				k -= 32 // no whole number of runs of other formats
			}
			src := randomBlocks(t, uint64(c), dt, n, k)
			a := guardedMatrix(t, uint64(50+c), m, k, c%3 == 1, false)
			if c == 3 {
				clear(a.F32[:40])
				a.F32[50] = 1e-35
			}
			g := BlockGemm{A: a}
			if c%2 == 1 {
				g.Bias = unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(guarded(t, 4*n)))), n)
				for i := range g.Bias {
					g.Bias[i] = float32(rng.Normal(3, 3, uint64(i)))
				}
			}
			g.Accumulate = c == 4
			base := guardedMatrix(t, 99, m, n, c == 5, false)
			var results []Matrix
			for _, s := range Sets() {
				g.B = layBlocks(t, s, dt, n, k, src)
				g.C = guardedMatrix(t, 99, m, n, c == 5, false)
				s.GemmBlocks(pool, scratch, &g)
				results = append(results, g.C)
				checkBlocks(t, fmt.Sprint(s.Name, shape), &g, &base)
				one := g
				one.A.Rows, one.C = 1, guardedMatrix(t, 99, m, n, c == 5, false)
				one.C.Rows = 1
				s.GemmBlocks(nil, scratch.Worker(1), &one)
				if !slices.Equal(one.C.F32[:min(n, len(one.C.F32))], g.C.F32[:min(n, len(g.C.F32))]) {
					t.Fatalf("%s %v: the first row alone differs from that among %d", s.Name, shape, m)
				}
			}
			for i, s := range Sets() {
				last := results[len(results)-1]
				if !slices.Equal(results[i].BF16, last.BF16) || !slices.Equal(results[i].F32, last.F32) {
					t.Fatalf("%v: %s and %s differ", shape, s.Name, Sets()[len(results)-1].Name)
				}
			}
		}
	})
}

// checkBlocks compares with the formula: K/16 roundings of what is summed, and
// half a bf16 step where C is bf16.
func checkBlocks(t *testing.T, what string, g *BlockGemm, base *Matrix) {
	t.Helper()
	for i := range g.C.Rows {
		for j := range g.C.Cols {
			want, got := wantBlocks(g, i, j), 0.0
			if g.Accumulate {
				want += float64(base.F32[i*base.Stride+j])
			}
			bound := (math.Abs(want) + 20) * float64(g.B.K) * 0x1p-26
			if g.C.BF16 != nil {
				got = float64(dtype.FromBF16(g.C.BF16[i*g.C.Stride+j]))
				bound += math.Abs(want) / 256
			} else {
				got = float64(g.C.F32[i*g.C.Stride+j])
			}
			if !(math.Abs(got-want) <= bound) {
				t.Fatalf("%s: element (%d, %d) is %v, want %v within %v", what, i, j, got, want, bound)
			}
		}
	}
}

// TestBlockGemmAllocates nothing, since decoding calls it hundreds of times a token.
func TestBlockGemmAllocates(t *testing.T) {
	for _, s := range Sets() {
		scratch := NewScratch(1)
		g := BlockGemm{A: guardedMatrix(t, 1, 7, 256, false, false), C: guardedMatrix(t, 1, 7, 40, false, false)}
		g.B = layBlocks(t, s, dtype.Q4_K, 40, 256, randomBlocks(t, 2, dtype.Q4_K, 40, 256))
		if n := testing.AllocsPerRun(5, func() { s.GemmBlocks(nil, scratch, &g) }); n != 0 {
			t.Errorf("%s: %v allocations", s.Name, n)
		}
	}
}

// TestBlocksRow compares the values of rows with the format's own conversion.
func TestBlocksRow(t *testing.T) {
	eachForm(t, func(t *testing.T, dt dtype.Type) {
		const n, k = 35, 512
		src := randomBlocks(t, 9, dt, n, k)
		want := make([]float32, n*k)
		dtype.Dequantize(dt, want, src)
		for _, s := range Sets() {
			b, got := layBlocks(t, s, dt, n, k, src), make([]float32, n*k)
			for i := range n {
				b.Row(i, got[i*k:(i+1)*k])
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%s: value %d of row %d is %v, want %v", s.Name, i%k, i/k, got[i], want[i])
				}
			}
		}
	})
}

// TestBlocksBroken checks what cannot be multiplied: scales that are no numbers
// are refused, activations that are none make their row's results NaN.
func TestBlocksBroken(t *testing.T) {
	for _, s := range Sets() {
		src := randomBlocks(t, 1, dtype.Q4_K, 3, 512)
		b := &Blocks{Data: make([]byte, s.BlocksBytes(dtype.Q4_K, 3, 512))}
		le.PutUint16(src[4*144+2:], 0x7e00)
		if err := s.LayBlocks(nil, dtype.Q4_K, 3, 512, src, b); err == nil || err.Error() != "row 2: a scale is NaN or infinite" {
			t.Errorf("%s: NaN scale: %v", s.Name, err)
		}
		if err := s.LayBlocks(nil, dtype.Q4_K, 3, 512, src[1:], b); err == nil {
			t.Errorf("%s: short source accepted", s.Name)
		}
		if err := s.LayBlocks(nil, dtype.Q4_K, 3, 500, src, b); err == nil {
			t.Errorf("%s: ragged rows accepted", s.Name)
		}
		g := BlockGemm{A: Matrix{F32: make([]float32, 3*64), Rows: 3, Cols: 64, Stride: 64}, C: Matrix{F32: make([]float32, 3*40), Rows: 3, Cols: 40, Stride: 40}}
		g.B = layBlocks(t, s, dtype.Q8_0, 40, 64, randomBlocks(t, 2, dtype.Q8_0, 40, 64))
		g.A.F32[3], g.A.F32[64+40] = float32(math.NaN()), float32(math.Inf(-1))
		s.GemmBlocks(nil, NewScratch(1), &g)
		for i, x := range g.C.F32 {
			if (x != x) != (i < 80) {
				t.Fatalf("%s: row %d, column %d: %v", s.Name, i/40, i%40, x)
			}
		}
	}
}
