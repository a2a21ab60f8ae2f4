package tokenizer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/internal/golden"
)

// chatSpecial are special tokens that share beginnings.
var chatSpecial = []string{"<|endoftext|>", "<|pad|>", "<|end|>", "<|end", "<|user|>"}

// corpus is the small text of testdata.
func corpus(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// small is trained on corpus.
func small(t testing.TB, pattern string) *Tokenizer {
	t.Helper()
	return must(t)(Train(t.Context(), slices.Values([]string{corpus(t)}), TrainOptions{VocabSize: 400, Pattern: pattern, Special: chatSpecial}))
}

// every gives a tokenizer of each kind.
func every(t testing.TB) map[string]*Tokenizer {
	all := map[string]*Tokenizer{
		"bytes": Bytes(chatSpecial...), "bytes alone": Bytes(),
		"chars": Chars(corpus(t), chatSpecial...), "chars of nothing": Chars(""),
	}
	for _, p := range patterns {
		if p.splitter.rule != splitWhole {
			all[p.name] = small(t, p.name)
		}
	}
	return all
}

var hardTexts = []string{
	"", " ", "\x00", "\xff", "\xff\xfe\x80", "a\xc3", "\xe4\xb8", "\xf0\x9f\x98", "\xed\xa0\x80", "\ufffd", "a\ufffd\xffb",
	"The tokens, the text.", "  two  spaces\n\n\n", "it's Über großen 数えます 😀 e\u0301", "<|endoftext|><|end|><|pad|>",
	strings.Repeat("a", 97), strings.Repeat("the ", 50), strings.Repeat("x", 16), strings.Repeat("\t", 700),
	string(noise(5000)),
}

func TestRoundTrip(t *testing.T) {
	for name, tok := range every(t) {
		loaded := again(t, tok)
		for _, s := range append(hardTexts, corpus(t)) {
			ids := tok.Encode(s)
			if got := tok.Decode(ids); got != s {
				t.Errorf("%s: Decode(Encode(%.60q)) = %.60q", name, s, got)
			}
			if got := tok.Encode(s); !slices.Equal(got, ids) {
				t.Errorf("%s: second Encode(%.60q) = %v, want %v", name, s, got, ids)
			}
			if got := loaded.Encode(s); !slices.Equal(got, ids) {
				t.Errorf("%s: Encode(%.60q) of the saved tokenizer = %v, want %v", name, s, got, ids)
			}
			special := tok.EncodeSpecial(s)
			if got := tok.DecodeSpecial(special); got != s {
				t.Errorf("%s: DecodeSpecial(EncodeSpecial(%.60q)) = %.60q", name, s, got)
			}
			if got := loaded.EncodeSpecial(s); !slices.Equal(got, special) {
				t.Errorf("%s: EncodeSpecial(%.60q) of the saved tokenizer = %v, want %v", name, s, got, special)
			}
		}
	}
}

// TestSaveIsStable expects a loaded tokenizer to be written as it was read.
func TestSaveIsStable(t *testing.T) {
	for name, tok := range every(t) {
		first, err := tok.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		second, err := again(t, tok).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) || !json.Valid(first) {
			t.Errorf("%s: the file changes when it is loaded and saved", name)
		}
	}
}

func TestGolden(t *testing.T) {
	tok := small(t, "gpt4")
	file, err := tok.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "tokenizer.json", append(file, '\n'))
	loaded := must(t)(Load("testdata/tokenizer.json"))
	var ids strings.Builder
	for _, s := range []string{"The tokens of this text aren't bytes.", "\tfor _, id := range ids {\n", "über 12345 数えます \xff", "<|user|>hello<|end|>"} {
		fmt.Fprintln(&ids, loaded.EncodeSpecial(s))
	}
	golden.Check(t, "small.ids.txt", []byte(ids.String()))
}

