package generate_test

import (
	"context"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// BenchmarkDecode is new tokens a second of a random Llama of 14 M parameters,
// after a prompt of 16 tokens.
func BenchmarkDecode(b *testing.B) {
	be := backend(b, cpu.Options{Precision: "f32"})
	m, err := zoo.FromShape(be, zoo.Shape{Family: "llama", Layers: 6, Width: 384, Heads: 6, KVHeads: 2, Vocab: 8192, Context: 512})
	if err != nil {
		b.Fatal(err)
	}
	m.Init(be, 4)
	e := generate.New(be, m, nil)
	defer e.Close()
	for _, n := range []int{1, 32} {
		b.Run(map[int]string{1: "1", 32: "32"}[n], func(b *testing.B) {
			tokens := 0
			b.ReportAllocs()
			for b.Loop() {
				var rs []generate.Request
				for i := range n {
					prompt := ids(16)
					prompt[0] = int32(i)
					rs = append(rs, generate.Request{Prompt: prompt, Options: generate.Options{MaxTokens: 64, Stream: uint64(i), Sample: sample.Options{Temperature: 1, TopK: 40, Seed: 7}}})
				}
				got, err := e.GenerateAll(context.Background(), rs, nil)
				if err != nil {
					b.Fatal(err)
				}
				for _, r := range got {
					tokens += len(r.IDs)
				}
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
