// Package cache holds what a model remembers of sequences while it decodes: the
// keys and values of every layer, in pages of tensor.PageTokens tokens.
//
// A Pool owns the pages. A Seq takes them as it grows and gives them back when it
// ends. Full pages are found again by the hash of all token ids up to their end,
// so sequences that begin alike share them; a page that somebody else holds too
// is copied before it is written. Layers with a sliding window drop the pages
// that no later token can see. A Batch is one step of a model over several
// sequences, each with its own length.
//
// In f32 (or bf16 where activations are bf16) the pages hold the very numbers
// that a pass without a cache would attend over. In narrower formats keys and
// values are read back through the format also in the step that makes them, so
// it makes no difference how a sequence was cut into steps.
//
// Not here: what a step computes (model/nn, tensor.Cached) and which sequences
// take part in it (generate).
package cache

import (
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// Options of a Pool. Layers, KVHeads and HeadDim must be given.
type Options struct {
	Layers, KVHeads, HeadDim int
	// Windows is how many tokens back each layer sees, 0 without a limit; nil: no
	// layer has one.
	Windows []int
	// Format is "f32", "f16", "bf16" or "q8"; "" is the format of activations, in
	// which nothing is lost.
	Format string
	// MaxBytes bounds the memory of all pages; 0: no bound. It is not looked at where
	// there is a Budget.
	MaxBytes int64
	Budget   *Budget // that pools share; nil: one of its own
	// Freed is called when another pool of the budget has given memory back that this
	// one may wait for, from that pool's goroutine; nil: nobody is told.
	Freed func()
	// PrefixTokens bounds the tokens of which pages are kept for later sequences
	// that begin alike; 0: none are.
	PrefixTokens int
	// StepTokens is the most that one step adds to a sequence; 0: 512.
	StepTokens int
}

const defaultStep = 512

// Pool is the pages of one model. It serves one goroutine at a time; others may work on
// other pools of its budget meanwhile.
type Pool struct {
	b        tensor.Backend
	o        Options
	format   tensor.CacheFormat
	groups   []group
	place    []place // of each layer
	budget   *Budget // its lock guards pages and prefixes too
	prefixes prefixes
}

// group is the layers with one window. They share pages.
type group struct {
	window    int
	pageBytes int
	free      []*page
}

// place is where a layer's keys and values lie.
type place struct{ group, offset int }

// page is memory for tensor.PageTokens tokens of the layers of a group.
type page struct {
	mem  tensor.Memory
	refs int // sequences and prefixes that hold it
}

// New makes an empty pool; pages are allocated as sequences grow. The error says
// which option is impossible.
func New(b tensor.Backend, o Options) (*Pool, error) {
	if o.Layers <= 0 || o.KVHeads <= 0 || o.HeadDim <= 0 || o.Windows != nil && len(o.Windows) != o.Layers {
		panic(fmt.Sprintf("cache: pool of %d layers (%d windows) with %d heads of %d", o.Layers, len(o.Windows), o.KVHeads, o.HeadDim))
	}
	p := &Pool{b: b, o: o}
	switch {
	case o.Format != "":
		f, err := tensor.ParseCacheFormat(o.Format)
		if err != nil {
			return nil, err
		}
		p.format = f
	case b.Narrow() == dtype.BF16:
		p.format = tensor.CacheBF16
	}
	if o.MaxBytes < 0 || o.PrefixTokens < 0 || o.StepTokens < 0 {
		return nil, fmt.Errorf("cache limits of %d bytes, %d tokens of prefixes and %d tokens a step: none may be negative", o.MaxBytes, o.PrefixTokens, o.StepTokens)
	}
	if o.StepTokens == 0 {
		p.o.StepTokens = defaultStep
	}
	layer := 2 * o.KVHeads * p.format.Bytes(o.HeadDim)
	for i := range o.Layers {
		window := 0
		if o.Windows != nil {
			window = o.Windows[i]
		}
		g := slices.IndexFunc(p.groups, func(g group) bool { return g.window == window })
		if g < 0 {
			g = len(p.groups)
			p.groups = append(p.groups, group{window: window})
		}
		p.place = append(p.place, place{g, p.groups[g].pageBytes})
		p.groups[g].pageBytes += layer
	}
	p.prefixes.init(o.PrefixTokens / tensor.PageTokens)
	if p.budget = o.Budget; p.budget == nil {
		p.budget = NewBudget(o.MaxBytes)
	}
	p.budget.mu.Lock()
	defer p.budget.mu.Unlock()
	p.budget.pools = append(p.budget.pools, p)
	return p, nil
}

// Format is the number format of the pages.
func (p *Pool) Format() tensor.CacheFormat { return p.format }

// StepTokens is the most that one step adds to a sequence.
func (p *Pool) StepTokens() int { return p.o.StepTokens }

// Bytes is the memory of the pages of one sequence of so many tokens at the most
// that it needs at a time. It may be called beside everything else.
func (p *Pool) Bytes(tokens int) int64 {
	var sum int64
	for i := range p.groups {
		g, pages := &p.groups[i], pagesOf(tokens) // no copy: free pages come and go meanwhile
		if g.window > 0 {                         // the window, the tokens of a step, and a page cut at either end
			pages = min(pages, pagesOf(g.window+p.o.StepTokens)+1)
		}
		sum += int64(pages) * int64(g.pageBytes)
	}
	return sum
}

func pagesOf(tokens int) int { return (tokens + tensor.PageTokens - 1) / tensor.PageTokens }

// Budget is the memory that the pool takes its pages from.
func (p *Pool) Budget() *Budget { return p.budget }

// MemoryError reports a sequence that can never fit into the pool.
type MemoryError struct {
	Tokens      int   // that the sequence may have
	Need, Limit int64 // bytes
	Format      tensor.CacheFormat
}

// Error says what is needed and what is allowed, with the remedy.
func (e *MemoryError) Error() string {
	remedy := "give a shorter prompt or fewer new tokens, or allow more memory"
	if e.Format != tensor.CacheQ8 {
		remedy = "give a shorter prompt or fewer new tokens, choose a smaller cache format (f16, q8), or allow more memory"
	}
	return fmt.Sprintf("the keys and values of %d tokens take %s in %v, and %s are allowed: %s",
		e.Tokens, mebibytes(e.Need), e.Format, mebibytes(e.Limit), remedy)
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB (%d bytes)", float64(n)/(1<<20), n) }

// get hands out a zero page of group g.
func (p *Pool) get(g int) *page {
	grp, b := &p.groups[g], p.budget
	for len(grp.free) == 0 && b.max > 0 && b.bytes+int64(grp.pageBytes) > b.max {
		if !b.room(p) {
			if b.promised <= b.max {
				panic("cache: promised memory is not there") // promises count every page
			}
			break // the bound was lowered after the promise
		}
	}
	if n := len(grp.free); n > 0 {
		pg := grp.free[n-1]
		grp.free = grp.free[:n-1]
		pg.refs = 1
		// What another sequence left could be NaN, which a weight of 0 does not hide.
		p.b.Zero(p.words(pg.mem, grp.pageBytes))
		return pg
	}
	b.bytes += int64(grp.pageBytes)
	return &page{mem: p.b.Alloc(grp.pageBytes), refs: 1}
}

// words is a page's memory as numbers that the backend can zero or copy.
func (p *Pool) words(m tensor.Memory, bytes int) *tensor.Tensor {
	dt := p.b.Wide()
	return tensor.Over(m, dt, 1, bytes/dt.Size())
}

// makeRoom gives memory back: a free page of any group, else the prefix that was
// used least recently.
func (p *Pool) makeRoom() bool {
	for i := range p.groups {
		g := &p.groups[i]
		if n := len(g.free); n > 0 {
			p.b.Release(g.free[n-1].mem)
			g.free = g.free[:n-1]
			p.budget.bytes -= int64(g.pageBytes)
			return true
		}
	}
	return p.prefixes.freeOne(p)
}

// put drops one hold on a page.
func (p *Pool) put(g int, pg *page) {
	if pg.refs--; pg.refs == 0 {
		p.groups[g].free = append(p.groups[g].free, pg)
	}
}

// Close gives the memory back. Sequences must have been closed.
func (p *Pool) Close() {
	b := p.budget
	b.mu.Lock()
	p.release()
	b.pools = slices.DeleteFunc(b.pools, func(o *Pool) bool { return o == p })
	b.mu.Unlock()
	p.Unclaim()
	b.freed(p)
}

// release gives all pages back.
func (p *Pool) release() {
	for at := p.prefixes.recent.Back(); at != nil; at = p.prefixes.recent.Back() {
		p.prefixes.remove(p, at.Value.(*entry))
	}
	for i := range p.groups {
		for _, pg := range p.groups[i].free {
			p.b.Release(pg.mem)
			p.budget.bytes -= int64(p.groups[i].pageBytes)
		}
		p.groups[i].free = nil
	}
}
