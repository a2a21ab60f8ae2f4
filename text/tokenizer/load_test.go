package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// object is a JSON object of a tokenizer.json under test.
type object = map[string]any

// edited is the golden tokenizer.json after a change.
func edited(t testing.TB, change func(file, model object)) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var f object
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	change(f, f["model"].(object))
	return marshal(f)
}

func split(regex, behavior string, invert bool) object {
	return object{"type": "Split", "pattern": object{"Regex": regex}, "behavior": behavior, "invert": invert}
}

func sequence(steps ...any) object { return object{"type": "Sequence", "pretokenizers": steps} }

var byteLevel = object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}

// TestPreTokenizerForms reads the forms that published files have.
func TestPreTokenizerForms(t *testing.T) {
	gpt2 := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}
	for _, test := range []struct {
		name, pattern string
		field         object
	}{
		{"GPT-2", "gpt2", gpt2},
		{"Llama 3", "gpt4", sequence(split(patterns[1].regexes[0], "Isolated", false), byteLevel)},
		{"GPT-4", "gpt4", sequence(split(patterns[1].regexes[0], "Removed", true), byteLevel)},
		{"Qwen2", "qwen2", sequence(split(strings.Replace(patterns[1].regexes[0], "{1,3}", "", 1), "Isolated", false), byteLevel)},
		{"StarCoder", "starcoder", sequence(object{"type": "Digits", "individual_digits": true}, gpt2)},
		{"bytes", "whole", byteLevel},
	} {
		tok, err := parse(edited(t, func(f, _ object) { f["pre_tokenizer"] = test.field }))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		p, err := findPattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		want := p.splitter
		want.classes = classes()
		if tok.split != want {
			t.Errorf("%s: scanner %+v, want %+v", test.name, tok.split, want)
		}
	}
}

func TestPairFormOfMerges(t *testing.T) {
	want := must(t)(Load("testdata"))
	tok := must(t)(parse(edited(t, func(_, m object) {
		var pairs []any
		for _, line := range m["merges"].([]any) {
			pairs = append(pairs, strings.Split(line.(string), " "))
		}
		m["merges"] = pairs
	})))
	if !slices.Equal(tok.rules, want.rules) || len(tok.rules) == 0 {
		t.Errorf("merges as pairs: %d rules, want the %d of merges as strings", len(tok.rules), len(want.rules))
	}
}

func TestNormalizerAndPrefixSpace(t *testing.T) {
	plain := must(t)(Load("testdata"))
	tok := must(t)(parse(edited(t, func(f, _ object) { f["normalizer"] = object{"type": "NFC"} })))
	if got, want := tok.Encode("u\u0308ber"), plain.Encode("über"); !slices.Equal(got, want) {
		t.Errorf("NFC: Encode = %v, want %v", got, want)
	}
	tok = must(t)(parse(edited(t, func(f, _ object) { f["pre_tokenizer"] = object{"type": "ByteLevel", "add_prefix_space": true} })))
	if got, want := tok.Encode("text"), plain.Encode(" text"); !slices.Equal(got, want) {
		t.Errorf("add_prefix_space: Encode = %v, want %v", got, want)
	}
}

func TestFrame(t *testing.T) {
	token := func(s string) object { return object{"SpecialToken": object{"id": s, "type_id": 0}} }
	text := object{"Sequence": object{"id": "A", "type_id": 0}}
	template := object{"type": "TemplateProcessing", "single": []any{token("b"), text, token("e")}, "special_tokens": object{
		"b": object{"id": "b", "ids": []int{395}}, "e": object{"id": "e", "ids": []int{397, 396}}}}
	for name, field := range map[string]object{
		"template": template,
		"sequence": {"type": "Sequence", "processors": []any{object{"type": "ByteLevel"}, template}},
	} {
		tok := again(t, must(t)(parse(edited(t, func(f, _ object) { f["post_processor"] = field }))))
		if before, after := tok.Frame(); !slices.Equal(before, []int32{395}) || !slices.Equal(after, []int32{397, 396}) {
			t.Errorf("%s: Frame = %v, %v", name, before, after)
		}
	}
	tok := must(t)(parse(edited(t, func(f, _ object) {
		f["post_processor"] = object{"type": "RobertaProcessing", "cls": []any{"<s>", 395}, "sep": []any{"</s>", 396}}
	})))
	if before, after := tok.Frame(); !slices.Equal(before, []int32{395}) || !slices.Equal(after, []int32{396}) {
		t.Errorf("RobertaProcessing: Frame = %v, %v", before, after)
	}
}

