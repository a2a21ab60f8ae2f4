package grammar

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

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
