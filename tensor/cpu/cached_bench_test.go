package cpu_test

import (
	"fmt"
	"testing"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// BenchmarkCacheAttention is one layer of a Llama-3.2-1B: one token over a long
// cache, and a chunk of a prompt.
func BenchmarkCacheAttention(b *testing.B) {
	be, err := cpu.New(cpu.Options{Precision: "f32"})
	if err != nil {
		b.Fatal(err)
	}
	defer be.Close()
	for _, f := range []tensor.CacheFormat{tensor.CacheF32, tensor.CacheF16, tensor.CacheQ8} {
		for _, rows := range []int{1, 512} {
			b.Run(fmt.Sprint(f, "/", rows, "x2048"), func(b *testing.B) {
				const past = 2048
				c := tensor.Cached{H: 32, K: 8, D: 64, Scale: 0.125, Format: f}
				s := tensor.CachedSeq{Rows: rows, Past: past - rows}
				for range past / tensor.PageTokens {
					s.Pages = append(s.Pages, be.Alloc(2*c.K*f.Bytes(c.D)))
				}
				c.Seqs = []tensor.CachedSeq{s}
				q := tensor.Over(be.Alloc(rows*c.H*c.D*4), be.Wide(), rows, c.H*c.D)
				out := tensor.Over(be.Alloc(rows*c.H*c.D*4), be.Wide(), rows, c.H*c.D)
				b.SetBytes(int64(past/tensor.PageTokens) * int64(2*c.K*f.Bytes(c.D)))
				for b.Loop() {
					be.CacheAttention(out, q, &c)
				}
			})
		}
	}
}
