package tokenizer

import (
	"bytes"
	"encoding/binary"
	"fmt"
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
	if testing.Short() {
		t.Skip("large vocabularies")
	}
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

// TestBadGGUF expects errors that name the key.
func TestBadGGUF(t *testing.T) {
	good := func(model string) map[string]any {
		return map[string]any{ggufPrefix + "model": model, ggufPrefix + "tokens": []string{"<unk>", "a", "b"}}
	}
	for _, test := range []struct {
		name, want string
		change     func(kv map[string]any)
	}{
		{"no model", "no tokenizer.ggml.model", func(kv map[string]any) { delete(kv, ggufPrefix+"model") }},
		{"model of another type", "tokenizer.ggml.model is a uint32", func(kv map[string]any) { kv[ggufPrefix+"model"] = uint32(1) }},
		{"unknown model", `is "plamo2"`, func(kv map[string]any) { kv[ggufPrefix+"model"] = "plamo2" }},
		{"no tokens", "tokens is missing", func(kv map[string]any) { delete(kv, ggufPrefix+"tokens") }},
		{"tokens of another type", "tokens is a []int32", func(kv map[string]any) { kv[ggufPrefix+"tokens"] = []int32{1} }},
		{"few types", "token_type has 1 entries", func(kv map[string]any) { kv[ggufPrefix+"token_type"] = []int32{1} }},
		{"few scores", "scores has 1 entries", func(kv map[string]any) { kv[ggufPrefix+"scores"] = []float32{1} }},
		{"token twice", `ids 1 and 2 are both "a"`, func(kv map[string]any) { kv[ggufPrefix+"tokens"] = []string{"x", "a", "a"} }},
		{"unknown pre", `tokenizer.ggml.pre is "gpt9": known are`, func(kv map[string]any) { kv[ggufPrefix+"model"], kv[ggufPrefix+"pre"] = "gpt2", "gpt9" }},
		{"no bytes", "256 byte tokens", func(kv map[string]any) { kv[ggufPrefix+"model"] = "gpt2" }},
		{"merge without space", "merges[0]", func(kv map[string]any) {
			kv[ggufPrefix+"model"], kv[ggufPrefix+"merges"] = "gpt2", []string{"ab"}
		}},
		{"charsmap", "precompiled_charsmap", func(kv map[string]any) {
			kv[ggufPrefix+"model"], kv[ggufPrefix+"precompiled_charsmap"] = "t5", []int8{1, 2, 3}
		}},
		{"no unknown token", "unknown_token_id", func(kv map[string]any) { kv[ggufPrefix+"model"] = "bert" }},
		{"flag of another type", "add_bos_token is a string", func(kv map[string]any) { kv[ggufPrefix+"add_bos_token"] = "yes" }},
	} {
		kv := good("llama")
		test.change(kv)
		if _, err := FromGGUF(kv); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error = %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := FromGGUF(good("llama")); err != nil {
		t.Errorf("the unchanged metadata: %v", err)
	}
}

// TestGGUFKinds makes small vocabularies of the kinds that the shared files
// lack.
func TestGGUFKinds(t *testing.T) {
	kv := map[string]any{
		ggufPrefix + "model":            "t5",
		ggufPrefix + "tokens":           []string{"<pad>", "</s>", "<unk>", "\u2581", "a", "b", "ab", "\u2581ab", "<x>"},
		ggufPrefix + "scores":           []float32{0, 0, 0, -2, -3, -3, -4, -4.5, 0},
		ggufPrefix + "token_type":       []int32{3, 3, 2, 1, 1, 1, 1, 1, 4},
		ggufPrefix + "add_space_prefix": true, ggufPrefix + "remove_extra_whitespaces": true,
		ggufPrefix + "eos_token_id": uint32(1),
	}
	tok := must(t)(FromGGUF(kv))
	if got, want := tok.Encode(" ab  aabcc<x>"), []int32{7, 3, 4, 6, 2, 8}; !slices.Equal(got, want) {
		t.Errorf("t5: Encode = %v, want %v", got, want)
	}
	if before, after := tok.Frame(); len(before) != 0 || !slices.Equal(after, []int32{1}) {
		t.Errorf("t5: Frame = %v, %v", before, after)
	}
	tokens := []string{"<s>"}
	for b := range 256 {
		tokens = append(tokens, fmt.Sprintf(`\x%02x`, b))
	}
	tokens = append(tokens, `ab`, `a\n`, `\\n`, `\xe4\xb8`)
	kinds := make([]int32, len(tokens))
	for i := range kinds {
		kinds[i] = 1
	}
	kinds[0] = 3
	tok = must(t)(FromGGUF(map[string]any{ggufPrefix + "model": "rwkv", ggufPrefix + "tokens": tokens, ggufPrefix + "token_type": kinds}))
	if got, want := tok.Encode("aba\n\\n\xe4\xb8\xad"), []int32{257, 258, 259, 260, 0xAD + 1}; !slices.Equal(got, want) {
		t.Errorf("rwkv: Encode = %v, want %v", got, want)
	}
	if got, want := tok.Decode(tok.Encode("aba\n\\n中")), "aba\n\\n中"; got != want {
		t.Errorf("rwkv: Decode = %q, want %q", got, want)
	}
}

// TestGGUFNames expects every name of a pre-tokeniser once, with steps.
func TestGGUFNames(t *testing.T) {
	names := ggufNames()
	if len(names) < 60 || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("%d names, some twice: %v", len(names), names)
	}
	for _, name := range names {
		steps, raw, ok := ggufSteps(name)
		if !ok || len(steps) == 0 || len(raw) == 0 {
			t.Errorf("%s: %d steps, %s", name, len(steps), raw)
		}
		read, err := readPreTokenizer(raw)
		if err != nil || !read.byteLevel {
			t.Errorf("%s: saved as %s: %v", name, raw, err)
			continue
		}
		text := "It's 12345 tokens, Über\n\n  中文 x_y!  \t"
		if got, want := stepPieces(read.steps, text), stepPieces(steps, text); !slices.Equal(got, want) {
			t.Errorf("%s: saved and read it cuts into\n%q, want\n%q", name, got, want)
		}
	}
}

func FuzzFromGGUF(f *testing.F) {
	f.Add("llama", "<unk> a b ab \u2581 <0x00>", "a b", []byte{2, 1, 1, 1, 1, 6}, uint32(0))
	f.Add("t5", "<unk> a b ab \u2581", "", []byte{2, 1, 4, 5, 1}, uint32(3))
	f.Add("bert", "[UNK] \u2581a b \u2581ab", "", []byte{3, 1, 1, 1}, uint32(0))
	f.Add("rwkv", `\x00 a \\ \xff`, "", []byte{1, 1, 1, 1}, uint32(9))
	f.Add("gpt2", "a b ab", "a b", []byte{1, 1, 4}, uint32(0))
	f.Fuzz(func(t *testing.T, model, tokens, merges string, kinds []byte, id uint32) {
		kv := map[string]any{
			ggufPrefix + "model": model, ggufPrefix + "tokens": strings.Split(tokens, " "),
			ggufPrefix + "merges":           strings.Split(merges, "\n"),
			ggufPrefix + "unknown_token_id": id, ggufPrefix + "bos_token_id": id,
			ggufPrefix + "precompiled_charsmap": kinds,
		}
		types := make([]int32, len(kinds))
		scores := make([]float32, len(kinds))
		for i, k := range kinds {
			types[i], scores[i] = int32(k), -float32(k>>3)
		}
		kv[ggufPrefix+"token_type"], kv[ggufPrefix+"scores"] = types, scores
		if model == "llama" || id%2 == 0 {
			delete(kv, ggufPrefix+"precompiled_charsmap")
		}
		tok, err := FromGGUF(kv)
		if err != nil {
			return
		}
		for _, s := range append([]string{tokens}, hardTexts[:14]...) {
			tok.Decode(tok.EncodeSpecial(s))
			tok.Encode(s)
		}
		if out, err := tok.MarshalJSON(); err == nil {
			if _, err := parse(out); err != nil {
				t.Errorf("the saved file can't be read: %v", err)
			}
		}
	})
}

// TestGGUFEmptyTokens names many empty tokens, in time linear in their number.
func TestGGUFEmptyTokens(t *testing.T) {
	tokens := make([]string, 200_000)
	tok, err := FromGGUF(map[string]any{"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens})
	if err != nil {
		t.Fatal(err)
	}
	if n := tok.VocabSize(); n != len(tokens) || tokens[0] != "" {
		t.Errorf("%d tokens, the metadata has %q now", n, tokens[0])
	}
}
