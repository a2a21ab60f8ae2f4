package kernel_test

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// eachSet runs a test for every set that this machine has.
func eachSet(t *testing.T, f func(t *testing.T, s *kernel.Set)) {
	for _, s := range kernel.Sets() {
		t.Run(s.Name, func(t *testing.T) { f(t, s) })
	}
}

// draws is a source of random numbers for tests.
type draws struct{ seed, n uint64 }

func (d *draws) intn(n int) int { d.n++; return rng.Intn(d.seed, 1, d.n, n) }

func (d *draws) normal() float32 { d.n++; return float32(rng.Normal(d.seed, 2, d.n)) }

// matrix fills a random matrix of the wanted form; values past its elements are
// NaN, which would spoil results if they were read.
func (d *draws) matrix(rows, cols int, bf16, trans bool) kernel.Matrix {
	m := kernel.Matrix{Rows: rows, Cols: cols, Trans: trans}
	r, c := rows, cols
	if trans {
		r, c = cols, rows
	}
	m.Stride = c + d.intn(3)*d.intn(9)
	size := 0
	if r > 0 && c > 0 {
		size = (r-1)*m.Stride + c
	}
	if bf16 {
		m.BF16 = make([]uint16, size)
	} else {
		m.F32 = make([]float32, size)
	}
	for i := range size {
		v := float32(math.NaN())
		if i%max(m.Stride, 1) < c {
			v = d.normal()
		}
		if bf16 {
			m.BF16[i] = dtype.ToBF16(v)
		} else {
			m.F32[i] = v
		}
	}
	return m
}

func at(m *kernel.Matrix, i, j int) float32 {
	if m.Trans {
		i, j = j, i
	}
	if m.BF16 != nil {
		return dtype.FromBF16(m.BF16[i*m.Stride+j])
	}
	return m.F32[i*m.Stride+j]
}

// operandAt is the value of an operand in a product of the given precision.
func operandAt(m *kernel.Matrix, i, j int, p kernel.Precision) float64 {
	v := at(m, i, j)
	if p == kernel.BF16 {
		v = dtype.FromBF16(dtype.ToBF16(v))
	}
	return float64(v)
}

// checkGemm computes g and compares with sums in float64. The bound is that of
// K products summed in f32 in any order: (K+2) 2^-24 times the sum of the
// magnitudes (Higham 2002, section 3.1), and half a bf16 step when C is bf16.
func checkGemm(t *testing.T, s *kernel.Set, pool *parallel.Pool, scratch *kernel.Scratch, g *kernel.Gemm) {
	t.Helper()
	b := g.B
	old := append([]float32(nil), g.C.F32...)
	if g.Packed != nil {
		g.Packed.Data = make([]byte, s.PackedBytes(b.Rows, b.Cols, g.Precision)+1)[1:]
		s.PackB(pool, b, g.Precision, g.Packed)
		g.B = kernel.Matrix{}
	}
	s.Gemm(pool, scratch, g)
	k := g.A.Cols
	for i := range g.C.Rows {
		for j := range g.C.Cols {
			want, size := 0.0, 0.0
			if g.Bias != nil {
				want += float64(g.Bias[j])
			}
			if g.Accumulate {
				want += float64(old[i*g.C.Stride+j])
			}
			size = math.Abs(want)
			for q := range k {
				p := operandAt(&g.A, i, q, g.Precision) * operandAt(&b, q, j, g.Precision)
				want += p
				size += math.Abs(p)
			}
			bound := float64(k+3)*0x1p-24*size + 1e-37
			if g.C.BF16 != nil {
				bound += math.Abs(want) * 0x1p-8
			}
			if got := float64(at(&g.C, i, j)); !(math.Abs(got-want) <= bound) {
				t.Fatalf("element (%d, %d): got %v, want %v within %v", i, j, got, want, bound)
			}
		}
	}
	checkGaps(t, &g.C, old)
}

