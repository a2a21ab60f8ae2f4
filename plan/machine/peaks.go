package machine

import (
	"context"
	"fmt"
	"time"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// Options of a measurement; the zero value takes one to two seconds.
type Options struct {
	Kernels string        // kernel set; "" means the best
	Threads int           // "all" threads; 0 means GOMAXPROCS
	Each    time.Duration // time of one of the eight figures; 0 means 150 ms
}

// Peaks are measured on this machine with one kernel set.
type Peaks struct {
	Kernels string `json:"kernels"` // the set
	Threads int    `json:"threads"` // "all"
	F32     Rate   `json:"f32"`     // FLOP a second of products
	BF16    Rate   `json:"bf16"`    // the same with operands rounded to bf16
	Int8    Rate   `json:"int8"`    // operations a second of products with weights in Q8_0
	Read    Rate   `json:"read"`    // bytes a second from main memory; 0 where memory is too short to measure
}

// Rate is a figure a second.
type Rate struct {
	One float64 `json:"one_thread"`
	All float64 `json:"all_threads"`
}

// Products is the rate in the given precision on all threads.
func (p Peaks) Products(precision kernel.Precision) float64 {
	if precision == kernel.BF16 {
		return p.BF16.All
	}
	return p.F32.All
}

// Measure runs the kernels. Each figure is the best of many repetitions, so
// other work on the machine disturbs it little. It returns early, with
// ctx.Err(), when ctx ends.
func Measure(ctx context.Context, o Options) (Peaks, error) {
	set, err := kernel.ByName(o.Kernels)
	if err != nil {
		return Peaks{}, err
	}
	if o.Each < 0 || o.Threads < 0 {
		return Peaks{}, fmt.Errorf("machine: %d threads and %v a figure: both must be positive, or 0 for the default", o.Threads, o.Each)
	}
	if o.Each == 0 {
		o.Each = 150 * time.Millisecond
	}
	pool := parallel.New(o.Threads)
	defer pool.Close()
	p := Peaks{Kernels: set.Name, Threads: pool.Threads()}
	m := meter{ctx, set, pool, o.Each}
	p.F32 = m.products(kernel.F32)
	p.BF16 = m.products(kernel.BF16)
	p.Int8 = m.blocks()
	p.Read = m.read(readMemory().Available)
	return p, ctx.Err()
}

// meter takes one figure after the other.
type meter struct {
	ctx  context.Context
	set  *kernel.Set
	pool *parallel.Pool
	each time.Duration
}

// both runs f serially and on the pool.
func (m *meter) both(f func(*parallel.Pool) float64) Rate {
	r := Rate{One: f(nil)}
	r.All = r.One
	if m.pool.Threads() > 1 {
		r.All = f(m.pool)
	}
	return r
}

// best is the largest work/time over repetitions of run within m.each.
func (m *meter) best(work float64, run func()) float64 {
	var best float64
	for start := time.Now(); m.ctx.Err() == nil; {
		at := time.Now()
		run()
		best = max(best, work/max(time.Since(at).Seconds(), 1e-9))
		if time.Since(start) >= m.each {
			break
		}
	}
	return best
}

// The side of the square product: its operands fit the second cache. Where one
// of smallSide takes long, as in plain Go, that one is taken.
const (
	largeSide = 576
	smallSide = 160
	longCall  = 2 * time.Millisecond
)

func (m *meter) products(p kernel.Precision) Rate {
	scratch := kernel.NewScratch(m.pool.Threads())
	g := m.square(smallSide, p)
	m.set.Gemm(nil, scratch, g)
	at := time.Now()
	m.set.Gemm(nil, scratch, g)
	if time.Since(at) < longCall {
		g = m.square(largeSide, p)
		m.set.Gemm(nil, scratch, g)
	}
	n := float64(g.A.Rows)
	return m.both(func(pool *parallel.Pool) float64 {
		return m.best(2*n*n*n, func() { m.set.Gemm(pool, scratch, g) })
	})
}

// square is a product with B packed. The values matter little to time, but
// tiles of zeros multiply faster than others: there are none here.
func (m *meter) square(n int, p kernel.Precision) *kernel.Gemm {
	fill := func(period int) kernel.Matrix {
		v := make([]float32, n*n)
		for i := range v {
			v[i] = float32(i%period-period/2)/float32(period) + 1.0/1024
		}
		return kernel.Matrix{F32: v, Rows: n, Cols: n, Stride: n}
	}
	b := fill(1021)
	packed := &kernel.Packed{Data: make([]byte, m.set.PackedBytes(n, n, p))}
	m.set.PackB(nil, b, p, packed)
	return &kernel.Gemm{A: fill(1009), Packed: packed, C: fill(7), Precision: p}
}

// blocks is the rate of products with weights in Q8_0. Rounding of activations is
// part of it.
func (m *meter) blocks() Rate {
	const rows, n = 96, largeSide
	scratch := kernel.NewScratch(m.pool.Threads())
	src := make([]byte, n*dtype.Q8_0.RowBytes(n))
	for i := range src {
		src[i] = byte(i%59 + 1) // scales of small positive numbers
	}
	b := &kernel.Blocks{Data: make([]byte, m.set.BlocksBytes(dtype.Q8_0, n, n))}
	if err := m.set.LayBlocks(nil, dtype.Q8_0, n, n, src, b); err != nil {
		panic("machine: " + err.Error())
	}
	f32 := func() kernel.Matrix {
		return kernel.Matrix{F32: make([]float32, rows*n), Rows: rows, Cols: n, Stride: n}
	}
	g := &kernel.BlockGemm{A: f32(), B: b, C: f32()}
	for i := range g.A.F32 {
		g.A.F32[i] = float32(i%1021-510) / 1021
	}
	return m.both(func(pool *parallel.Pool) float64 {
		return m.best(2*rows*n*n, func() { m.set.GemmBlocks(pool, scratch, g) })
	})
}
