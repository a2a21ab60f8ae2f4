package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// data reads a file of the shared test data, unpacked if its name ends in .gz.
func data(t testing.TB, elem ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(golden.Data(t, append([]string{"tokenizers"}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(elem[len(elem)-1], ".gz") {
		return raw
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// file puts the data in a file, as the readers want it.
func file(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// must returns a function that fails the test on an error.
func must(t testing.TB) func(*Tokenizer, error) *Tokenizer {
	return func(tok *Tokenizer, err error) *Tokenizer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
}

func loadHFGPT2(t testing.TB) *Tokenizer {
	return must(t)(Load(file(t, data(t, "hf", "gpt2", "tokenizer.json.gz"))))
}

func loadRanks(t testing.TB, name, pattern string) *Tokenizer {
	return must(t)(LoadTiktoken(file(t, data(t, "tiktoken", name)), FileOptions{Pattern: pattern}))
}

func loadLlama3(t testing.TB) *Tokenizer {
	return must(t)(LoadMerges(file(t, data(t, "llama3.2", "encoder.json.gz")), file(t, data(t, "llama3.2", "vocab.bpe.gz")),
		FileOptions{Pattern: "gpt4", IgnoreMerges: true}))
}

// again saves a tokenizer and loads the file.
func again(t testing.TB, tok *Tokenizer) *Tokenizer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	if err := tok.Save(path); err != nil {
		t.Fatal(err)
	}
	return must(t)(Load(path))
}

// checkIDs encodes each text with a fresh and with a saved and loaded tokenizer.
func checkIDs(t *testing.T, tok *Tokenizer, texts []string, want [][]int32, encode func(*Tokenizer, string) []int32) {
	t.Helper()
	if len(texts) < 30 || len(texts) != len(want) {
		t.Fatalf("%d texts and %d expectations", len(texts), len(want))
	}
	loaded := again(t, tok)
	for i, text := range texts {
		for round, tok := range []*Tokenizer{tok, tok, loaded} {
			if got := encode(tok, text); !slices.Equal(got, want[i]) {
				t.Errorf("round %d, Encode(%.200q) = %v, want %v", round, text, got, want[i])
			}
		}
		if got := tok.DecodeSpecial(want[i]); got != text {
			t.Errorf("DecodeSpecial = %.200q, want %.200q", got, text)
		}
	}
}

func TestReferenceIDs(t *testing.T) {
	if testing.Short() {
		t.Skip("large vocabularies")
	}
	tests := []struct {
		name, ids string
		load      func(testing.TB) *Tokenizer
		encode    func(*Tokenizer, string) []int32 // whether the oracle parsed special tokens
	}{
		{"hf gpt2", "hf/gpt2/reference_ids.json.gz", loadHFGPT2, (*Tokenizer).EncodeSpecial},
		{"r50k", "tiktoken/r50k_base.reference_ids.json.gz", func(t testing.TB) *Tokenizer { return loadRanks(t, "r50k_base.tiktoken.gz", "gpt2") }, (*Tokenizer).Encode},
		{"cl100k", "tiktoken/cl100k_base.reference_ids.json.gz", func(t testing.TB) *Tokenizer { return loadRanks(t, "cl100k_base.tiktoken.gz", "gpt4") }, (*Tokenizer).Encode},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var file struct {
				Cases []struct {
					Text string  `json:"text"`
					IDs  []int32 `json:"ids"`
				} `json:"cases"`
			}
			if err := json.Unmarshal(data(t, test.ids), &file); err != nil {
				t.Fatal(err)
			}
			var texts []string
			var want [][]int32
			for _, c := range file.Cases {
				texts, want = append(texts, c.Text), append(want, c.IDs)
			}
			checkIDs(t, test.load(t), texts, want, test.encode)
		})
	}
}

// TestLlamaCppVectors compares with the ids that transformers gives for the
// texts of llama.cpp's vocabulary tests.
func TestLlamaCppVectors(t *testing.T) {
	if testing.Short() {
		t.Skip("large vocabularies")
	}
	tests := []struct {
		name, files string
		load        func(testing.TB) *Tokenizer
	}{
		{"gpt2", "gguf/ggml-vocab-gpt-2.gguf", loadHFGPT2},
		{"llama3", "llama3.2/ggml-vocab-llama-bpe", loadLlama3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			texts, want := ggufVectors(t, test.files)
			checkIDs(t, test.load(t), texts, want, (*Tokenizer).Encode)
		})
	}
}

// TestSourceFileIDs decodes a 24 KB source file and encodes it again.
func TestSourceFileIDs(t *testing.T) {
	for name, load := range map[string]func(testing.TB) *Tokenizer{
		"tokens_gpt2.json":          loadHFGPT2,
		"tokens_gpt_3.5_turbo.json": func(t testing.TB) *Tokenizer { return loadRanks(t, "cl100k_base.tiktoken.gz", "gpt4") },
	} {
		var want []int32
		if err := json.Unmarshal(data(t, "tiktoken", name), &want); err != nil {
			t.Fatal(err)
		}
		tok := load(t)
		if got := tok.Encode(tok.Decode(want)); !slices.Equal(got, want) {
			t.Errorf("%s: got %d ids, want %d, not equal", name, len(got), len(want))
		}
	}
}

// TestReferenceMerges trains on the corpus of Stanford's CS336 and expects the
// merges of its reference trainer.
func TestReferenceMerges(t *testing.T) {
	corpus := string(data(t, "bpe_training", "corpus.en"))
	want := strings.Fields(string(data(t, "bpe_training", "train-bpe-reference-merges.txt")))
	for threads := 1; threads <= 3; threads++ {
		tok := must(t)(Train(t.Context(), slices.Values([]string{corpus}),
			TrainOptions{VocabSize: 500, Pattern: "gpt2", Special: []string{"<|endoftext|>"}, Threads: threads}))
		var got []string
		for _, r := range tok.rules {
			got = append(got, spell(tok.tokens[r.a]), spell(tok.tokens[r.b]))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d threads: merges differ\ngot:  %v\nwant: %v", threads, got, want)
		}
	}
	var vocab map[string]int32
	if err := json.Unmarshal(data(t, "bpe_training", "train-bpe-reference-vocab.json"), &vocab); err != nil {
		t.Fatal(err)
	}
	tok := must(t)(Train(t.Context(), slices.Values([]string{corpus}), TrainOptions{VocabSize: 500, Pattern: "gpt2", Special: []string{"<|endoftext|>"}}))
	if got, want := tok.VocabSize(), len(vocab); got != want {
		t.Errorf("VocabSize = %d, want %d", got, want)
	}
	for id, key := range tok.keys() {
		if _, ok := vocab[key]; !ok {
			t.Errorf("token %d, %q, is not in the reference vocabulary", id, key)
		}
	}
}

// reference is a file of texts with the ids that another program gives.
type reference struct {
	Cases []struct {
		Text    string  `json:"text"`
		IDs     []int32 `json:"ids"`
		Framed  []int32 `json:"ids_with_special"`
		Decoded *string `json:"decoded"`
		Skipped *string `json:"decoded_skip_special"`
	} `json:"cases"`
}

func loadHF(name string) func(testing.TB) *Tokenizer {
	return func(t testing.TB) *Tokenizer {
		return must(t)(Load(file(t, data(t, "hf", name, "tokenizer.json.gz"))))
	}
}

func loadPieces(name string) func(testing.TB) *Tokenizer {
	return func(t testing.TB) *Tokenizer { return must(t)(Load(file(t, data(t, "spm", name)))) }
}

// TestReferencePieces compares ids and texts of SentencePiece and WordPiece
// models, loaded and, where it can be saved, saved and loaded again.
func TestReferencePieces(t *testing.T) {
	if testing.Short() {
		t.Skip("large vocabularies")
	}
	for _, test := range []struct {
		name, ids string
		load      func(testing.TB) *Tokenizer
		encode    func(*Tokenizer, string) []int32
		saves     bool
	}{
		{"hf llama", "hf/llama/reference_ids.json.gz", loadHF("llama"), (*Tokenizer).EncodeSpecial, true},
		{"hf bert", "hf/bert-base-uncased/reference_ids.json.gz", loadHF("bert-base-uncased"), (*Tokenizer).EncodeSpecial, true},
		{"llama2", "spm/llama2.reference_ids.json.gz", loadPieces("llama2.model.gz"), (*Tokenizer).Encode, true},
		{"mistral", "spm/mistral_v3.reference_ids.json.gz", loadPieces("mistral_v3.model.gz"), (*Tokenizer).Encode, false},
		{"unigram", "spm/test_model_unigram.reference_ids.json.gz", loadPieces("test_model_unigram.model"), (*Tokenizer).Encode, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var file reference
			if err := json.Unmarshal(data(t, test.ids), &file); err != nil {
				t.Fatal(err)
			}
			tok := test.load(t)
			all := []*Tokenizer{tok, tok}
			if test.saves {
				all = append(all, again(t, tok))
			} else if _, err := tok.MarshalJSON(); err == nil || !strings.Contains(err.Error(), "keep the original file") {
				t.Errorf("MarshalJSON error = %v", err)
			}
			if len(file.Cases) < 30 {
				t.Fatalf("%d cases", len(file.Cases))
			}
			for _, c := range file.Cases {
				for round, tok := range all {
					if got := test.encode(tok, c.Text); !slices.Equal(got, c.IDs) {
						t.Errorf("round %d, Encode(%.200q) = %v, want %v", round, c.Text, got, c.IDs)
					}
					want := c.Skipped
					if want == nil {
						want = c.Decoded
					}
					if got := tok.Decode(c.IDs); got != *want {
						t.Errorf("round %d, Decode = %.200q, want %.200q", round, got, *want)
					}
					if before, after := tok.Frame(); c.Framed != nil && !slices.Equal(slices.Concat(before, c.IDs, after), c.Framed) {
						t.Errorf("Frame = %v, %v, want %v around %v", before, after, c.Framed, c.IDs)
					}
				}
			}
		})
	}
}