// checkGaps looks for writes between the rows of C.
func checkGaps(t *testing.T, c *kernel.Matrix, old []float32) {
	t.Helper()
	for i := range old {
		if i%max(c.Stride, 1) >= c.Cols && math.Float32bits(c.F32[i]) != math.Float32bits(old[i]) {
			t.Fatalf("value %d after a row of C was overwritten: got %v", i%c.Stride, c.F32[i])
		}
	}
}

func gemmText(g *kernel.Gemm) string {
	form := func(m *kernel.Matrix) string {
		return fmt.Sprintf("(%d,%d)/%d bf16=%v T=%v", m.Rows, m.Cols, m.Stride, m.BF16 != nil, m.Trans)
	}
	return fmt.Sprintf("A%s B%s C%s %v packed=%v acc=%v bias=%v", form(&g.A), form(&g.B), form(&g.C),
		g.Precision, g.Packed != nil, g.Accumulate, g.Bias != nil)
}

func (d *draws) gemm(m, n, k int) *kernel.Gemm {
	g := &kernel.Gemm{Precision: kernel.Precision(d.intn(2))}
	g.A = d.matrix(m, k, d.intn(2) == 1, d.intn(2) == 1)
	g.B = d.matrix(k, n, d.intn(2) == 1, d.intn(2) == 1)
	g.C = d.matrix(m, n, d.intn(3) == 0, false)
	g.Accumulate = g.C.BF16 == nil && d.intn(2) == 0
	if d.intn(2) == 0 {
		g.Bias = make([]float32, n)
		for i := range g.Bias {
			g.Bias[i] = d.normal()
		}
	}
	if d.intn(3) == 0 {
		g.Packed = &kernel.Packed{}
	}
	return g
}

// TestGemmShapes compares random products of many shapes and forms with float64
// sums.
func TestGemmShapes(t *testing.T) {
	sizes := []int{0, 1, 2, 3, 5, 6, 7, 8, 13, 14, 15, 16, 17, 28, 31, 32, 33, 47, 64, 65}
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		pool := parallel.New(2)
		defer pool.Close()
		scratch := kernel.NewScratch(2)
		d := draws{seed: 7}
		for range 400 {
			g := d.gemm(sizes[d.intn(len(sizes))], sizes[d.intn(len(sizes))], sizes[d.intn(len(sizes))])
			text := gemmText(g)
			if !t.Run("", func(t *testing.T) { checkGemm(t, s, pool, scratch, g) }) {
				t.Fatal(text)
			}
		}
	})
}

// TestGemmBlocks takes shapes of several tasks, blocks of depth and ragged ends.
func TestGemmBlocks(t *testing.T) {
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	shapes := [][3]int{{1, 700, 1100}, {300, 33, 70}, {40, 530, 600}, {270, 300, 33}, {3, 3, 2000}, {2, 5, 17000}}
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		pool := parallel.New(2)
		defer pool.Close()
		scratch := kernel.NewScratch(2)
		d := draws{seed: 8}
		for _, shape := range shapes {
			for range rounds {
				g := d.gemm(shape[0], shape[1], shape[2])
				text := gemmText(g)
				if !t.Run("", func(t *testing.T) { checkGemm(t, s, pool, scratch, g) }) {
					t.Fatal(text)
				}
			}
		}
	})
}

// copyOf is the matrix in another form: transposed, or with another stride.
func copyOf(m *kernel.Matrix, trans bool, stride int) kernel.Matrix {
	c := kernel.Matrix{Rows: m.Rows, Cols: m.Cols, Trans: trans, Stride: stride}
	if trans {
		c.Stride = m.Rows + stride - m.Cols
	}
	c.F32 = make([]float32, max(m.Rows, m.Cols)*c.Stride)
	for i := range m.Rows {
		for j := range m.Cols {
			if trans {
				c.F32[j*c.Stride+i] = at(m, i, j)
			} else {
				c.F32[i*c.Stride+j] = at(m, i, j)
			}
		}
	}
	return c
}

