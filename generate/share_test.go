package generate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

func tiny(t *testing.T) (*cpu.Backend, model.Model) {
	t.Helper()
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 16, Heads: 2, Vocab: 64, Context: 256})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 1)
	return b, m
}

func opened(t *testing.T, c Config) *Engine {
	t.Helper()
	b, m := tiny(t)
	e, err := Open(b, m, nil, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// waiting puts requests into the queue without running a step.
func waiting(t *testing.T, e *Engine, rs []Request) []*sequence {
	t.Helper()
	var seqs []*sequence
	for _, r := range rs {
		s, err := e.newSequence(r.Prompt, r.Options)
		if err != nil {
			t.Fatal(err)
		}
		s.driver = &driver{}
		seqs = append(seqs, s)
	}
	e.mu.Lock()
	e.arrived = append(e.arrived, seqs...)
	e.mu.Unlock()
	return seqs
}

// prompt is n ids that begin unlike others.
func prompt(n, i int) []int32 {
	ids := make([]int32, n)
	for k := range ids {
		ids[k] = int32((i*7 + k*k) % 64)
	}
	return ids
}

// TestTurns has one key fill the queue before two others come: whoever had least is
// next, and in the end all had the same.
func TestTurns(t *testing.T) {
	e := opened(t, Config{Sequences: 2, PrefixTokens: -1})
	var rs []Request
	for i, key := range []string{"a", "a", "a", "a", "a", "a", "b", "c", "b"} {
		rs = append(rs, Request{prompt(10, i), Options{MaxTokens: 5, Key: key}})
	}
	seqs := waiting(t, e, rs)
	var order []int
	for len(order) < len(seqs) {
		e.alone(func() { e.run() })
		for i, s := range seqs {
			if s.new() > 0 && !slices.Contains(order, i) {
				order = append(order, i)
			}
		}
	}
	var keys string
	for _, i := range order {
		keys += rs[i].Key
	}
	if keys != "abacabaaa" { // two a step
		t.Errorf("turns are %s, want abacabaaa", keys)
	}
	for range 10 {
		e.alone(func() { e.run() })
	}
	if len(e.shares) != 0 {
		t.Errorf("%d keys are remembered although none could gain by being forgotten", len(e.shares))
	}
}

// TestSharesAreNotSaved has a key come back after others had much: it is not served
// until it has had as much, but from then on as one of them.
func TestSharesAreNotSaved(t *testing.T) {
	x := shares{}
	a := x.join("a")
	b := x.join("b")
	a.rows, b.rows = 100, 30
	x.leave(b)
	if x["b"] != nil {
		t.Error("b had less than the least: there is nothing to remember")
	}
	if b = x.join("b"); b.rows != 100 {
		t.Errorf("b comes back with %d rows, want 100", b.rows)
	}
	b.rows = 300
	x.leave(b)
	if got := x.join("b").rows; got != 300 {
		t.Errorf("b comes back with %d rows and had 300", got)
	}
}

// TestChunksAreShared has two keys read prompts at a time, one of them a long one.
func TestChunksAreShared(t *testing.T) {
	e := opened(t, Config{Chunk: 40, Beside: 20, PrefixTokens: -1})
	seqs := waiting(t, e, []Request{
		{prompt(200, 0), Options{MaxTokens: 20, Key: "a"}}, {prompt(30, 1), Options{MaxTokens: 20, Key: "a"}},
		{prompt(30, 2), Options{MaxTokens: 20, Key: "b"}},
	})
	for step, want := range [][]int{{20, 0, 20}, {50, 0, 30}, {70, 0, 31}, {90, 0, 32}} { // b decodes beside from the third on
		e.alone(func() { e.run() })
		for i, s := range seqs {
			if s.kv.Len() != want[i] {
				t.Errorf("step %d: sequence %d has read %d tokens, want %d", step, i, s.kv.Len(), want[i])
			}
		}
	}
}

// TestCancelledWithinAStep ends a sequence while a step runs: the next one is without it
// and has another in its place. The others are out, with their memory, when cancel
// returns: one that leads, one that follows it, one that waits.
func TestCancelledWithinAStep(t *testing.T) {
	e := opened(t, Config{Sequences: 3, PrefixTokens: -1, CacheBytes: 1 << 20, Chunk: 4})
	seqs := waiting(t, e, []Request{{prompt(9, 0), Options{}}, {prompt(9, 1), Options{}}, {prompt(9, 1), Options{}}, {prompt(9, 2), Options{}}, {prompt(9, 3), Options{}}})
	e.alone(func() { e.run() })
	gone := make(chan bool)
	e.alone(func() {
		if len(e.running) != 3 || seqs[2].leader != seqs[1] {
			t.Fatalf("%d sequences run, the leader is %p", len(e.running), seqs[2].leader)
		}
		go func() { gone <- e.cancel(seqs[0]) }()
		for deadline, seen := time.Now().Add(time.Minute), false; !seen; time.Sleep(time.Millisecond) {
			e.mu.Lock()
			seen = seqs[0].cancelled
			e.mu.Unlock()
			if time.Now().After(deadline) {
				t.Fatal("the sequence is not cancelled")
			}
		}
		e.run()
		if seqs[0].kv != nil || slices.Contains(e.running, seqs[0]) || !slices.Contains(e.running, seqs[4]) {
			t.Error("after a step the sequence that was cancelled still has its place")
		}
	})
	<-gone
	for i, s := range seqs[1:] {
		if !e.cancel(s) || s.kv != nil || slices.Contains(e.running, s) || slices.Contains(e.queue, s) {
			t.Errorf("sequence %d is not out", i+1)
		}
	}
	if n := e.pool.Budget().Promised(); n != 0 || len(e.shares) != 0 {
		t.Errorf("%d bytes are promised to nobody, %d keys are left", n, len(e.shares))
	}
}

// TestOneBudget lets two engines share room for one text: the texts of both are written,
// one after the other, and one that can never fit is refused in bytes.
func TestOneBudget(t *testing.T) {
	b, m := tiny(t)
	free := New(b, m, nil)
	budget := cache.NewBudget(free.CacheBytes(128))
	free.Close()
	var engines []*Engine
	for range 2 {
		b, m := tiny(t)
		e, err := Open(b, m, nil, Config{Budget: budget})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		engines = append(engines, e)
	}
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			r, err := engines[i%2].Generate(context.Background(), prompt(60, i), Options{MaxTokens: 64}, nil)
			if err != nil || len(r.IDs) != 64 {
				t.Errorf("text %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if budget.Promised() != 0 || budget.Held() > budget.Max() {
		t.Errorf("%d bytes promised, %d held of %d", budget.Promised(), budget.Held(), budget.Max())
	}
	var memory *cache.MemoryError
	if _, err := engines[0].Generate(context.Background(), prompt(60, 0), Options{MaxTokens: 128}, nil); !errors.As(err, &memory) || memory.Limit != budget.Max() {
		t.Errorf("188 tokens in room for 128: %v", err)
	}
}

// TestDelivery has a slow reader beside a quick one: the quick one's tokens are handed
// out before the next step, and the slow one is waited for once.
func TestDelivery(t *testing.T) { synctest.Test(t, deliver) }

// deliver is in a bubble of synctest: work takes no time there, only waiting does.
func deliver(t *testing.T) {
	e := opened(t, Config{})
	ctx, reading, slow := context.Background(), make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		n := 0
		_, err := e.Generate(ctx, prompt(5, 0), Options{MaxTokens: 100}, func(Piece) bool {
			if n++; n == 2 {
				close(reading)
				<-slow
			}
			return true
		})
		ended <- err
	}()
	<-reading
	start := time.Now()
	r, err := e.Generate(ctx, prompt(5, 1), Options{MaxTokens: 200}, func(p Piece) bool {
		if p.Chosen.IsZero() || time.Since(p.Chosen) > patienceTime {
			t.Errorf("a piece chosen at %v comes at %v", p.Chosen, time.Now())
		}
		return true
	})
	if err != nil || len(r.IDs) != 200 {
		t.Errorf("%d tokens, %v", len(r.IDs), err)
	}
	if took := time.Since(start); took != patienceTime {
		t.Errorf("200 tokens beside a slow reader waited %v, want one wait of %v", took, patienceTime)
	}
	close(slow)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.owed) != 0 {
		t.Errorf("%d callers are still waited for", len(e.owed))
	}
}
