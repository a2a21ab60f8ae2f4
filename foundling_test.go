package foundling_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// run1 is the directory of a tiny model with random weights, which the examples
// open as if it were a real one.
var run1 string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "foundling")
	if err != nil {
		log.Fatal(err)
	}
	run1 = filepath.Join(dir, "run1")
	if err := save(run1, true, 96); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func save(dir string, chats bool, context int) error {
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer b.Close()
	tok := tokenizer.Bytes(chat.SpecialTokens()...)
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 2, Width: 32, Heads: 2, Vocab: tok.VocabSize(), Context: context, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		return err
	}
	m.Init(b, 1)
	z := &bundle.Bundle{Dir: dir, Model: m, Tokenizer: tok, Chat: chats}
	id, _ := tok.SpecialID(chat.EndOfText)
	z.Generation.EOS = bundle.IDs{id}
	return z.Save(b, dtype.F32)
}

// A model goes on with a text.
func Example() {
	m, err := foundling.Open(run1, foundling.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	tokens := 0
	for piece, err := range m.Generate(context.Background(), "Once upon a time", foundling.Decoding{MaxTokens: 20, Seed: 3}) {
		if err != nil {
			log.Fatal(err)
		}
		_ = piece.Text // show it
		if piece.ID >= 0 {
			tokens++
		}
	}
	fmt.Println(tokens, "tokens")
	// Output: 20 tokens
}

func ExampleModel_Chat() {
	m, err := foundling.Open(run1, foundling.Options{Speculate: "ngram"})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	messages := []foundling.Message{{Role: "user", Content: "What does strings.Cut do?"}}
	var answer strings.Builder
	for piece, err := range m.Chat(context.Background(), messages, foundling.Decoding{MaxTokens: 8}) {
		if err != nil {
			log.Fatal(err)
		}
		answer.WriteString(piece.Text)
	}
	fmt.Println(answer.Len() > 0)
	// Output: true
}

func ExampleModel_Embed() {
	m, err := foundling.Open(run1, foundling.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	vectors, err := m.Embed(context.Background(), []string{"a cat", "a kitten", "the sea"}, foundling.PoolMean)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(vectors), "vectors of", len(vectors[0]))
	// Output: 3 vectors of 32
}

func ExampleModel_Score() {
	m, err := foundling.Open(run1, foundling.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.Score(context.Background(), "cat")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(s.LogProbs), "log-probabilities")
	// Output: 3 log-probabilities
}

func open(t *testing.T, dir string, o foundling.Options) *foundling.Model {
	t.Helper()
	m, err := foundling.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// collect is the text of an iterator, and the error that ended it.
func collect(t *testing.T, seq func(func(foundling.Piece, error) bool)) (text string, ids []int32, err error) {
	t.Helper()
	for p, e := range seq {
		if e != nil {
			if err != nil {
				t.Error("the iterator goes on after an error")
			}
			err = e
			continue
		}
		text += p.Text
		if p.ID >= 0 {
			ids = append(ids, p.ID)
		}
	}
	return text, ids, err
}

// TestCallersShareAModel starts many generations at once: each reads as it would
// alone.
func TestCallersShareAModel(t *testing.T) {
	m := open(t, run1, foundling.Options{})
	d := func(i int) foundling.Decoding { return foundling.Decoding{MaxTokens: 15, Seed: 5, Stream: uint64(i)} }
	var want [8]string
	for i := range want {
		var err error
		if want[i], _, err = collect(t, m.Generate(context.Background(), fmt.Sprint("text ", i), d(i))); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range want {
		all.Go(func() {
			got, _, err := collect(t, m.Generate(context.Background(), fmt.Sprint("text ", i), d(i)))
			if err != nil || got != want[i] {
				t.Errorf("text %d: %q (%v), alone %q", i, got, err, want[i])
			}
		})
	}
	all.Wait()
}

// TestResult checks that a program is told why a text ended.
func TestResult(t *testing.T) {
	m := open(t, run1, foundling.Options{})
	for want, d := range map[string]foundling.Decoding{
		generate.FinishLength:  {MaxTokens: 3},
		generate.FinishContext: {},
		generate.FinishCaller:  {MaxTokens: 30},
	} {
		var r generate.Result
		d.Result = &r
		n := 0
		for p, err := range m.Generate(context.Background(), "x", d) {
			if err != nil {
				t.Fatal(err)
			}
			if p.ID >= 0 {
				n++
			}
			if n == 2 && want == generate.FinishCaller {
				break
			}
		}
		if r.Finish != want || len(r.IDs) != n || len(r.LogProbs) != n {
			t.Errorf("%+v behind %d tokens, want %s", r, n, want)
		}
	}
	var r generate.Result
	if _, err := foundling.GenerateInto[bool](context.Background(), m, "x", foundling.Decoding{Result: &r}); err != nil || r.Finish != generate.FinishComplete {
		t.Errorf("a value ended with %q (%v)", r.Finish, err)
	}
}

func TestScoreAgreesWithGenerate(t *testing.T) {
	m := open(t, run1, foundling.Options{})
	zero := 0.0
	var lps []float64
	text := "abc"
	for p, err := range m.Generate(context.Background(), text, foundling.Decoding{MaxTokens: 4, Temperature: &zero}) {
		if err != nil {
			t.Fatal(err)
		}
		if p.ID >= 0 {
			lps = append(lps, p.LogProb)
		}
	}
	s, err := m.Score(context.Background(), text)
	if err != nil || len(s.IDs) != 3 || len(s.LogProbs) != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	for _, x := range append(lps, s.LogProbs...) {
		if !(x < 0) || math.IsInf(x, 0) {
			t.Errorf("log-probability %v", x)
		}
	}
}

func TestErrors(t *testing.T) {
	for want, o := range map[string]foundling.Options{
		"kernel set":   {Kernels: "vax"},
		"cache format": {CacheFormat: "q5"},
		"draft model":  {Speculate: "nothing"},
	} {
		if _, err := foundling.Open(run1, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	if _, err := foundling.Open("nowhere", foundling.Options{}); err == nil || !strings.Contains(err.Error(), "nowhere does not exist") {
		t.Errorf("a path that is not there: %v", err)
	}
	if _, err := foundling.Open(t.TempDir(), foundling.Options{}); err == nil || !strings.Contains(err.Error(), "no model directory") {
		t.Errorf("empty directory: %v", err)
	}
	m := open(t, run1, foundling.Options{CacheBytes: 1 << 10})
	var memory *cache.MemoryError
	if _, _, err := collect(t, m.Generate(context.Background(), "x", foundling.Decoding{})); !errors.As(err, &memory) {
		t.Errorf("a cache of 1 KiB: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m = open(t, run1, foundling.Options{})
	if _, _, err := collect(t, m.Generate(ctx, "x", foundling.Decoding{})); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for range m.Generate(context.Background(), "x", foundling.Decoding{}) {
		break // leaving early is no error
	}
	base := filepath.Join(t.TempDir(), "base")
	if err := save(base, false, 96); err != nil {
		t.Fatal(err)
	}
	m = open(t, base, foundling.Options{})
	if _, _, err := collect(t, m.Chat(context.Background(), []foundling.Message{{Role: "user", Content: "x"}}, foundling.Decoding{})); err == nil {
		t.Error("a base model answered")
	}
	if _, err := m.Embed(context.Background(), []string{"x"}, "sum"); err == nil {
		t.Error("unknown pooling")
	}
	v, err := m.Embed(context.Background(), []string{"one text", "other"}, foundling.PoolLast)
	if err != nil || slices.Equal(v[0], v[1]) {
		t.Errorf("two texts have the same vector (%v)", err)
	}
}