// TestGemmSameBits says what must not change a bit of a row: the number of
// other rows and columns, packing, transposition, threads.
func TestGemmSameBits(t *testing.T) {
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		for _, p := range []kernel.Precision{kernel.F32, kernel.BF16} {
			for _, shape := range [][3]int{{75, 100, 530}, {290, 70, 64}, {17, 600, 40}} {
				t.Run(fmt.Sprint(p, shape), func(t *testing.T) { sameBits(t, s, p, shape[0], shape[1], shape[2]) })
			}
		}
	})
}

func sameBits(t *testing.T, s *kernel.Set, p kernel.Precision, m, n, k int) {
	d := draws{seed: 9}
	a, b := d.matrix(m, k, false, false), d.matrix(k, n, false, false)
	product := func(threads int, a, b kernel.Matrix, packed *kernel.Packed) []float32 {
		pool := parallel.New(threads)
		defer pool.Close()
		c := kernel.Matrix{F32: make([]float32, a.Rows*n), Rows: a.Rows, Cols: n, Stride: n}
		s.Gemm(pool, kernel.NewScratch(threads), &kernel.Gemm{A: a, B: b, Packed: packed, C: c, Precision: p})
		return c.F32
	}
	want := product(1, a, b, nil)
	same := func(name string, got, want []float32) {
		t.Helper()
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("%s: element %d: got %v, want the same bits as %v", name, i, got[i], want[i])
			}
		}
	}
	same("two threads", product(2, a, b, nil), want)
	same("three threads", product(3, a, b, nil), want)
	packed := &kernel.Packed{Data: make([]byte, s.PackedBytes(k, n, p))}
	s.PackB(nil, b, p, packed)
	same("packed", product(2, a, kernel.Matrix{}, packed), want)
	same("A transposed", product(2, copyOf(&a, true, k+3), b, nil), want)
	same("B transposed", product(1, a, copyOf(&b, true, n+5), nil), want)
	for _, i := range []int{0, 1, m / 2, m - 1} {
		row := a
		row.Rows, row.F32 = 1, a.F32[i*a.Stride:]
		same(fmt.Sprintf("row %d alone", i), product(1, row, kernel.Matrix{}, packed), want[i*n:][:n])
	}
	some := a
	some.Rows, some.F32 = min(m-2, 9), a.F32[2*a.Stride:]
	same("some rows", product(2, some, b, nil), want[2*n:][:some.Rows*n])
}

// TestGemmPanics lists operands that do not fit.
func TestGemmPanics(t *testing.T) {
	m := func(rows, cols, size int) kernel.Matrix {
		return kernel.Matrix{F32: make([]float32, size), Rows: rows, Cols: cols, Stride: cols}
	}
	bf16 := kernel.Matrix{BF16: make([]uint16, 12), Rows: 3, Cols: 4, Stride: 4}
	s := kernel.Best()
	packed := &kernel.Packed{Data: make([]byte, s.PackedBytes(2, 4, kernel.BF16))}
	s.PackB(nil, m(2, 4, 8), kernel.BF16, packed)
	for name, g := range map[string]kernel.Gemm{
		"depth":         {A: m(3, 2, 6), B: m(3, 4, 12), C: m(3, 4, 12)},
		"rows of C":     {A: m(3, 2, 6), B: m(2, 4, 8), C: m(2, 4, 8)},
		"short A":       {A: m(3, 2, 5), B: m(2, 4, 8), C: m(3, 4, 12)},
		"overflow":      {A: m(1<<62, 2, 6), B: m(2, 4, 8), C: m(3, 4, 12)},
		"bias":          {A: m(3, 2, 6), B: m(2, 4, 8), C: m(3, 4, 12), Bias: make([]float32, 3)},
		"accumulate":    {A: m(3, 2, 6), B: m(2, 4, 8), C: bf16, Accumulate: true},
		"other packing": {A: m(3, 2, 6), Packed: packed, C: m(3, 4, 12)},
		"negative":      {A: m(-1, 2, 6), B: m(2, 4, 8), C: m(-1, 4, 12)},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("got no panic")
				}
			}()
			s.Gemm(nil, kernel.NewScratch(1), &g)
		})
	}
}

