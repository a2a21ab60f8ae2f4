package generate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// computed is the number of prompt tokens that went through the model.
func computed(rs []generate.Request, got []*generate.Result) (n int) {
	for i, r := range got {
		n += len(rs[i].Prompt) - r.Cached
	}
	return n
}

// TestPromptsAreReadOnce counts the prompt tokens that are computed when
// sequences arrive in the same step.
func TestPromptsAreReadOnce(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	o := generate.Options{MaxTokens: 6, Stream: 3, Sample: sample.Options{Temperature: 1, Seed: 2}}
	want, err := engine(t, b, m, generate.Config{}).GenerateN(context.Background(), ids(100), o, 8, nil)
	if err != nil {
		t.Fatal(err)
	}
	same8, err := generate.Candidates(ids(100), o, 8)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range alone(t, b, m, generate.Config{}, same8) {
		same(t, fmt.Sprint("candidate ", i), want[i], x)
	}
	if n := computed(same8, want); n != 100 {
		t.Errorf("8 candidates of 100 tokens: %d computed", n)
	}

	// As many candidates as the prompt has tokens.
	few, err := generate.Candidates(ids(8), o, 8)
	if err != nil {
		t.Fatal(err)
	}
	got, err := engine(t, b, m, generate.Config{}).GenerateAll(context.Background(), few, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range alone(t, b, m, generate.Config{}, few) {
		same(t, fmt.Sprint("candidate of a short prompt ", i), got[i], x)
	}

	// The same prompts, but not in a row, and others that share 64 tokens of it.
	mixed := make([]generate.Request, 12)
	for i := range mixed {
		prompt := ids(100)
		if i%3 == 2 {
			prompt = append(ids(80), int32(i), 1, 2)
		}
		mixed[i] = generate.Request{Prompt: prompt, Options: o}
		mixed[i].Stream = uint64(i)
	}
	first := alone(t, b, m, generate.Config{}, mixed)
	for _, c := range []generate.Config{{}, {Chunk: 30}, {PrefixTokens: -1}} {
		got, err := engine(t, b, m, c).GenerateAll(context.Background(), mixed, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			same(t, fmt.Sprint("mixed, request ", i), got[i], first[i])
		}
		wanted := 100 + 4*(83-64)
		if c.PrefixTokens < 0 {
			wanted = 100 + 4*83
		}
		if n := computed(mixed, got); n != wanted {
			t.Errorf("%+v: %d prompt tokens computed, want %d", c, n, wanted)
		}
	}

	// One at a time: the second finds the first's pages.
	got, err = engine(t, b, m, generate.Config{Sequences: 1}).GenerateAll(context.Background(), same8, nil)
	if n := computed(same8, got); err != nil || n != 100+7*36 {
		t.Errorf("one at a time: %d computed, %v", n, err)
	}
	for _, n := range []int{0, -1, 10_000} {
		if r, err := engine(t, b, m, generate.Config{}).GenerateN(context.Background(), ids(3), o, n, nil); r != nil || err == nil || !strings.Contains(err.Error(), "must be 1 to 4096") {
			t.Errorf("%d candidates: %v", n, err)
		}
	}
}

// TestBranches takes the most probable token of a branch again and again, beside
// sequences that generate, and compares with Generate; children of one branch
// differ in their last token only.
func TestBranches(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	want, err := engine(t, b, m, generate.Config{}).Generate(context.Background(), ids(70), generate.Options{MaxTokens: 30}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range []int{0, 2, 20} {
		e := engine(t, b, m, generate.Config{Chunk: chunk})
		var beside sync.WaitGroup
		beside.Go(func() {
			if _, err := e.GenerateAll(context.Background(), requests(9), nil); err != nil {
				t.Error(err)
			}
		})
		root, err := e.Branch(context.Background(), ids(70), 100)
		if err != nil {
			t.Fatal(err)
		}
		// Three ways on at each step: that of Generate and two that are left.
		branches := []*generate.Branch{root}
		for i, id := range want.IDs {
			best, lps := make([]int32, len(branches)), make([]float64, len(branches))
			err := e.Next(context.Background(), branches, func(i int, logits []float32) {
				best[i] = sample.Argmax(logits)
				lps[i] = sample.LogProb(logits, best[i])
			})
			if err != nil {
				t.Fatal(err)
			}
			at := len(branches) - 1
			if best[at] != id || lps[at]-want.LogProbs[i] > 1e-6 || want.LogProbs[i]-lps[at] > 1e-6 {
				t.Fatalf("chunk %d, token %d: %d (%v), Generate drew %d (%v)", chunk, i, best[at], lps[at], id, want.LogProbs[i])
			}
			if branches, err = e.Extend(branches, []int{at, at, at}, []int32{1, 2, id}); err != nil {
				t.Fatal(err)
			}
		}
		if got := branches[2].IDs(); !slices.Equal(got, append(ids(70), want.IDs...)) || branches[2].Room() != 0 {
			t.Errorf("chunk %d: %v", chunk, got)
		}
		if a, b := branches[0].IDs(), branches[1].IDs(); !slices.Equal(a[:99], b[:99]) || a[99] != 1 || b[99] != 2 {
			t.Errorf("chunk %d: children %v and %v", chunk, a, b)
		}
		for _, x := range branches {
			x.Close()
		}
		beside.Wait()
	}
}

func TestBranchErrors(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	ctx := context.Background()
	e := engine(t, b, m, generate.Config{CacheBytes: engine(t, b, m, generate.Config{}).CacheBytes(129)})
	for want, limit := range map[string]int{"hold the prompt of 9": 8, "fit the context of 160": 161} {
		if _, err := e.Branch(ctx, ids(9), limit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("limit %d: %v, want %q", limit, err, want)
		}
	}
	if _, err := e.Branch(ctx, nil, 0); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("no prompt: %v", err)
	}
	// Three pages: one branch of two fits, and another of one.
	two, err := e.Branch(ctx, ids(9), 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Fork(); !errors.Is(err, cache.ErrBusy) {
		t.Errorf("a fork without room: %v", err)
	}
	if _, err := e.Extend([]*generate.Branch{two}, []int{0, 0}, []int32{1, 2}); !errors.Is(err, cache.ErrBusy) {
		t.Errorf("children without room: %v", err)
	}
	one, err := e.Branch(ctx, ids(9), 50) // the branches were closed
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := e.Next(cancelled, []*generate.Branch{one}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	one.Close()
}
