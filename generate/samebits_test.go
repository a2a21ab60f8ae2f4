package generate_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

func engine(t testing.TB, b *cpu.Backend, m model.Model, c generate.Config) *generate.Engine {
	t.Helper()
	e, err := generate.Open(b, m, tokens(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// requests are prompts of many lengths; some begin alike, some are the same.
func requests(n int) []generate.Request {
	rs := make([]generate.Request, n)
	for i := range rs {
		prompt := ids(90)[:1+(i*37)%90]
		if i%5 == 4 {
			prompt = rs[i-1].Prompt
		} else if i%3 == 1 {
			prompt = append(slices.Clone(ids(70)), int32(i))
		}
		rs[i] = generate.Request{Prompt: prompt, Options: generate.Options{
			MaxTokens: 10 + i%7*4, Stream: uint64(i),
			Sample: chain(i),
		}}
	}
	return rs
}

// chain is options of the sampling chain: greedy, truncated, with all that looks at
// the text so far, and with what remembers from draw to draw.
func chain(i int) sample.Options {
	o := sample.Options{Temperature: float64(i%4) * 0.5, TopK: 50 * (i % 2), Seed: 3}
	switch {
	case i%5 == 1:
		o.RepeatPenalty, o.FrequencyPenalty, o.RepeatLastN, o.DRYMultiplier, o.DRYAllowedLength = 1.2, 0.3, -1, 0.8, 1
		o.TypicalP, o.MinP, o.XTCProbability, o.XTCThreshold = 0.95, 0.01, 0.5, 0.02
	case i%5 == 3 && o.Temperature > 0:
		o.TopK, o.Mirostat, o.MirostatTau, o.PresencePenalty, o.DynatempRange = 0, 2, 3, 0.5, 0.2
	}
	return o
}

// same fails where tokens or log-probabilities differ in a bit.
func same(t *testing.T, what string, got, want *generate.Result) {
	t.Helper()
	if !slices.Equal(got.IDs, want.IDs) || got.Finish != want.Finish || got.Text != want.Text {
		t.Fatalf("%s: %v (%s), alone %v (%s)", what, got.IDs, got.Finish, want.IDs, want.Finish)
	}
	for i, x := range want.LogProbs {
		if math.Float64bits(got.LogProbs[i]) != math.Float64bits(x) {
			t.Fatalf("%s: log-probability %d is %v, alone %v", what, i, got.LogProbs[i], x)
		}
	}
}

// alone is each request in an engine of its own: no neighbour, no cache of
// prefixes, prompts in one chunk.
func alone(t *testing.T, b *cpu.Backend, m model.Model, c generate.Config, rs []generate.Request) []*generate.Result {
	t.Helper()
	c.PrefixTokens, c.Chunk = -1, 512
	out := make([]*generate.Result, len(rs))
	for i, r := range rs {
		e := engine(t, b, m, c)
		var err error
		if out[i], err = e.Generate(context.Background(), r.Prompt, r.Options, nil); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestSameBits is the promise of the package: a sequence's tokens and
// log-probabilities are the same alone or among 31 others, at 1, 2 or 3 threads,
// with its prefix cached or not, for any chunk of the prompt, in every format of
// the cache and in both precisions.
func TestSameBits(t *testing.T) {
	rs := requests(32)
	for _, family := range []string{"llama", "gpt2"} {
		for _, format := range []string{"", "f16", "q8"} {
			if family == "gpt2" && format != "" {
				continue
			}
			precision := map[string]string{"": "f32", "f16": "bf16", "q8": "f32"}[format]
			var want []*generate.Result
			for _, threads := range []int{1, 2, 3} {
				b := backend(t, cpu.Options{Threads: threads, Precision: precision})
				m := small(t, b, family)
				if want == nil {
					want = alone(t, b, m, generate.Config{CacheFormat: format}, rs)
				}
				for _, c := range []generate.Config{{}, {Chunk: 70, Beside: 7}, {Chunk: 64, PrefixTokens: -1}, {Sequences: 3}}[:5-threads] {
					c.CacheFormat = format
					e := engine(t, b, m, c)
					for round := range 2 { // the second finds every prefix
						got, err := e.GenerateAll(context.Background(), rs, nil)
						if err != nil {
							t.Fatal(err)
						}
						for i := range got {
							same(t, fmt.Sprintf("%s, cache %q, %d threads, %+v, round %d, request %d", family, format, threads, c, round, i), got[i], want[i])
						}
					}
					if hits := e.PrefixHits(); (c.PrefixTokens < 0) != (hits == 0) {
						t.Errorf("%+v: %d tokens came from the cache", c, hits)
					}
				}
			}
		}
	}
}

// TestSameBitsAfterRestart ends an engine in the middle of a sequence: another
// one, given what was written so far, goes on with the same tokens.
func TestSameBitsAfterRestart(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	alone := func(b *cpu.Backend, m model.Model, prompt []int32, o generate.Options) *generate.Result {
		r, err := engine(t, b, m, generate.Config{}).Generate(context.Background(), prompt, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, s := range []sample.Options{{Temperature: 1, Seed: 9}, chain(1), chain(3)} {
		o := generate.Options{MaxTokens: 60, Stream: 5, Sample: s}
		whole := alone(b, m, ids(30), o)
		for _, n := range []int{1, 34, 59} {
			o.MaxTokens, o.FirstDraw, o.Sample.MirostatMu = n, 0, 0
			begun := alone(b, m, ids(30), o)
			b := backend(t, cpu.Options{Threads: 1})
			o.FirstDraw, o.MaxTokens, o.Sample.MirostatMu = uint64(n), 60-n, begun.Mu
			rest := alone(b, small(t, b, "llama"), append(ids(30), begun.IDs...), o)
			same(t, fmt.Sprint("after ", n), rest, &generate.Result{IDs: whole.IDs[n:], LogProbs: whole.LogProbs[n:], Finish: whole.Finish, Text: rest.Text})
		}
	}
}

// TestSameBitsAmongCallers lets goroutines come and go, each with its own
// context; some leave early.
func TestSameBitsAmongCallers(t *testing.T) {
	rs := requests(24)
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	want := alone(t, b, m, generate.Config{}, rs)
	e := engine(t, b, m, generate.Config{Chunk: 32, Sequences: 6})
	var all sync.WaitGroup
	for i, r := range rs {
		all.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			n := 0
			got, err := e.Generate(ctx, r.Prompt, r.Options, func(generate.Piece) bool {
				n++
				if i%6 == 5 && n == 4 {
					cancel()
				}
				return i%6 != 4 || n < 3
			})
			switch {
			case i%6 == 5:
				if err == nil && len(got.IDs) < len(want[i].IDs) || !slices.Equal(got.IDs, want[i].IDs[:len(got.IDs)]) {
					t.Errorf("request %d, cancelled: %v, %v, want the beginning of %v", i, got.IDs, err, want[i].IDs)
				}
			case i%6 == 4:
				if err != nil || got.Finish != generate.FinishCaller || !slices.Equal(got.IDs, want[i].IDs[:3]) || len(got.LogProbs) != 3 {
					t.Errorf("request %d, left after 3: %v, %s, %v, want the beginning of %v", i, got.IDs, got.Finish, err, want[i].IDs)
				}
			case err != nil:
				t.Errorf("request %d: %v", i, err)
			default:
				if !slices.Equal(got.IDs, want[i].IDs) || !slices.Equal(got.LogProbs, want[i].LogProbs) {
					t.Errorf("request %d among callers: %v, alone %v", i, got.IDs, want[i].IDs)
				}
			}
		})
	}
	all.Wait()
}

// TestScoresAgreeWithGeneration scores what was generated, alone and in a batch
// with small chunks, and compares every bit.
func TestScoresAgreeWithGeneration(t *testing.T) {
	rs := requests(12)
	b := backend(t, cpu.Options{})
	m := small(t, b, "gpt2")
	e := engine(t, b, m, generate.Config{})
	got, err := e.GenerateAll(context.Background(), rs, nil)
	if err != nil {
		t.Fatal(err)
	}
	var texts [][]int32
	for i, r := range rs {
		texts = append(texts, append(slices.Clone(r.Prompt), got[i].IDs...))
	}
	batched, err := engine(t, b, m, generate.Config{Chunk: 50}).ScoreAll(context.Background(), texts, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, ids := range texts {
		one, err := e.Score(ids, 3)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(one.LogProbs, batched[i].LogProbs) || !slices.Equal(one.Top, batched[i].Top) {
			t.Errorf("text %d: scores in a batch differ", i)
		}
		if n := len(rs[i].Prompt) - 1; !slices.Equal(one.LogProbs[n:], got[i].LogProbs) {
			t.Errorf("text %d: scored %v, generated with %v", i, one.LogProbs[n:], got[i].LogProbs)
		}
	}
}

// TestMemoryIsBounded serves more than fits at a time, and refuses what never
// fits.
func TestMemoryIsBounded(t *testing.T) {
	rs := requests(20)
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	want := alone(t, b, m, generate.Config{}, rs)
	bytes := engine(t, b, m, generate.Config{}).CacheBytes(129)
	e := engine(t, b, m, generate.Config{CacheBytes: bytes})
	got, err := e.GenerateAll(context.Background(), rs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		same(t, fmt.Sprint("bounded, request ", i), got[i], want[i])
	}
	if _, err := e.Generate(context.Background(), ids(100), generate.Options{MaxTokens: 30}, nil); err != nil {
		t.Errorf("130 tokens in room for three pages: %v", err)
	}
	tight := engine(t, b, m, generate.Config{CacheBytes: bytes / 3})
	_, err = tight.Generate(context.Background(), ids(60), generate.Options{MaxTokens: 30}, nil)
	if _, ok := err.(*cache.MemoryError); !ok {
		t.Errorf("90 tokens in room for one page: %v", err)
	}
}

func TestEmbeddings(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	texts := [][]int32{ids(5), ids(100), ids(1)}
	var first [][]float32
	for _, chunk := range []int{512, 9} {
		e := engine(t, b, m, generate.Config{Chunk: chunk})
		for _, pool := range []generate.Pooling{generate.PoolMean, generate.PoolLast} {
			got, err := e.Embed(context.Background(), texts, pool)
			if err != nil {
				t.Fatal(err)
			}
			one, err := e.Embed(context.Background(), texts[1:2], pool)
			if err != nil || !slices.Equal(one[0], got[1]) {
				t.Errorf("%s of a text alone differs from that among others (%v)", pool, err)
			}
			if !slices.Equal(got[1], one[0]) || len(got[0]) != m.Dims().Width {
				t.Errorf("%d numbers, want %d", len(got[0]), m.Dims().Width)
			}
			first = append(first, got...)
		}
	}
	for i := range 6 {
		if !slices.Equal(first[i], first[6+i]) {
			t.Errorf("embedding %d depends on the chunk", i)
		}
	}
	if !slices.Equal(first[2], first[5]) { // one token: its mean is its last
		t.Error("mean and last of one token differ")
	}
	if slices.Equal(first[0], first[3]) {
		t.Error("mean and last of five tokens are the same")
	}
}

// TestSameBitsInWindows is TestSameBits for a model whose layers alternate
// between a window of 20 tokens and none, with soft-capped scores and logits:
// pages behind the window are dropped, and no bit changes. The full pass without
// a cache has the same log-probabilities.
func TestSameBitsInWindows(t *testing.T) {
	if testing.Short() {
		t.Skip("TestSameBits has the same threads")
	}
	config := `{"model_type":"gemma2","vocab_size":256,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":4,
		"num_attention_heads":4,"num_key_value_heads":2,"head_dim":8,"max_position_embeddings":400,"sliding_window":20,
		"query_pre_attn_scalar":8,"initializer_range":0.3}`
	var want []*generate.Result
	rs := requests(10)
	for i := range rs {
		rs[i].MaxTokens = 200
	}
	for _, threads := range []int{1, 2} {
		b := backend(t, cpu.Options{Threads: threads, Precision: "f32"})
		m, err := zoo.FromConfig(b, []byte(config))
		if err != nil {
			t.Fatal(err)
		}
		m.Init(b, 3)
		if want == nil {
			want = alone(t, b, m, generate.Config{}, rs)
			full := logits(b, m, append(slices.Clone(rs[2].Prompt), want[2].IDs...))
			for i, lp := range want[2].LogProbs {
				row := full[len(rs[2].Prompt)-1+i]
				if x := sample.LogProb(row, want[2].IDs[i]); math.Abs(x-lp) > 1e-5 {
					t.Fatalf("token %d: log-probability %g over the cache, %g in a full pass", i, lp, x)
				}
			}
		}
		small := engine(t, b, m, generate.Config{CacheFormat: "f32", Chunk: 16})
		// Two full layers hold seven pages, two sliding ones at most two.
		if layer := 2 * 2 * 64 * 8 * 4; small.CacheBytes(400) != int64((7+2)*2*layer) {
			t.Errorf("400 tokens take %d bytes, want %d", small.CacheBytes(400), (7+2)*2*layer)
		}
		for _, c := range []generate.Config{{Chunk: 16}, {PrefixTokens: 1 << 20}, {Chunk: 30, Speculation: generate.Speculation{NGram: true}}} {
			e := engine(t, b, m, c)
			for round := range 2 {
				got, err := e.GenerateAll(context.Background(), rs, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := range got {
					same(t, fmt.Sprintf("windows, %d threads, %+v, round %d, request %d", threads, c, round, i), got[i], want[i])
				}
			}
		}
	}
}
