package zoo_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/gguf"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/ref"
)

// smallGGUF is a file of a tiny model of the family.
func smallGGUF(f *testing.F, modelType string) []byte {
	f.Helper()
	b, layers := ref.New(), 1
	if modelType == "gemma3_text" {
		layers = 6 // of which one attends to all
	}
	m, err := zoo.FromShape(b, zoo.Shape{Family: modelType, Layers: layers, Width: 8, Heads: 2, Vocab: 5, Context: 5, BOS: 1, EOS: 1, Pad: -1})
	if err != nil {
		f.Fatal(err)
	}
	family, err := zoo.GGUF(m.Family())
	if err != nil {
		f.Fatal(err)
	}
	md, values, err := family.Export(m.Config())
	if err != nil {
		f.Fatal(err)
	}
	ts, err := family.Sources(values, model.Sources(b, m.Params()))
	if err != nil {
		f.Fatal(err)
	}
	typed, err := gguf.Quantize("f16", md, ts)
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "m.gguf")
	if err := checkpoint.SaveGGUF(path, md, typed, nil); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return data
}

// FuzzFromGGUF gives any bytes as a GGUF file: an error, or a model whose
// configuration can be written and whose tensors have the shapes that it asks for
// or are refused; never a panic.
func FuzzFromGGUF(f *testing.F) {
	for _, modelType := range zoo.Families() {
		f.Add(smallGGUF(f, modelType))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := checkpoint.Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		m, weights, err := zoo.FromGGUF(nil, file)
		if err != nil {
			return
		}
		if _, err := json.Marshal(m.Config()); err != nil {
			t.Fatal(err)
		}
		for _, name := range weights.Names() {
			if x, ok := weights.Tensor(name); ok && x.Len() < 1<<20 && x.Convertible() {
				if err := x.Float32s(make([]float32, x.Len())); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	})
}
