package tokenizer

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ggufMetadata reads the keys and values of a GGUF file, version 2 or 3, of the
// types that vocabularies have.
func ggufMetadata(t testing.TB, file []byte) map[string]any {
	t.Helper()
	r := bytes.NewReader(file)
	read := func(to any) {
		if err := binary.Read(r, binary.LittleEndian, to); err != nil {
			t.Fatal(err)
		}
	}
	text := func() string {
		var n uint64
		read(&n)
		s := make([]byte, n)
		read(s)
		return string(s)
	}
	array := func() any {
		var kind uint32
		var n uint64
		read(&kind)
		read(&n)
		switch kind {
		case 5:
			v := make([]int32, n)
			read(v)
			return v
		case 6:
			v := make([]float32, n)
			read(v)
			return v
		case 8:
			v := make([]string, n)
			for i := range v {
				v[i] = text()
			}
			return v
		}
		t.Fatalf("array of type %d", kind)
		return nil
	}
	var head struct {
		Magic, Version uint32
		Tensors, Keys  uint64
	}
	read(&head)
	kv := map[string]any{}
	for range head.Keys {
		key := text()
		var kind uint32
		read(&kind)
		switch kind {
		case 4:
			var v uint32
			read(&v)
			kv[key] = v
		case 6:
			var v float32
			read(&v)
			kv[key] = v
		case 7:
			var v bool
			read(&v)
			kv[key] = v
		case 8:
			kv[key] = text()
		case 9:
			kv[key] = array()
		default:
			t.Fatalf("%s has type %d", key, kind)
		}
	}
	return kv
}

func loadGGUF(name string) func(testing.TB) *Tokenizer {
	return func(t testing.TB) *Tokenizer {
		return must(t)(FromGGUF(ggufMetadata(t, data(t, "gguf", "ggml-vocab-"+name+".gguf.gz"))))
	}
}

// ggufVectors reads the texts and ids of llama.cpp's vocabulary tests.
func ggufVectors(t testing.TB, files string) (texts []string, want [][]int32) {
	t.Helper()
	const separator = "\n__ggml_vocab_test__\n"
	texts = strings.Split(strings.TrimSuffix(string(data(t, files+".inp")), separator), separator)
	for line := range strings.Lines(string(data(t, files+".out"))) {
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
	return texts, want
}

// TestGGUFVectors encodes llama.cpp's test texts with the vocabularies of its
// GGUF files, and with what is saved of them.
func TestGGUFVectors(t *testing.T) {
	for _, test := range []struct {
		name, before, after string // special tokens around a text
	}{
		{"bert-bge", "[CLS]", "[SEP]"}, {"deepseek-coder", "<｜begin▁of▁sentence｜>", ""}, {"gpt-2", "", ""}, {"llama-spm", "<s>", ""}, {"phi-3", "<s>", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			tok := loadGGUF(test.name)(t)
			loaded := again(t, tok)
			texts, want := ggufVectors(t, "gguf/ggml-vocab-"+test.name+".gguf")
			if len(texts) < 30 || len(texts) != len(want) {
				t.Fatalf("%d texts and %d expectations", len(texts), len(want))
			}
			for i, text := range texts {
				for round, tok := range []*Tokenizer{tok, tok, loaded} {
					if got := tok.Encode(text); !slices.Equal(got, want[i]) {
						t.Errorf("round %d, Encode(%.200q) = %v, want %v", round, text, got, want[i])
					}
					if got := tok.Decode(want[i]); got != text && test.name != "bert-bge" {
						t.Errorf("round %d, Decode = %.200q, want %.200q", round, got, text)
					}
				}
			}
			for round, tok := range []*Tokenizer{tok, loaded} {
				before, after := tok.Frame()
				if got := tok.DecodeSpecial(before) + "|" + tok.DecodeSpecial(after); got != test.before+"|"+test.after {
					t.Errorf("round %d: frame %q, want %q and %q", round, got, test.before, test.after)
				}
			}
		})
	}
}
