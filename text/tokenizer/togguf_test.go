package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// TestToGGUF writes vocabularies as GGUF and reads them back: the same ids.
func TestToGGUF(t *testing.T) {
	if testing.Short() {
		t.Skip("large vocabularies")
	}
	load := func(path ...string) func(testing.TB) *Tokenizer {
		return func(t testing.TB) *Tokenizer {
			tok, err := Load(golden.Data(t, path...))
			if err != nil {
				t.Fatal(err)
			}
			return tok
		}
	}
	for name, make := range map[string]func(testing.TB) *Tokenizer{
		"stories":        load("models", "stories260K", "hf"),
		"gpt-2":          loadGGUF("gpt-2"),
		"deepseek-coder": loadGGUF("deepseek-coder"),
		"llama-spm":      loadGGUF("llama-spm"),
		"phi-3":          loadGGUF("phi-3"),
	} {
		t.Run(name, func(t *testing.T) {
			tok := make(t)
			md, err := tok.GGUF(tok.VocabSize() + 3)
			if err != nil {
				t.Fatal(err)
			}
			back, err := FromGGUF(md)
			if err != nil {
				t.Fatal(err)
			}
			texts := []string{"", "Once upon a time", "  two  spaces\n\n\ttabs", "größe 日本語 🙂 12345", "<s>don't</s>", "x = a[1] + 'b'  # c\r\n"}
			if in, err := os.ReadFile(filepath.Join(golden.Data(t, "tokenizers", "gguf"), "ggml-vocab-gpt-2.gguf.inp")); err == nil {
				texts = append(texts, strings.Split(string(in), "\n__ggml_vocab_test__\n")...)
			}
			for _, text := range texts {
				if got, want := back.Encode(text), tok.Encode(text); !slices.Equal(got, want) {
					t.Errorf("%q: got %v, want %v", text, got, want)
				}
				if got, want := back.EncodeSpecial(text), tok.EncodeSpecial(text); !slices.Equal(got, want) {
					t.Errorf("%q with special tokens: got %v, want %v", text, got, want)
				}
			}
			if a, _ := back.Frame(); !slices.Equal(a, first(tok.Frame())) {
				t.Errorf("frame %v, want %v", a, first(tok.Frame()))
			}
		})
	}
	if _, err := loadGGUF("bert-bge")(t).GGUF(1 << 20); err == nil || !strings.Contains(err.Error(), "WordPiece") {
		t.Errorf("WordPiece: got %v", err)
	}
}

func first(a, _ []int32) []int32 { return a }