func TestBadFiles(t *testing.T) {
	vocab := func(m object) object { return m["vocab"].(object) }
	added := func(f object, i int) object { return f["added_tokens"].([]any)[i].(object) }
	pre := func(v any) func(f, m object) { return func(f, _ object) { f["pre_tokenizer"] = v } }
	for _, test := range []struct {
		name, want string
		change     func(f, m object)
	}{
		{"no model", "field model", func(f, _ object) { delete(f, "model") }},
		{"other model", "model.type", func(_, m object) { m["type"] = "WordLevel" }},
		{"unigram with an object", "model.vocab is not a list", func(_, m object) { m["type"] = "Unigram" }},
		{"byte fallback", "model.byte_fallback", func(_, m object) { m["byte_fallback"] = true }},
		{"subword prefix", "model.continuing_subword_prefix", func(_, m object) { m["continuing_subword_prefix"] = "##" }},
		{"word suffix", "model.end_of_word_suffix", func(_, m object) { m["end_of_word_suffix"] = "</w>" }},
		{"dropout", "model.dropout", func(_, m object) { m["dropout"] = 0.1 }},
		{"no vocab", "model.vocab is missing", func(_, m object) { delete(m, "vocab") }},
		{"empty vocab", "model.vocab is empty", func(_, m object) { m["vocab"] = object{} }},
		{"vocab list", "model.vocab is not an object", func(_, m object) { m["vocab"] = []any{} }},
		{"text id", "model.vocab: id of", func(_, m object) { vocab(m)["a"] = "x" }},
		{"fractional id", "model.vocab: id of", func(_, m object) { vocab(m)["a"] = 1.5 }},
		{"negative id", "model.vocab: id of", func(_, m object) { vocab(m)["a"] = -1 }},
		{"id above int32", "ids are from 0 to", func(_, m object) { vocab(m)["a"] = int64(1) << 40 }},
		{"id far away", "far above", func(_, m object) { vocab(m)["a"] = 1 << 30 }},
		{"duplicate id", "id 98 is given to", func(_, m object) { vocab(m)["a"] = 98 }},
		{"missing byte", "1 of the 256 byte tokens", func(_, m object) { delete(vocab(m), "0"); m["merges"] = nil }},
		{"unknown part", "not in model.vocab", func(_, m object) { m["merges"] = []any{"a qqq"} }},
		{"unknown whole", "not in model.vocab", func(_, m object) { m["merges"] = []any{"q !"} }},
		{"one part", "model.merges[0]", func(_, m object) { m["merges"] = []any{"ab"} }},
		{"three parts", "model.merges[0]", func(_, m object) { m["merges"] = []any{[]any{"a", "b", "c"}} }},
		{"merges of numbers", "model.merges is neither", func(_, m object) { m["merges"] = []any{1, 2} }},
		{"added id taken", "belongs to", func(f, _ object) { added(f, 0)["id"] = 97 }},
		{"added twice", "is there twice", func(f, _ object) { added(f, 0)["content"] = "<|pad|>" }},
		{"added ids equal", "belongs to", func(f, _ object) { added(f, 0)["id"] = 396 }},
		{"added negative", "added_tokens[0].id", func(f, _ object) { added(f, 0)["id"] = -5 }},
		{"added far away", "far above", func(f, _ object) { added(f, 0)["id"] = 1 << 29 }},
		{"added empty", "added_tokens[0].content", func(f, _ object) { added(f, 0)["content"] = "" }},
		{"added elsewhere", "make them equal", func(f, _ object) { added(f, 0)["content"] = "a" }},
		{"normalizer", "normalizer.type", func(f, _ object) { f["normalizer"] = object{"type": "Nmt"} }},
		{"post-processor", "post_processor.type", func(f, _ object) { f["post_processor"] = object{"type": "X"} }},
		{"no pre-tokenizer", "decoder is ByteLevel", pre(nil)},
		{"unknown pre-tokenizer", "pre_tokenizer.type", pre(object{"type": "UnicodeScripts"})},
		{"metaspace", "pre_tokenizer.replacement", pre(object{"type": "Metaspace", "replacement": "_"})},
		{"metaspace scheme", "pre_tokenizer.prepend_scheme", pre(object{"type": "Metaspace", "replacement": metaspace, "prepend_scheme": "last"})},
		{"step behind bytes", "a step after ByteLevel", pre(sequence(byteLevel, byteLevel))},
		{"no byte level", "decoder is ByteLevel", pre(sequence(split(regexGPT2, "Isolated", false)))},
		{"bad regex", "pre_tokenizer.pretokenizers[0].pattern.Regex", pre(sequence(split(`(\w+`, "Isolated", false), byteLevel))},
		{"behaviour", "pre_tokenizer.pretokenizers[0].behavior", pre(sequence(split(regexGPT2, "Joined", false), byteLevel))},
	} {
		path := file(t, edited(t, test.change))
		_, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error = %v, want one that names the file and %q", test.name, err, test.want)
		}
	}
}

