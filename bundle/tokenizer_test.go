package bundle_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/golden"
)

// unpack writes a file of the shared data, unpacked, to dir and returns its path.
func unpack(t testing.TB, dir, name string, elem ...string) string {
	t.Helper()
	packed, err := os.ReadFile(golden.Data(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOpenTokenizerGGUF compares the ids of each vocabulary file with those that
// transformers gives (llama.cpp, models/ggml-vocab-*.gguf.inp and .out).
func TestOpenTokenizerGGUF(t *testing.T) {
	for _, name := range []string{"bert-bge", "deepseek-coder", "gpt-2", "llama-spm", "phi-3"} {
		file := "ggml-vocab-" + name + ".gguf"
		path := unpack(t, t.TempDir(), file, "tokenizers", "gguf", file+".gz")
		tok, err := bundle.OpenTokenizer(path)
		if err != nil {
			t.Fatal(err)
		}
		read := func(suffix string) string {
			data, err := os.ReadFile(golden.Data(t, "tokenizers", "gguf", file+suffix))
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		const separator = "\n__ggml_vocab_test__\n"
		texts := strings.Split(strings.TrimSuffix(read(".inp"), separator), separator)
		lines := strings.Split(strings.TrimSuffix(read(".out"), "\n"), "\n")
		if len(texts) < 30 || len(texts) != len(lines) {
			t.Fatalf("%s: %d texts, %d lines of ids", name, len(texts), len(lines))
		}
		for i, text := range texts {
			var got []string
			for _, id := range tok.Encode(text) {
				got = append(got, strconv.Itoa(int(id)))
			}
			if !slices.Equal(got, strings.Fields(lines[i])) {
				t.Errorf("%s: Encode(%.100q) = %v, want %s", name, text, got, lines[i])
			}
		}
		inDir, err := bundle.OpenTokenizer(filepath.Dir(path))
		if err != nil || inDir.VocabSize() != tok.VocabSize() {
			t.Errorf("%s: the directory gives %v, %v", name, inDir, err)
		}
	}
}

func TestOpenTokenizerErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct{ path, want string }{
		{filepath.Join(dir, "none"), "none"},
		{t.TempDir(), "tokenizer.json"},
		{write("short.gguf", "GGUF\x03"), "short.gguf"},
		{write("x.json", "GG"), "x.json"},
		{write("empty", ""), "empty"},
	} {
		if _, err := bundle.OpenTokenizer(test.path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error = %v, want one that names %q", test.path, err, test.want)
		}
	}
}