// TestGemmAllocs: a product in a warm scratch leaves nothing for the collector.
func TestGemmAllocs(t *testing.T) {
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		d := draws{seed: 10}
		a, b, c := d.matrix(70, 40, false, false), d.matrix(40, 90, false, true), d.matrix(70, 90, false, false)
		pool, scratch := parallel.New(2), kernel.NewScratch(2)
		defer pool.Close()
		run := func() {
			s.Gemm(pool, scratch, &kernel.Gemm{A: a, B: b, C: c, Precision: kernel.BF16})
			s.Gemm(nil, scratch.Worker(1), &kernel.Gemm{A: a, B: b, C: c})
		}
		run()
		if got := testing.AllocsPerRun(20, run); got >= 1 {
			t.Errorf("got %v allocations a run, want none", got)
		}
	})
}

// TestGemmCollector runs the garbage collector during products: no address past
// the end of an operand may lie where it looks.
func TestGemmCollector(t *testing.T) {
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		d := draws{seed: 12}
		done, stopped := make(chan bool), make(chan bool)
		go func() {
			defer close(stopped)
			for {
				select {
				case <-done:
					return
				default:
					runtime.GC()
				}
			}
		}()
		scratch := kernel.NewScratch(1)
		for range 20 {
			g := d.gemm(64, 64, 200)
			if g.Packed == nil {
				s.Gemm(nil, scratch, g)
			}
			runtime.GC()
		}
		close(done)
		<-stopped
	})
}

// TestGemmRounding multiplies special values by one: with BF16 every packer
// rounds them as dtype.ToBF16 does.
func TestGemmRounding(t *testing.T) {
	bits := []uint32{0, 1 << 31, 0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x3f817fff, 0xbf808000,
		0xbf818000, 0x7f7fffff, 0xff7fffff, 0x7f7f7fff, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff,
		0x7fbfffff, 0x00800000, 0x00ffffff, 0x3fffffff, 0x40000001, 0x477fe000}
	bits = append(bits, bits...) // to fill whole panels
	const depth = 40             // of which the first is not zero
	n := len(bits)
	turn := func(m kernel.Matrix) kernel.Matrix {
		m.Rows, m.Cols, m.Trans = m.Cols, m.Rows, !m.Trans
		return m
	}
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		for form := range 16 {
			values := kernel.Matrix{F32: make([]float32, depth*n), Rows: depth, Cols: n, Stride: n}
			one := kernel.Matrix{F32: make([]float32, depth), Rows: depth, Cols: 1, Stride: 1}
			for i, b := range bits {
				values.F32[i] = math.Float32frombits(b)
			}
			one.F32[0] = 1
			if form&1 != 0 {
				values = copyOf(&values, true, n)
			}
			c := kernel.Matrix{F32: make([]float32, n), Rows: 1, Cols: n, Stride: n}
			g := kernel.Gemm{A: turn(one), B: values, C: c, Precision: kernel.BF16}
			if form&2 != 0 {
				c.Rows, c.Cols, c.Stride = n, 1, 1
				g = kernel.Gemm{A: turn(values), B: one, C: c, Precision: kernel.BF16}
			}
			if form&4 != 0 { // rounded in the end
				c.F32, c.BF16 = nil, make([]uint16, n)
				g.C = c
			}
			if form&8 != 0 && form&4 != 0 {
				g.Precision = kernel.F32
			}
			s.Gemm(nil, kernel.NewScratch(1), &g)
			for i, b := range bits {
				got, want := at(&c, i%c.Rows, i%c.Cols), dtype.FromBF16(dtype.ToBF16(math.Float32frombits(b)))
				same := got == want || math.IsNaN(float64(got)) && math.IsNaN(float64(want))
				if !same {
					t.Errorf("form %d: %#08x: got %v, want %v", form, b, got, want)
				}
			}
		}
	})
}

