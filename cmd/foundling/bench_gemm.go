package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// gemmShapes are M, N, K of layers and heads of small language models.
var gemmShapes = [][3]int{
	{1024, 768, 768}, {1024, 3072, 768}, {1024, 768, 3072}, {1024, 50257, 768},
	{4096, 768, 768}, {2048, 384, 384}, {2048, 1536, 384}, {2048, 512, 512},
}

// gemmCase is one product. In bf16 all three matrices are bf16 and B is packed
// beforehand, as a library's weights would be; packing-counted packs B in every
// product. In f32 B is never packed beforehand.
type gemmCase struct {
	m, n, k   int
	precision kernel.Precision
	packed    bool
	threads   int
}

func (g gemmCase) name() string {
	s := fmt.Sprintf("gemm/%v/%dx%dx%d/t%d", g.precision, g.m, g.n, g.k, g.threads)
	if g.precision == kernel.BF16 && !g.packed {
		s += "/packing-counted"
	}
	return s
}

func gemmCases(threads int, precision string) []benchCase {
	counts := slices.Compact([]int{1, threads})
	var out []benchCase
	for _, kind := range []struct {
		p      kernel.Precision
		packed bool
	}{{kernel.F32, false}, {kernel.BF16, true}, {kernel.BF16, false}} {
		if precision != "" && precision != kind.p.String() {
			continue
		}
		for _, s := range gemmShapes {
			for _, t := range counts {
				g := gemmCase{s[0], s[1], s[2], kind.p, kind.packed, t}
				out = append(out, oneRow(g.name(), g.run))
			}
		}
	}
	return out
}

func (g gemmCase) run(ctx context.Context, c *benchCmd) (benchRow, error) {
	set, err := kernel.ByName(c.Kernels)
	if err != nil {
		return benchRow{}, err
	}
	pool := parallel.New(g.threads)
	defer pool.Close()
	scratch := kernel.NewScratch(g.threads)
	p := &kernel.Gemm{
		A: g.matrix(g.m, g.k, 1), B: g.matrix(g.k, g.n, 2), C: g.matrix(g.m, g.n, 3), Precision: g.precision,
	}
	if g.packed {
		p.Packed = &kernel.Packed{Data: make([]byte, set.PackedBytes(g.k, g.n, g.precision))}
		set.PackB(pool, p.B, g.precision, p.Packed)
	}
	work := 2 * float64(g.m) * float64(g.n) * float64(g.k) / 1e9
	one := func() (float64, error) {
		return rateOf(work, func() error { set.Gemm(pool, scratch, p); return nil })
	}
	d := c.each(500 * time.Millisecond)
	first, _ := one() // touches all memory; a long one counts all the same
	if work/first > d.Seconds() {
		return summary("", "GFLOP/s", []float64{first}), ctx.Err()
	}
	xs, err := repeat(ctx, d, one)
	if err != nil {
		return benchRow{}, err
	}
	return summary("", "GFLOP/s", xs), nil
}

// matrix is random normal values; tiles of zeros would multiply faster.
func (g gemmCase) matrix(rows, cols int, stream uint64) kernel.Matrix {
	some := someNormals(stream)
	m := kernel.Matrix{Rows: rows, Cols: cols, Stride: cols}
	if g.precision == kernel.BF16 {
		m.BF16 = make([]uint16, rows*cols)
		for i := range m.BF16 {
			m.BF16[i] = dtype.ToBF16(some[i%len(some)])
		}
		return m
	}
	m.F32 = make([]float32, rows*cols)
	for i := range m.F32 {
		m.F32[i] = some[i%len(some)]
	}
	return m
}

// someNormals is a few normal numbers, of a prime count so that rows of a
// matrix filled with them differ.
func someNormals(stream uint64) []float32 {
	some := make([]float32, 4093)
	for i := range some {
		some[i] = float32(rng.Normal(1, stream, uint64(i)))
	}
	return some
}
