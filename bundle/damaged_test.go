package bundle_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/checkpoint"
)

// TestDamagedGGUF changes the metadata of a good file: each error names the file
// and the key.
func TestDamagedGGUF(t *testing.T) {
	b := backend(t, "")
	z := save(t, b, "llama")
	good := filepath.Join(t.TempDir(), "good.gguf")
	if err := bundle.Convert(z.Dir, good, bundle.ConvertOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(good)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var ts []checkpoint.GGUFSource
	for _, name := range f.Names() {
		x, _ := f.Tensor(name)
		ts = append(ts, checkpoint.GGUFSource{Source: checkpoint.Source{Name: name, Shape: x.Shape, Read: x.Float32s}, DType: x.DType})
	}
	for _, c := range []struct {
		key   string
		value any // nil: the key is missing
		want  string
	}{
		{"general.architecture", nil, `"general.architecture" is missing`},
		{"general.architecture", "mamba", `"mamba", which is not supported: gemma2`},
		{"llama.block_count", nil, `"llama.block_count" is missing`},
		{"llama.block_count", "two", `"llama.block_count" is two (string)`},
		{"llama.block_count", uint32(3), "blk"},
		{"llama.block_count", uint32(1), "no such parameter"},
		{"llama.block_count", uint32(1 << 31), "whole number"},
		{"llama.block_count", uint32(1 << 30), "num_hidden_layers"},
		{"llama.attention.head_count", uint32(0), "head_count"},
		{"llama.attention.head_count", []uint32{2, 4}, "differs by layer"},
		{"llama.attention.head_count_kv", uint32(7), "num_key_value_heads"},
		{"llama.attention.value_length", uint32(4), "value_length"},
		{"llama.embedding_length", uint32(32), "has shape"},
		{"llama.rope.scaling.type", "spiral", `"spiral"`},
		{"llama.attention.layer_norm_rms_epsilon", "small", "layer_norm_rms_epsilon"},
	} {
		md := maps.Clone(f.GGUF())
		delete(md, c.key)
		if c.value != nil {
			md[c.key] = c.value
		}
		path := filepath.Join(t.TempDir(), "bad.gguf")
		if err := checkpoint.SaveGGUF(path, md, ts, nil); err != nil {
			t.Fatal(err)
		}
		_, err := bundle.Open(b, path)
		if err == nil || c.want != "blk" && !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s = %v: got error %v, want one that says %s", c.key, c.value, err, c.want)
		}
	}
	md := maps.Clone(f.GGUF())
	md["tokenizer.ggml.tokens"] = []string{"a"}
	path := filepath.Join(t.TempDir(), "words.gguf")
	if err := checkpoint.SaveGGUF(path, md, ts, nil); err != nil {
		t.Fatal(err)
	}
	if z, err := bundle.Open(b, path); err != nil || z.Tokenizer != nil || z.NoTokens == nil {
		t.Errorf("a damaged vocabulary: %v", err)
	}
}