// TestColumn reads packed operands back.
func TestColumn(t *testing.T) {
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		for i := range uint64(40) {
			d := draws{seed: i}
			k, n, p := 1+d.intn(900), 1+d.intn(90), kernel.Precision(i%2)
			b := d.matrix(k, n, i%4 < 2, i%3 == 0)
			packed := kernel.Packed{Data: make([]byte, s.PackedBytes(k, n, p))}
			s.PackB(nil, b, p, &packed)
			got := make([]float32, k)
			for j := range n {
				s.Column(&packed, j, got)
				for q, x := range got {
					if want := operandAt(&b, q, j, p); float64(x) != want {
						t.Fatalf("%v (%d, %d): element (%d, %d) is %v, want %v", p, k, n, q, j, x, want)
					}
				}
			}
		}
	})
}

// TestColumns reads whole columns back as rows of bf16.
func TestColumns(t *testing.T) {
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		for i := range uint64(40) {
			d := draws{seed: i}
			k, n := 1+d.intn(900), 1+d.intn(150)
			b := d.matrix(k, n, i%4 < 2, i%3 == 0)
			packed := kernel.Packed{Data: make([]byte, s.PackedBytes(k, n, kernel.BF16))}
			s.PackB(nil, b, kernel.BF16, &packed)
			lo := d.intn(n) / 32 * 32
			hi, stride := lo+d.intn(n-lo)+1, k+d.intn(3)
			const guard = 0x7fc1
			got := make([]uint16, (hi-lo)*stride+1)
			for j := range got {
				got[j] = guard
			}
			s.Columns(&packed, lo, hi, got, stride)
			for j := lo; j < hi; j++ {
				row := got[(j-lo)*stride : (j-lo+1)*stride]
				for q, x := range row[:k] {
					if want := operandAt(&b, q, j, kernel.BF16); float64(math.Float32frombits(uint32(x)<<16)) != want {
						t.Fatalf("(%d, %d): element (%d, %d) is %#04x, want %v", k, n, q, j, x, want)
					}
				}
				for _, x := range row[k:] {
					if x != guard {
						t.Fatalf("(%d, %d): written past the end of row %d", k, n, j)
					}
				}
			}
			if got[len(got)-1] != guard {
				t.Fatalf("(%d, %d): written past the last row", k, n)
			}
		}
	})
}

// TestGemmInPlace writes a right operand column by column and row by row in the
// order of the products: the same bits as with one that was packed.
func TestGemmInPlace(t *testing.T) {
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		d := draws{seed: 14}
		const m, n, k = 5, 64, 96
		a, b := d.matrix(m, k, false, false), d.matrix(k, n, false, false)
		product := func(packed *kernel.Packed) []float32 {
			c := kernel.Matrix{F32: make([]float32, m*n), Rows: m, Cols: n, Stride: n}
			s.Gemm(nil, kernel.NewScratch(1), &kernel.Gemm{A: a, Packed: packed, C: c})
			return c.F32
		}
		whole := &kernel.Packed{Data: make([]byte, s.PackedBytes(k, n, kernel.F32))}
		s.PackB(nil, b, kernel.F32, whole)
		want := product(whole)
		for _, byRow := range []bool{false, true} {
			mem := tensor.NewHost(4 * k * n)
			p, ok := s.InPlace(mem.Data, k, n, kernel.F32)
			if !ok {
				t.Fatalf("a (%d, %d) operand cannot be written in place", k, n)
			}
			if byRow {
				for i := range k {
					p.SetRow(i, b.F32[i*b.Stride:][:n])
				}
			} else {
				for j := range n {
					x := make([]float32, k)
					for i := range x {
						x[i] = at(&b, i, j)
					}
					p.SetColumn(j, x)
				}
			}
			if got := product(&p); !slices.Equal(got, want) {
				t.Errorf("by row %v: got another product than with a packed operand", byRow)
			}
			mem.Free()
		}
		if _, ok := s.InPlace(make([]byte, 4*k*n), k, n, kernel.BF16); ok {
			t.Error("a bf16 operand was taken for one of f32 values")
		}
	})
}
