package generate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// TestWaitingForTheCache lets a branch hold all of a bounded cache: what wants some
// waits without trying again and again, until the branch is closed, its time is over
// or it is cancelled.
func TestWaitingForTheCache(t *testing.T) {
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 16, Heads: 2, Vocab: 64, Context: 64})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 1)
	free := New(b, m, nil)
	defer free.Close()
	e, err := Open(b, m, nil, Config{CacheBytes: free.CacheBytes(64)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, prompt := context.Background(), []int32{1, 2, 3}
	branch, err := e.Branch(ctx, prompt, 0)
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	var late *Result
	for name, wait := range map[string]func() error{
		"time": func() error {
			r, err := e.Generate(ctx, prompt, Options{TimeLimit: 20 * time.Millisecond}, nil)
			late = r
			return err
		},
		"generate": func() error { _, err := e.Generate(cancelled, prompt, Options{}, nil); return err },
		"score":    func() error { _, err := e.ScoreAll(cancelled, [][]int32{prompt}, 0); return err },
		"branch":   func() error { _, err := e.Branch(cancelled, prompt, 0); return err },
	} {
		if name == "time" {
			if err := wait(); err != nil || late.Finish != FinishTime {
				t.Errorf("a time limit: %+v, %v", late, err)
			}
			continue
		}
		got := make(chan error)
		go func() { got <- wait() }()
		for stuck := false; !stuck; time.Sleep(time.Millisecond) {
			e.mu.Lock()
			stuck = e.stuck
			e.mu.Unlock()
		}
		select {
		case err := <-got:
			t.Errorf("%s does not wait: %v", name, err)
		case <-time.After(10 * time.Millisecond):
		}
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled: %v", name, err)
		}
		cancelled, cancel = context.WithCancel(ctx)
	}
	cancel()
	got := make(chan error)
	go func() { _, err := e.Generate(ctx, prompt, Options{MaxTokens: 5}, nil); got <- err }()
	time.Sleep(5 * time.Millisecond)
	branch.Close()
	if err := <-got; err != nil {
		t.Error(err)
	}
}
