package tokenizer

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/internal/golden"
)

// goSource returns up to limit bytes of the toolchain's own source, one text a
// file.
func goSource(t testing.TB, limit int) []string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("go env GOROOT: %v", err)
	}
	var files []string
	size := 0
	root := filepath.Join(strings.TrimSpace(string(out)), "src")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		files = append(files, string(text))
		if size += len(text); size >= limit {
			return fs.SkipAll
		}
		return err
	})
	if err != nil || size == 0 {
		t.Skipf("no Go source in %s: %v", root, err)
	}
	return files
}

// prose returns English text.
func prose(t testing.TB) []string {
	t.Helper()
	f, err := os.Open(golden.Data(t, "corpora", "tinyshakespeare.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return []string{string(text)}
}

func BenchmarkEncode(b *testing.B) {
	tokenizers := []struct {
		name string
		load func(testing.TB) *Tokenizer
	}{
		{"gpt2", loadHFGPT2},
		{"cl100k", func(t testing.TB) *Tokenizer { return loadRanks(t, "cl100k_base.tiktoken.gz", "gpt4") }},
		{"spm-llama2", loadPieces("llama2.model.gz")},
		{"spm-unigram1k", loadPieces("test_model_unigram.model")},
		{"unigram8k", trainedUnigram},
		{"hf-llama", loadHF("llama")},
		{"bert", loadHF("bert-base-uncased")},
		{"deepseek-coder", loadGGUF("deepseek-coder")},
		{"rwkv", rwkvVocab},
		{"trained8k", func(t testing.TB) *Tokenizer {
			return must(t)(Train(t.Context(), slices.Values(goSource(t, 8<<20)), TrainOptions{}))
		}},
	}
	texts := []struct {
		name string
		load func(testing.TB) []string
	}{
		{"go", func(t testing.TB) []string { return goSource(t, 16<<20) }},
		{"prose", prose},
		{"run", func(testing.TB) []string { return []string{strings.Repeat("a", 1<<20)} }},
		{"random", func(testing.TB) []string { return []string{string(bytes.Repeat(noise(1<<16), 4))} }},
	}
	for _, tt := range tokenizers {
		b.Run(tt.name, func(b *testing.B) {
			tok := tt.load(b)
			for _, tx := range texts {
				b.Run(tx.name, func(b *testing.B) {
					texts := tx.load(b)
					size := 0
					for _, s := range texts {
						size += len(s)
					}
					ids := make([]int32, 0, size)
					b.SetBytes(int64(size))
					b.ReportAllocs()
					for b.Loop() {
						for _, s := range texts {
							ids = tok.EncodeAppend(ids[:0], s)
						}
					}
				})
			}
		})
	}
}

// noise returns bytes without structure, the same every time.
func noise(n int) []byte {
	out := make([]byte, n)
	x := uint32(1)
	for i := range out {
		x = x*1664525 + 1013904223
		out[i] = byte(x >> 24)
	}
	return out
}

func BenchmarkTrain(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"8MB", 8 << 20}, {"50MB", 50_000_000}} {
		b.Run(size.name, func(b *testing.B) {
			texts := goSource(b, size.bytes)
			total := 0
			for _, s := range texts {
				total += len(s)
			}
			b.SetBytes(int64(total))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Train(b.Context(), slices.Values(texts), TrainOptions{VocabSize: 8192}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// trainedUnigram is a unigram model with the tokens of a BPE vocabulary of Go
// source; the score of a token is the log of its share in the text.
func trainedUnigram(t testing.TB) *Tokenizer {
	texts := goSource(t, 8<<20)
	bpe := must(t)(Train(t.Context(), slices.Values(texts), TrainOptions{}))
	counts := make([]float64, bpe.VocabSize())
	total := 0.0
	for _, text := range texts {
		for _, id := range bpe.Encode(text) {
			counts[id]++
			total++
		}
	}
	pieces := []testPiece{{"<unk>", 0, pieceUnknown}}
	for id, token := range bpe.tokens {
		if utf8.ValidString(token) {
			piece := strings.ReplaceAll(token, " ", metaspace)
			pieces = append(pieces, testPiece{piece, float32(math.Log((counts[id] + 1) / total)), pieceNormal})
		}
	}
	return mustPieces(t, pieces, "", keepsAll)
}
