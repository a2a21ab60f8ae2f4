package cache

import (
	"encoding/binary"
	"fmt"

	"github.com/foundling-lm/foundling/tensor"
)

// Seq is the keys and values of one sequence.
type Seq struct {
	p        *Pool
	n, limit int
	promised int64
	root     key      // of the keys of its pages
	tables   []table  // by group
	path     []*entry // prefixes of the full pages, as far as they are known
}

// table is the pages of a sequence for one group of layers; those behind the
// window are nil.
type table struct {
	pages   []*page
	mems    []tensor.Memory // of the pages
	dropped int             // pages at the front that are nil
}

// ErrBusy reports that a sequence fits only when others have ended.
var ErrBusy = fmt.Errorf("other sequences hold the cache")

// Open promises room for a sequence of at most limit tokens. The error is a
// *MemoryError where it never fits and ErrBusy where it does not fit now.
// Nothing is allocated yet.
func (p *Pool) Open(limit int) (*Seq, error) {
	p.budget.mu.Lock()
	defer p.budget.mu.Unlock()
	return p.open(limit)
}

func (p *Pool) open(limit int) (*Seq, error) {
	need := p.Bytes(limit)
	if err := p.check(limit); err != nil {
		return nil, err
	}
	if !p.budget.fits(p, need) {
		return nil, ErrBusy
	}
	p.budget.promised += need
	return &Seq{p: p, limit: limit, promised: need, tables: make([]table, len(p.groups))}, nil
}

// Under names the weights that an empty sequence is computed with, where the model of
// the pool has several (adapters): it shares prefixes with those of the same number.
// 0 is the model alone.
func (s *Seq) Under(weights uint64) {
	s.root = key{}
	binary.LittleEndian.PutUint64(s.root[:], weights)
}

// Check says whether a sequence of limit tokens fits into the empty pool. It may
// be called beside everything else.
func (p *Pool) Check(limit int) error {
	p.budget.mu.Lock()
	defer p.budget.mu.Unlock()
	return p.check(limit)
}

func (p *Pool) check(limit int) error {
	if need, max := p.Bytes(limit), p.budget.max; max > 0 && need > max {
		return &MemoryError{Tokens: limit, Need: need, Limit: max, Format: p.format}
	}
	return nil
}

// Len is the number of tokens held.
func (s *Seq) Len() int { return s.n }

// Limit is the number of tokens that were promised room.
func (s *Seq) Limit() int { return s.limit }

// grow makes pages for n more tokens and makes the page in which they begin the
// sequence's own.
func (s *Seq) grow(n int) {
	if n > s.p.o.StepTokens || s.n+n > s.limit {
		panic(fmt.Sprintf("cache: %d tokens after %d: a step takes %d, the sequence %d", n, s.n, s.p.o.StepTokens, s.limit))
	}
	s.p.budget.mu.Lock()
	defer s.p.budget.mu.Unlock()
	for g := range s.tables {
		t := &s.tables[g]
		for len(t.pages)*tensor.PageTokens < s.n+n {
			t.add(s.p.get(g))
		}
		if i := s.n / tensor.PageTokens; i < len(t.pages) && t.pages[i].refs > 1 {
			own, old := s.p.get(g), t.pages[i]
			bytes := s.p.groups[g].pageBytes
			s.p.b.Copy(s.p.words(own.mem, bytes), s.p.words(old.mem, bytes))
			s.p.put(g, old)
			t.pages[i], t.mems[i] = own, own.mem
		}
	}
}

func (t *table) add(pg *page) {
	t.pages, t.mems = append(t.pages, pg), append(t.mems, pg.mem)
}

// Truncate forgets the tokens from n on. Tokens that have been dropped behind a
// window do not come back: n must not be more than a step before the end.
func (s *Seq) Truncate(n int) {
	if n >= s.n {
		return
	}
	s.p.budget.mu.Lock()
	defer s.p.budget.mu.Unlock()
	s.n = n
	keep := pagesOf(n)
	for g := range s.tables {
		t := &s.tables[g]
		for i := keep; i < len(t.pages); i++ {
			if t.pages[i] != nil {
				s.p.put(g, t.pages[i])
			}
		}
		if keep < len(t.pages) {
			clear(t.pages[keep:])
			clear(t.mems[keep:])
			t.pages, t.mems = t.pages[:keep], t.mems[:keep]
		}
		t.dropped = min(t.dropped, keep)
	}
	if full := n / tensor.PageTokens; full < len(s.path) {
		if full < keep { // cut in the middle: what is written next is another text
			s.p.prefixes.remove(s.p, s.path[full])
		}
		s.path = s.path[:full]
	}
}

// Trim drops the pages that no token from Len on sees.
func (s *Seq) Trim() {
	s.p.budget.mu.Lock()
	defer s.p.budget.mu.Unlock()
	s.trim()
}

func (s *Seq) trim() {
	for g := range s.tables {
		t, window := &s.tables[g], s.p.groups[g].window
		if window == 0 {
			continue
		}
		first := max(0, s.n+1-window) / tensor.PageTokens // seen by the next token
		for ; t.dropped < min(first, len(t.pages)); t.dropped++ {
			s.p.put(g, t.pages[t.dropped])
			t.pages[t.dropped], t.mems[t.dropped] = nil, nil
		}
	}
}

// Fork promises room for another sequence that begins with all tokens of s and
// shares their pages. Errors are those of Open.
func (s *Seq) Fork(limit int) (*Seq, error) {
	s.p.budget.mu.Lock()
	defer s.p.budget.mu.Unlock()
	f, err := s.p.open(limit)
	if err != nil {
		return nil, err
	}
	f.n, f.root = s.n, s.root
	f.path = append(f.path, s.path...)
	for g := range s.tables {
		for _, pg := range s.tables[g].pages {
			if pg != nil {
				pg.refs++
				f.tables[g].add(pg)
				continue
			}
			f.tables[g].pages, f.tables[g].mems = append(f.tables[g].pages, nil), append(f.tables[g].mems, nil)
		}
		f.tables[g].dropped = s.tables[g].dropped
	}
	return f, nil
}

// Close gives the pages back to the pool.
func (s *Seq) Close() {
	p := s.p
	p.budget.mu.Lock()
	s.close()
	p.budget.mu.Unlock()
	p.budget.freed(p)
}

func (s *Seq) close() {
	for g := range s.tables {
		for _, pg := range s.tables[g].pages {
			if pg != nil {
				s.p.put(g, pg)
			}
		}
	}
	s.p.budget.promised -= s.promised
	*s = Seq{p: s.p}
}
