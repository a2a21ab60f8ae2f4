package grammar

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/schema"
	"github.com/foundling-lm/foundling/generate/grammar/shape"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// llama32 is the vocabulary of Llama 3.2: 128,000 tokens and an end.
func llama32(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	dir := t.TempDir()
	for packed, plain := range map[string]string{"encoder.json.gz": "vocab.json", "vocab.bpe.gz": "merges.txt"} {
		f, err := os.Open(golden.Data(t, "tokenizers", "llama3.2", packed))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, plain), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tok, err := tokenizer.LoadMerges(filepath.Join(dir, "vocab.json"), filepath.Join(dir, "merges.txt"), tokenizer.FileOptions{
		Pattern: "gpt4", IgnoreMerges: true, Special: map[string]int32{"<|end_of_text|>": 128001},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func largeVocabulary(t testing.TB) *Vocabulary {
	tokens, special := llama32(t).Tokens()
	v, err := NewVocabulary(tokens, special, []int32{128001})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// BenchmarkMask is a mask that nobody asked for before, in a string, and one that is
// known.
func BenchmarkMask(b *testing.B) {
	v := largeVocabulary(b)
	for _, c := range []struct {
		name      string
		long      int
		uniform   bool
		remaining int
		cold      bool
	}{
		{"uniform", -1, true, 0, true},
		{"uniform/budget", -1, true, 500, true},
		{"uniform/tight", -1, true, 3, true},
		{"counted", 100, true, 0, true},
		{"counted/budget", 100, true, 500, true},
		{"counted-5", 5, true, 0, true},
		{"free", -1, false, 0, true},
		{"free/budget", -1, false, 500, true},
		{"known", -1, true, 500, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			g := newGrammar(b, v, newList(c.long, 3, c.uniform), Options{})
			s := g.Session()
			for _, id := range []int32{'[' - '!', '"' - '!'} { // the order of GPT-2's bytes
				if err := s.Accept(id); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if c.cold {
					clear(g.sets.young)
				}
				if _, err := s.Mask(c.remaining); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewVocabulary(b *testing.B) {
	tokens, special := llama32(b).Tokens()
	for b.Loop() {
		if _, err := NewVocabulary(tokens, special, []int32{128001}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSchemas is one token of the instances of MaskBench, every twentieth schema,
// from a cold cache: reading it and finding what may follow.
func BenchmarkSchemas(b *testing.B) {
	tok := llama32(b)
	v := largeVocabulary(b)
	type text struct {
		start func() machine.State
		ids   []int32
	}
	var texts []text
	for i, s := range maskBench(b) {
		if i%20 != 0 {
			continue
		}
		compiled, err := schema.Compile(s.Schema, schema.Options{})
		if err != nil {
			continue
		}
		for _, t := range s.Tests {
			if t.Valid {
				texts = append(texts, text{func() machine.State {
					start, err := compiled.Value().Machine(shape.Format{})
					if err != nil {
						return nil
					}
					return start
				}, tok.Encode(string(t.Data))})
				break
			}
		}
	}
	n := 0
	for b.Loop() {
		t := texts[n%len(texts)]
		n++
		b.StopTimer()
		start := t.start()
		if start == nil {
			continue
		}
		g, err := New(v, start, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		s := g.Session()
		for i, id := range t.ids {
			if _, err := s.Mask(4096 + len(t.ids) - i); err != nil {
				b.Fatal(err)
			}
			if s.Accept(id) != nil {
				break
			}
		}
	}
}

// schemaCase is a line of MaskBench.
type schemaCase struct {
	Name   string
	Schema json.RawMessage
	Tests  []struct {
		Valid bool
		Data  json.RawMessage
	}
}

// maskBench reads the schemas of MaskBench.
func maskBench(t testing.TB) (list []schemaCase) {
	t.Helper()
	f, err := os.Open(golden.Data(t, "structured", "jsonschemabench_maskbench.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(r); ; {
		var s schemaCase
		if err := d.Decode(&s); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
}