func TestSpecial(t *testing.T) {
	tok := small(t, "gpt4")
	id := func(content string) int32 {
		id, ok := tok.SpecialID(content)
		if !ok {
			t.Fatalf("no special token %q", content)
		}
		return id
	}
	if got, want := id("<|user|>"), int32(tok.VocabSize()-1); got != want {
		t.Errorf("last special token has id %d, want %d", got, want)
	}
	hi := tok.Encode("hi")
	want := slices.Concat([]int32{id("<|user|>")}, hi, []int32{id("<|end|>"), id("<|end")}, tok.Encode("of"), []int32{id("<|endoftext|>")})
	if got := tok.EncodeSpecial("<|user|>hi<|end|><|endof<|endoftext|>"); !slices.Equal(got, want) {
		t.Errorf("EncodeSpecial = %v, want %v", got, want)
	}
	for _, got := range tok.Encode("<|user|>hi<|end|>") {
		if _, special := tok.Special(got); special {
			t.Errorf("Encode gave the special token %d", got)
		}
	}
	if got := tok.Decode(want); got != "hiof" {
		t.Errorf("Decode = %q, want %q", got, "hiof")
	}
	if got := tok.AppendToken(nil, id("<|pad|>")); len(got) != 0 {
		t.Errorf("AppendToken of a special token = %q", got)
	}
	for _, outside := range []int32{-1, int32(tok.VocabSize()), 1 << 30} {
		if got := tok.AppendToken(nil, outside); len(got) != 0 {
			t.Errorf("AppendToken(%d) = %q", outside, got)
		}
	}
	if _, ok := tok.SpecialID("hi"); ok {
		t.Error("SpecialID finds a token that is not special")
	}
	tokens, special := tok.Tokens()
	for i := range tokens {
		content, isSpecial := tok.Special(int32(i))
		if special[i] != isSpecial || isSpecial != (len(tokens[i]) == 0) || isSpecial && !slices.Contains(chatSpecial, content) {
			t.Errorf("Tokens: id %d is %q, special %v; Special says %q, %v", i, tokens[i], special[i], content, isSpecial)
		}
	}
}

// TestAddedTokenFlags follows the meaning that Hugging Face tokenizers give
// lstrip, rstrip, single_word and special.
func TestAddedTokenFlags(t *testing.T) {
	tok := Bytes()
	tok.added = []addedToken{
		{ID: 256, Content: "<m>", Lstrip: true, Rstrip: true, Special: true},
		{ID: 257, Content: "word", SingleWord: true},
	}
	tok.tokens = append(tok.tokens, "", "word")
	if err := tok.finish(&patterns[0]); err != nil {
		t.Fatal(err)
	}
	tok = again(t, tok)
	for _, test := range []struct {
		text string
		want []int32
	}{
		{"a  <m>\n b", []int32{'a', 256, 'b'}},
		{"a word b", []int32{'a', ' ', 257, ' ', 'b'}},
		{"swords", []int32{'s', 'w', 'o', 'r', 'd', 's'}},
		{"word", []int32{257}},
	} {
		if got := tok.EncodeSpecial(test.text); !slices.Equal(got, test.want) {
			t.Errorf("EncodeSpecial(%q) = %v, want %v", test.text, got, test.want)
		}
	}
	if got, want := tok.Encode("<m> word"), []int32{'<', 'm', '>', ' ', 257}; !slices.Equal(got, want) {
		t.Errorf("Encode = %v, want %v", got, want)
	}
}

func TestChars(t *testing.T) {
	tok := Chars("héllo 中\xff\ufffd", "<|end|>")
	if got, want := tok.VocabSize(), 256+3+1; got != want {
		t.Errorf("VocabSize = %d, want %d", got, want)
	}
	// é, 中 and U+FFFD have tokens, ö has none.
	want := []int32{'h', 256, 257, 258, 0xC3, 0xB6, 0xFF}
	if got := tok.Encode("hé中\ufffdö\xff"); !slices.Equal(got, want) {
		t.Errorf("Encode = %v, want %v", got, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("Chars takes a special token twice")
		}
	}()
	Chars("", "x", "x")
}

func TestStream(t *testing.T) {
	for name, tok := range every(t) {
		for _, s := range append(hardTexts, corpus(t)) {
			stream := tok.NewStream()
			var all []byte
			whole := utf8.ValidString(s)
			for _, id := range tok.Encode(s) {
				before := len(all)
				all = stream.Append(all, id)
				if whole && !utf8.Valid(all[before:]) {
					t.Errorf("%s: %.60q: cut a character: %q", name, s, all[before:])
				}
			}
			if all = stream.Flush(all); string(all) != s {
				t.Errorf("%s: stream of %.60q gave %.60q", name, s, all)
			}
		}
	}
}

