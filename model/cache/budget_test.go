package cache_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// TestBudget lets two pools share room for three pages: what one gives back, prefixes
// included, the other gets, and who waits longest is not overtaken.
func TestBudget(t *testing.T) {
	b, err := cpu.New(cpu.Options{Threads: 1, Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	o := cache.Options{Layers: 1, KVHeads: 2, HeadDim: 4, PrefixTokens: 10 * page}
	one, err := cache.New(b, o)
	if err != nil {
		t.Fatal(err)
	}
	bytes := one.Bytes(page)
	one.Close()
	budget := cache.NewBudget(3 * bytes)
	o.Budget = budget
	pools, freed := make([]*cache.Pool, 2), make([]int, 2)
	for i := range pools {
		o.Freed = func() { freed[i]++ }
		if pools[i], err = cache.New(b, o); err != nil {
			t.Fatal(err)
		}
		defer pools[i].Close()
	}
	open := func(i, pages int) *cache.Seq {
		t.Helper()
		s, err := pools[i].Open(pages * page)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ids := text(2*page+1, 1)
	first := open(0, 3)
	step(b, pools[0], first, 1, ids)
	first.Publish(ids)
	if _, err := pools[1].Open(1); !errors.Is(err, cache.ErrBusy) {
		t.Errorf("a full budget: %v", err)
	}
	first.Close()
	if freed[0] != 0 || freed[1] != 1 || budget.Held() != 3*bytes || budget.Promised() != 0 {
		t.Errorf("told %v, %d bytes held, %d promised", freed, budget.Held(), budget.Promised())
	}
	// The pages of the other pool's prefixes make room.
	second := open(1, 3)
	step(b, pools[1], second, 1, ids)
	if got := pools[0].PrefixTokens(); got != 0 || budget.Held() != 3*bytes {
		t.Errorf("%d tokens of prefixes are left, %d bytes held", got, budget.Held())
	}
	second.Close()
	// Who claims is promised its room before others that came later.
	small := open(0, 2)
	if _, err := pools[1].Open(2 * page); !errors.Is(err, cache.ErrBusy) {
		t.Errorf("beyond the budget: %v", err)
	}
	pools[1].Claim(2 * page)
	if _, err := pools[0].Open(page); !errors.Is(err, cache.ErrBusy) {
		t.Errorf("overtaking a claim: %v", err)
	}
	pools[0].Claim(page)
	small.Close()
	claimed := open(1, 2)
	pools[1].Unclaim()
	open(0, 1).Close()
	pools[0].Unclaim()
	claimed.Close()
	// A lower bound refuses what has become too large.
	budget.SetMax(bytes)
	var memory *cache.MemoryError
	if _, err := pools[0].Open(2 * page); !errors.As(err, &memory) || memory.Limit != bytes {
		t.Errorf("a lower bound: %v", err)
	}
}

// TestBudgetBesides uses two pools of a budget from two goroutines.
func TestBudgetBesides(t *testing.T) {
	budget := cache.NewBudget(0)
	var all sync.WaitGroup
	for i := range 2 {
		b, err := cpu.New(cpu.Options{Threads: 1, Precision: "f32"})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		p, err := cache.New(b, cache.Options{Layers: 1, KVHeads: 2, HeadDim: 4, PrefixTokens: 2 * page, Budget: budget})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		budget.SetMax(4 * p.Bytes(page))
		all.Go(func() {
			for n := range 200 {
				s, err := p.Open(2 * page)
				if errors.Is(err, cache.ErrBusy) {
					continue
				}
				ids := text(2*page, uint64(i*1000+n%3))
				rest := ids[s.Adopt(ids):]
				step(b, p, s, 1, rest)
				s.Publish(ids)
				s.Close()
			}
		})
	}
	all.Wait()
	if budget.Promised() != 0 || budget.Held() > budget.Max() {
		t.Errorf("%d promised, %d held of %d", budget.Promised(), budget.Held(), budget.Max())
	}
}