func TestTruncatedFile(t *testing.T) {
	whole, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole)-2; n += 97 {
		if _, err := Load(file(t, whole[:n])); err == nil || !strings.Contains(err.Error(), "cut short") {
			t.Fatalf("first %d bytes: error = %v", n, err)
		}
	}
	doubled := strings.Replace(string(whole), `"a": 97`, `"a": 97, "a": 97`, 1)
	if _, err := parse([]byte(doubled)); err == nil || !strings.Contains(err.Error(), `"a" is there twice`) {
		t.Errorf("token twice: error = %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.json")); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("missing file: error = %v", err)
	}
}

func TestSaveErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "such", "tokenizer.json")
	if err := Bytes().Save(missing); err == nil {
		t.Error("Save into a missing directory gives no error")
	}
	dir := t.TempDir()
	if err := Bytes("<|end|>").Save(dir); err != nil {
		t.Fatal(err)
	}
	if tok := must(t)(Load(dir)); tok.VocabSize() != 257 {
		t.Errorf("VocabSize = %d, want 257", tok.VocabSize())
	}
}

func TestBadRanks(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "no tokens"},
		{"not base64", "!!! 0\n", "line 1"},
		{"no rank", "YQ==\n", "line 1: rank"},
		{"negative rank", "YQ== -1\n", "line 1: rank"},
		{"token twice", "YQ== 0\nYQ== 1\n", "line 2: token"},
		{"rank twice", "YQ== 0\nYg== 0\n", "line 2: rank"},
		{"rank far away", "YQ== 900000000\n", "far above"},
		{"no bytes", "YQ== 0\n", "242 of the 256"},
	} {
		path := file(t, []byte(test.text))
		if _, err := LoadTiktoken(path, FileOptions{}); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error = %v, want one that names the file and %q", test.name, err, test.want)
		}
	}
}

// TestOldFormat reads vocab.json and merges.txt from a directory.
func TestOldFormat(t *testing.T) {
	want := small(t, "gpt2")
	ids := map[string]int32{}
	for id, key := range want.keys() {
		ids[key] = int32(id)
	}
	merges := "#version: 0.2\n"
	for _, r := range want.rules {
		merges += spell(want.tokens[r.a]) + " " + spell(want.tokens[r.b]) + "\n"
	}
	dir := t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("vocab.json", marshal(ids))
	write("merges.txt", []byte(merges))
	tok := must(t)(Load(dir))
	if got, want := tok.Encode(corpus(t)), want.Encode(corpus(t)); !slices.Equal(got, want) {
		t.Errorf("got %d ids, want %d, not equal", len(got), len(want))
	}
	if _, ok := tok.SpecialID("<|endoftext|>"); !ok {
		t.Error("<|endoftext|> is not special")
	}
	write("merges.txt", []byte("a b\nnothing\n"))
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "merges.txt:") {
		t.Errorf("bad merges: error = %v", err)
	}
}

func FuzzParse(f *testing.F) {
	whole, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":2147483647},"merges":[["a","a"]]},"pre_tokenizer":{"type":"ByteLevel"}}`))
	f.Add([]byte(`{"added_tokens":[{"id":1073741823,"content":"x"}],"model":{"vocab":{"a":0},"merges":["a a"]},"pre_tokenizer":{"type":"ByteLevel"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tok, err := parse(data)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20+1000*uint64(len(data)) {
			t.Errorf("%d bytes of file cost %d bytes of memory", len(data), used)
		}
		if err != nil {
			return
		}
		for _, s := range hardTexts {
			tok.EncodeSpecial(s)
			if b, ok := tok.model.(*bytePairs); ok && !b.partial && len(tok.normalizers)+len(tok.steps) == 0 && tok.Decode(tok.Encode(s)) != s {
				t.Errorf("a loaded tokenizer loses text: %q", s)
			}
		}
		out, err := tok.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(out); err != nil {
			t.Errorf("the saved file can't be read: %v", err)
		}
	})
}

func FuzzParseRanks(f *testing.F) {
	f.Add([]byte("YQ== 0\nYg== 1\nYWI= 2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := parseRanks(data, FileOptions{}); err == nil && tok.Decode(tok.Encode("abab")) != "abab" {
			t.Error("a loaded tokenizer loses text")
		}
	})
}

// FuzzEncode checks the round trip and the scanners on any bytes.
func FuzzEncode(f *testing.F) {
	all := every(f)
	cases := splitCases()
	for _, s := range hardTexts {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, tok := range all {
			if got := tok.Decode(tok.Encode(s)); got != s {
				t.Errorf("%s: Decode(Encode(%q)) = %q", name, s, got)
			}
			if got := tok.DecodeSpecial(tok.EncodeSpecial(s)); got != s {
				t.Errorf("%s: DecodeSpecial(EncodeSpecial(%q)) = %q", name, s, got)
			}
		}
		if len(s) < 200 { // the oracle is slow
			for i := range cases {
				cases[i].check(t, s)
			}
		}
	})
}
