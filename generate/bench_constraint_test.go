package generate_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/generate/grammar/language"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// BenchmarkConstrained is new tokens a second of 32 sequences of a random Llama of 14
// M parameters, free and within a JSON Schema: the same number of tokens, for text
// in the schema goes on for as long as it may.
func BenchmarkConstrained(b *testing.B) {
	be := backend(b, cpu.Options{Precision: "f32"})
	m, err := zoo.FromShape(be, zoo.Shape{Family: "llama", Layers: 6, Width: 384, Heads: 6, KVHeads: 2, Vocab: 8192, Context: 512})
	if err != nil {
		b.Fatal(err)
	}
	m.Init(be, 4)
	vocab := make([][]byte, 8192)
	for i := range vocab {
		if vocab[i] = []byte{byte(i)}; i >= 256 {
			vocab[i] = fmt.Appendf(nil, "%x", i)
		}
	}
	v, err := grammar.NewVocabulary(vocab, nil, []int32{8191})
	if err != nil {
		b.Fatal(err)
	}
	source := language.Source{Schema: []byte(`{"type":"array","items":{"type":"string"},"minItems":1}`)}
	l, err := source.Compile()
	if err != nil {
		b.Fatal(err)
	}
	g, err := grammar.New(v, l.Start, grammar.Options{})
	if err != nil {
		b.Fatal(err)
	}
	e := generate.New(be, m, vocab)
	defer e.Close()
	for name, c := range map[string]generate.Constraint{"free": nil, "schema": generate.Within(g.Session())} {
		b.Run(name, func(b *testing.B) {
			tokens := 0
			for b.Loop() {
				o := generate.Options{MaxTokens: 64, Constraint: c, StopIDs: []int32{8191}, Sample: sample.Options{Temperature: 1, TopK: 40, Seed: 7}}
				got, err := e.GenerateN(context.Background(), ids(16), o, 32, nil)
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
