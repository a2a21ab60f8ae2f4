package main

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// TestPerplexityOfAGGUFFile asks the program for the perplexity that llama.cpp
// counts for the same file and text: 62.442257, from the run that
// eval/testdata/llamacpp_perplexity.cpp describes.
func TestPerplexityOfAGGUFFile(t *testing.T) {
	model := golden.Data(t, "models", "stories260K", "stories260K-f32.gguf")
	f, err := os.Open(golden.Data(t, "corpora", "tinyshakespeare.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 2600)
	if _, err := io.ReadFull(z, text); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Perplexity float64
		Tokens     int
	}
	out := program(t, nil, "eval", "perplexity", "--model", model, "--data", path, "--context", "128", "--llama-cpp", "--json")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Tokens != 756 || math.Abs(got.Perplexity/62.442257-1) > 1e-3 {
		t.Errorf("%s, llama.cpp counts 62.442257 over 756 tokens", out)
	}
	// The story that everyone knows, with guesses and without.
	args := []string{"generate", "--model", model, "--prompt", "Once upon a time", "--temperature", "0", "--max-tokens", "40"}
	plain := program(t, nil, args...)
	if !strings.HasPrefix(plain, ", there was a little girl named Lily.") {
		t.Errorf("the story begins %q", plain)
	}
	for _, s := range []string{"ngram", model} {
		if guessed := program(t, nil, append(args, "--speculate", s)...); guessed != plain {
			t.Errorf("--speculate %s: %q, without %q", s, guessed, plain)
		}
	}
}
