package cache

import (
	"slices"
	"sync"
)

// Budget is memory for the pages of several pools: what one of them does not use, the
// others may. Pools with a common budget may be used from several goroutines, one each.
// A pool whose backend frees memory on one goroutine only needs a budget of its own.
type Budget struct {
	mu       sync.Mutex
	max      int64 // 0: no bound
	bytes    int64 // of all pages, used or not
	promised int64 // to open sequences
	pools    []*Pool
	claims   []claim
}

// claim is a pool's wish for memory that was not there, the oldest first: others are not
// promised what it waits for.
type claim struct {
	p    *Pool
	need int64
}

// NewBudget makes a budget of so many bytes; 0: no bound.
func NewBudget(max int64) *Budget { return &Budget{max: max} }

// SetMax changes the bound. Sequences that are open keep what they were promised.
func (b *Budget) SetMax(max int64) {
	b.mu.Lock()
	b.max = max
	b.mu.Unlock()
	b.freed(nil)
}

// Max is the bound.
func (b *Budget) Max() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.max
}

// Pools is the number of pools that are open.
func (b *Budget) Pools() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pools)
}

// Held is the memory of all pages, those that wait for a sequence included.
func (b *Budget) Held() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// Promised is the memory that open sequences hold or may come to hold.
func (b *Budget) Promised() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.promised
}

// freed tells all pools but p that there may be room now. The lock is not held.
func (b *Budget) freed(p *Pool) {
	b.mu.Lock()
	pools := slices.Clone(b.pools)
	b.mu.Unlock()
	for _, o := range pools {
		if o != p && o.o.Freed != nil {
			o.o.Freed()
		}
	}
}

// fits says whether p may be promised need now. Claims of other pools that are older
// than its own come first.
func (b *Budget) fits(p *Pool, need int64) bool {
	if b.max == 0 {
		return true
	}
	sum := b.promised + need
	for _, c := range b.claims {
		if c.p == p {
			break
		}
		sum += c.need
	}
	return sum <= b.max
}

// Claim says that the pool waits for room for a sequence of limit tokens, for which
// Open said ErrBusy: other pools do not get it before. It holds until Unclaim.
func (p *Pool) Claim(limit int) {
	b := p.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	need := p.Bytes(limit)
	if i := slices.IndexFunc(b.claims, func(c claim) bool { return c.p == p }); i >= 0 {
		b.claims[i].need = need
		return
	}
	b.claims = append(b.claims, claim{p, need})
}

// Unclaim says that the pool waits no longer.
func (p *Pool) Unclaim() {
	b := p.budget
	b.mu.Lock()
	n := len(b.claims)
	b.claims = slices.DeleteFunc(b.claims, func(c claim) bool { return c.p == p })
	gone := len(b.claims) < n
	b.mu.Unlock()
	if gone {
		b.freed(p)
	}
}

// room gives memory back for p: a free page or a prefix of its own, else of another
// pool.
func (b *Budget) room(p *Pool) bool {
	if p.makeRoom() {
		return true
	}
	return slices.ContainsFunc(b.pools, func(o *Pool) bool { return o != p && o.makeRoom() })
}
