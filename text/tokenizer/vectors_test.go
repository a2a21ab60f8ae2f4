package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	tests := []struct {
		name, files string
		load        func(testing.TB) *Tokenizer
	}{
		{"gpt2", "gguf/ggml-vocab-gpt-2.gguf", loadHFGPT2},
		{"llama3", "llama3.2/ggml-vocab-llama-bpe", loadLlama3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const separator = "\n__ggml_vocab_test__\n"
			texts := strings.Split(strings.TrimSuffix(string(data(t, test.files+".inp")), separator), separator)
			var want [][]int32
			for line := range strings.Lines(string(data(t, test.files+".out"))) {
				ids := []int32{}
				for _, f := range strings.Fields(line) {
					id, err := strconv.Atoi(f)
					if err != nil {
						t.Fatal(err)
					}
					ids = append(ids, int32(id))
				}
				want = append(want, ids)
			}
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

func TestRefusesOtherModels(t *testing.T) {
	for name, want := range map[string]string{"llama": "model.byte_fallback", "bert-base-uncased": "model.type"} {
		_, err := Load(file(t, data(t, "hf", name, "tokenizer.json.gz")))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%s) error = %v, want one that names %s", name, err, want)
		}
	}
}