func TestTrainIsDeterministic(t *testing.T) {
	text := corpus(t)
	docs := strings.SplitAfter(strings.Repeat(text, 40), "\n")
	var first []byte
	for _, o := range []TrainOptions{{Threads: 1}, {Threads: 2}, {Threads: 3}, {Threads: 2, MaxBytes: 1 << 30, Seed: 9}} {
		o.VocabSize, o.Special = 500, chatSpecial
		tok := must(t)(Train(t.Context(), slices.Values(docs), o))
		got, err := tok.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if !bytes.Equal(got, first) {
			t.Errorf("%+v: the vocabulary differs from that of one thread", o)
		}
	}
}

// TestTrainEqualsDefinition compares the merges with those of the plain
// algorithm, which counts all pairs anew at each step.
func TestTrainEqualsDefinition(t *testing.T) {
	texts := map[string]string{
		"corpus":   corpus(t),
		"runs":     "aaaa aaa aaaaa aaaaaaaaaaaaa bbbb abab ababab abababa aab aab",
		"spelling": "abc abc xabc bcd abcd abcd bc bc ab ab xbc abcabc bcabc cabc",
	}
	for name, text := range texts {
		tok := must(t)(Train(t.Context(), slices.Values([]string{text}), TrainOptions{VocabSize: 350, Pattern: "gpt2", MinFrequency: 1}))
		var got []string
		for _, r := range tok.rules {
			got = append(got, tok.tokens[r.a]+" + "+tok.tokens[r.b])
		}
		want := plainMerges(text, len(got))
		if len(got) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: merges\ngot:  %q\nwant: %q", name, got, want)
		}
	}
}

// plainMerges learns n merges of text in the GPT-2 pattern.
func plainMerges(text string, n int) (merges []string) {
	c := splitCase{split: splitter{rule: splitGPT2, classes: classes()}}
	var words [][]string
	for _, piece := range c.got(text) {
		words = append(words, strings.Split(string(latin1(piece)), ""))
	}
	for range n {
		counts := map[[2]string]int{}
		for _, w := range words {
			for i := range len(w) - 1 {
				counts[[2]string{w[i], w[i+1]}]++
			}
		}
		var best [2]string
		for p, count := range counts {
			if c := counts[best]; count > c || count == c && (p[0] > best[0] || p[0] == best[0] && p[1] > best[1]) {
				best = p
			}
		}
		if counts[best] == 0 {
			break
		}
		merges = append(merges, bytesOf(best[0])+" + "+bytesOf(best[1]))
		for k, w := range words {
			for i := 0; i+1 < len(w); i++ {
				if w[i] == best[0] && w[i+1] == best[1] {
					w = slices.Replace(w, i, i+2, best[0]+best[1])
				}
			}
			words[k] = w
		}
	}
	return merges
}

// latin1 writes each byte as the rune of that number; bytesOf reverses it.
// Order is kept.
func latin1(s string) (out []rune) {
	for i := range len(s) {
		out = append(out, rune(s[i]))
	}
	return out
}

func bytesOf(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

func TestTrainOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]TrainOptions{
		"too small":           {VocabSize: 257, Special: []string{"a", "b"}},
		"too large":           {VocabSize: 1 << 25},
		"unknown pattern":     {Pattern: "gpt9"},
		"does not cut":        {Pattern: "whole"},
		"given twice":         {Special: []string{"a", "a"}},
		"is empty":            {Special: []string{""}},
		"minimum frequency":   {MinFrequency: -1},
		"byte limit -1 is ne": {MaxBytes: -1},
	} {
		if _, err := Train(t.Context(), slices.Values([]string{"x"}), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Train(%+v) error = %v, want %q", o, err, want)
		}
	}
}

