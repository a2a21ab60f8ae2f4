package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dirOf writes files to a new directory.
func dirOf(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestLoadDir finds the vocabulary that a directory has, and what the
// configuration beside a tokenizer.model says.
func TestLoadDir(t *testing.T) {
	pieces := []testPiece{{"<unk>", 0, pieceUnknown}, {"<s>", 0, pieceControl}, {"</s>", 0, pieceControl}, {metaspace, -1, pieceNormal}, {"a", -2, pieceNormal}}
	model := string(pieceModel(pieces, isBPE, keepsAll))
	for _, test := range []struct {
		config        string
		before, after []int32
	}{
		{"", nil, nil},
		{`{"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"}`, []int32{1}, nil},
		{`{"tokenizer_class": "LlamaTokenizer", "add_bos_token": false, "add_eos_token": true, "bos_token": "<s>", "eos_token": {"content": "</s>"}}`, nil, []int32{2}},
		{`{"tokenizer_class": "T5Tokenizer", "bos_token": "<s>"}`, nil, nil},
	} {
		files := map[string]string{"tokenizer.model": model}
		if test.config != "" {
			files["tokenizer_config.json"] = test.config
		}
		tok := must(t)(Load(dirOf(t, files)))
		if got := tok.Encode("aa"); !slices.Equal(got, []int32{3, 4, 4}) {
			t.Errorf("Encode = %v", got)
		}
		if before, after := tok.Frame(); !slices.Equal(before, test.before) || !slices.Equal(after, test.after) {
			t.Errorf("%s: Frame = %v, %v, want %v, %v", test.config, before, after, test.before, test.after)
		}
	}
	if _, err := Load(dirOf(t, map[string]string{"tokenizer.model": model, "tokenizer_config.json": "{"})); err == nil || !strings.Contains(err.Error(), "tokenizer_config.json") {
		t.Errorf("broken configuration: error = %v", err)
	}
	if tok := must(t)(Load(dirOf(t, map[string]string{"rwkv_vocab_v1.txt": "1 'a' 1\n"}))); tok.VocabSize() != 2 {
		t.Errorf("RWKV: %d tokens, want 2", tok.VocabSize())
	}
	if _, err := Load(dirOf(t, map[string]string{"x.tiktoken": "YQ== 0\n"})); err == nil || !strings.Contains(err.Error(), "x.tiktoken") {
		t.Errorf("ranks: error = %v", err)
	}
	if _, err := Load(file(t, []byte("GGUF\x03\x00"))); err == nil || !strings.Contains(err.Error(), "FromGGUF") {
		t.Errorf("GGUF: error = %v", err)
	}
	if _, err := Load(dirOf(t, nil)); err == nil || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("empty directory: error = %v", err)
	}
	if tok := must(t)(Load(file(t, []byte(model)))); tok.VocabSize() != len(pieces) { // by its first bytes
		t.Errorf("model without a name: %d tokens, want %d", tok.VocabSize(), len(pieces))
	}
}

// TestRanksByName loads OpenAI's files by path alone.
func TestRanksByName(t *testing.T) {
	if testing.Short() {
		t.Skip("large vocabularies")
	}
	dir := t.TempDir()
	for name, pattern := range map[string]string{"r50k_base.tiktoken": "gpt2", "cl100k_base.tiktoken": "gpt4"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data(t, "tiktoken", name+".gz"), 0o644); err != nil {
			t.Fatal(err)
		}
		text := "It's 12345 IT'S\n\n  x"
		if got, want := must(t)(Load(path)).Encode(text), loadRanks(t, name+".gz", pattern).Encode(text); !slices.Equal(got, want) {
			t.Errorf("%s: Encode = %v, want %v", name, got, want)
		}
	}
}

// TestUnigramFile reads the forms of unigram files: T5's, and one whose
// white space is split off first, as XLM-R has it.
func TestUnigramFile(t *testing.T) {
	vocab := []any{[]any{"<unk>", 0}, []any{"a", -2}, []any{"b", -2}, []any{"c", -2}, []any{"d", -2}, []any{"cd", -1}, []any{"ab", -1.5}, []any{"abc", -1.2}, []any{"abcd", -1}, []any{metaspace, -3}, []any{metaspace + "ab", -1}}
	meta := object{"type": "Metaspace", "replacement": metaspace, "add_prefix_space": true}
	make := func(pre any, more object) *Tokenizer {
		f := object{"model": object{"type": "Unigram", "unk_id": 0, "vocab": vocab}, "pre_tokenizer": pre, "decoder": meta}
		for k, v := range more {
			f[k] = v
		}
		return again(t, must(t)(parse(marshal(f))))
	}
	for _, test := range []struct {
		name string
		tok  *Tokenizer
		text string
		want []int32
		back string
	}{
		{"example", make(nil, object{"decoder": nil}), "abcdacdxx", []int32{8, 1, 5, 0}, "abcdacd<unk>"},
		{"metaspace", make(meta, nil), "ab  abcd", []int32{10, 9, 10, 5}, "ab  abcd"},
		{"white space goes", make(sequence(object{"type": "WhitespaceSplit"}, meta), nil), " ab \n\tabcd ", []int32{10, 10, 5}, "ab abcd"},
		{"first only", make(object{"type": "Metaspace", "replacement": metaspace, "prepend_scheme": "first"},
			object{"added_tokens": []any{object{"id": 11, "content": "<m>", "special": false}}}), "ab<m>ab", []int32{10, 11, 6}, "ab<m>ab"},
		{"never", make(object{"type": "Metaspace", "replacement": metaspace, "prepend_scheme": "never"}, nil), "ab ab", []int32{6, 10}, "ab ab"},
		{"replace", make(meta, object{"normalizer": object{"type": "Sequence", "normalizers": []any{
			object{"type": "Strip", "strip_left": true, "strip_right": true}, object{"type": "Lowercase"},
			object{"type": "Replace", "pattern": object{"Regex": " {2,}"}, "content": " "}}}}), "  AB   ab ", []int32{10, 10}, "ab ab"},
	} {
		got := test.tok.Encode(test.text)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: Encode(%q) = %v, want %v", test.name, test.text, got, test.want)
		}
		if back := test.tok.Decode(got); back != test.back {
			t.Errorf("%s: Decode = %q, want %q", test.name, back, test.back)
		}
	}
}

// TestLateTokens looks for added tokens in normalised text where the file says
// so.
func TestLateTokens(t *testing.T) {
	tok := must(t)(parse(edited(t, func(f, _ object) {
		f["normalizer"] = object{"type": "Lowercase"}
		f["added_tokens"] = append(f["added_tokens"].([]any), object{"id": 1000, "content": "YES", "normalized": true}, object{"id": 1001, "content": "NO", "normalized": false})
	})))
	for text, want := range map[string]int32{"yes": 1000, "Yes": 1000, "NO": 1001} {
		if got := tok.Encode(text); !slices.Equal(got, []int32{want}) {
			t.Errorf("Encode(%q) = %v, want [%d]", text, got, want)
		}
	}
	if got := tok.Encode("no"); slices.Contains(got, 1001) {
		t.Errorf("Encode(no) = %v finds a token of upper case", got)
	}
}