func TestTrainStops(t *testing.T) {
	text := corpus(t)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	_, err := Train(ctx, slices.Values([]string{text}), TrainOptions{VocabSize: 600, Progress: func(done, total int) {
		if calls++; done > 300 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || calls < 3 {
		t.Errorf("error after %d progress calls = %v, want context.Canceled", calls, err)
	}
	// Little text ends training early, but not with an error.
	tok := must(t)(Train(t.Context(), slices.Values([]string{"aa aa"}), TrainOptions{Pattern: "gpt2"}))
	if got := tok.VocabSize(); got != 256+1 {
		t.Errorf("VocabSize of a text with one pair = %d, want 257", got)
	}
	tok = must(t)(Train(t.Context(), slices.Values([]string(nil)), TrainOptions{}))
	if got := tok.VocabSize(); got != 256 {
		t.Errorf("VocabSize of no text = %d, want 256", got)
	}
}

func TestSample(t *testing.T) {
	var docs []string
	for i := range 400 {
		docs = append(docs, strings.Repeat(fmt.Sprintf("doc %c%c ", 'a'+i%26, 'a'+i/26), 100))
	}
	take := func(limit int64, seed uint64) (out []string, size int64) {
		s, err := sample(t.Context(), slices.Values(docs), limit, seed)
		if err != nil {
			t.Fatal(err)
		}
		for text := range s {
			out = append(out, text)
			size += int64(len(text))
		}
		slices.Sort(out)
		return out, size
	}
	a, size := take(100_000, 1)
	if size > 100_000 || size < 90_000 {
		t.Errorf("sample has %d bytes, want just under 100000", size)
	}
	if b, _ := take(100_000, 1); !slices.Equal(a, b) {
		t.Error("the same seed gives another sample")
	}
	if b, _ := take(100_000, 2); slices.Equal(a, b) {
		t.Error("another seed gives the same sample")
	}
	if b, _ := take(10, 1); len(b) != 1 || len(b[0]) > 10 {
		t.Errorf("sample of 10 bytes = %q", b)
	}
	want := slices.Sorted(slices.Values(docs))
	if all, _ := take(1<<40, 1); !slices.Equal(all, want) {
		t.Error("text within the limit is not whole")
	}
}

func TestConcurrentEncode(t *testing.T) {
	tok := small(t, "gpt4")
	text := corpus(t)
	want := tok.Encode(text)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got := tok.Encode(text); !slices.Equal(got, want) {
					t.Error("ids differ under concurrent use")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestEncodeAllocatesNothing(t *testing.T) {
	for name, tok := range every(t) {
		text := corpus(t) + "<|end|>"
		ids := make([]int32, 0, len(text))
		if n := testing.AllocsPerRun(20, func() { ids = tok.EncodeAppend(ids[:0], text) }); n != 0 {
			t.Errorf("%s: EncodeAppend allocates %v times, want 0", name, n)
		}
	}
}

// TestMergeLong compares the heap with the linear search, and times the worst
// case.
func TestMergeLong(t *testing.T) {
	tok := small(t, "gpt4")
	var m merger
	pieces := []string{strings.Repeat("e", shortPiece), strings.Repeat("the", 30), corpus(t)[:shortPiece], "ab", "x", string(noise(90))}
	for i := range 200 {
		pieces = append(pieces, corpus(t)[i:i+2+i%(shortPiece-2)])
	}
	for _, piece := range pieces {
		b := tok.model.(*bytePairs)
		got, want := b.merges.applyLong(nil, b.symbols(piece), &m), b.merges.apply(nil, b.symbols(piece), &m)
		if !slices.Equal(got, want) {
			t.Errorf("applyLong(%q) = %v, want %v", piece, got, want)
		}
	}
	long := strings.Repeat("e", 1<<20)
	start := time.Now()
	if got := tok.Decode(tok.Encode(long)); got != long {
		t.Error("a long run does not round-trip")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("1 MiB of one letter took %v", took)
	}
}

// TestLongCacheStartsAnew encodes more different long pieces than the cache
// holds.
func TestLongCacheStartsAnew(t *testing.T) {
	tok := small(t, "gpt4")
	for i := range 3000 {
		s := strings.Repeat(fmt.Sprintf("%c%cthe", 'a'+i%26, 'a'+i/26%26), 20+i%30)
		if got := tok.Decode(tok.Encode(s)); got != s {
			t.Fatalf("Decode(Encode(%q)) = %q", s, got)
		}
	}
}

// symbols are the tokens of a piece's bytes.
func (b *bytePairs) symbols(piece string) (ids []int32) {
	for i := range len(piece) {
		ids = append(ids, b.ids[piece[i]])
	}
	return ids
}
