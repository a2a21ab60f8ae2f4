package cache

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"

	"github.com/foundling-lm/foundling/tensor"
)

// key names a full page: the hash of all token ids from the start of the
// sequence to the page's end (of the key of the page before, the sequence's root before
// the first, and the page's own ids). SHA-256, since a collision would show one user's text to another.
type key [sha256.Size]byte

func (k key) next(ids []int32) key {
	h := sha256.New()
	h.Write(k[:])
	var buf [4 * tensor.PageTokens]byte
	for i, id := range ids {
		binary.LittleEndian.PutUint32(buf[4*i:], uint32(id))
	}
	h.Write(buf[:4*len(ids)])
	h.Sum(k[:0])
	return k
}

// entry is a full page of a prefix.
type entry struct {
	key   key
	pages []*page // by group
	at    *list.Element
}

// prefixes is the pages that outlive their sequences, by key, and in the order of
// their last use.
type prefixes struct {
	limit  int // entries
	byKey  map[key]*entry
	recent list.List // of *entry, the most recent first
	hits   int64     // tokens that came from here
}

func (x *prefixes) init(limit int) {
	x.limit, x.byKey = limit, map[key]*entry{}
	x.recent.Init()
}

// touch makes the prefix of a path the most recent one, its first page before all
// others: a page is of no use without those before it.
func (x *prefixes) touch(path []*entry) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i].at != nil {
			x.recent.MoveToFront(path[i].at)
		}
	}
}

// remove forgets an entry.
func (x *prefixes) remove(p *Pool, e *entry) {
	if e.at == nil {
		return
	}
	x.recent.Remove(e.at)
	e.at = nil
	delete(x.byKey, e.key)
	for g, pg := range e.pages {
		p.put(g, pg)
	}
}

// freeOne forgets the entry that was used least recently among those whose pages
// nobody else holds.
func (x *prefixes) freeOne(p *Pool) bool {
	for at := x.recent.Back(); at != nil; at = at.Prev() {
		e := at.Value.(*entry)
		for _, pg := range e.pages {
			if pg.refs == 1 {
				x.remove(p, e)
				return true
			}
		}
	}
	return false
}

// Adopt gives an empty sequence the pages of the longest known prefix of ids, and
// returns its length: a multiple of the page. At least one of the ids is left.
func (s *Seq) Adopt(ids []int32) int {
	if s.n > 0 || s.p.prefixes.limit == 0 {
		return 0
	}
	s.p.budget.mu.Lock()
	defer s.p.budget.mu.Unlock()
	x, k := &s.p.prefixes, s.root
	for n := tensor.PageTokens; n < len(ids) && n < s.limit; n += tensor.PageTokens {
		k = k.next(ids[n-tensor.PageTokens : n])
		e := x.byKey[k]
		if e == nil {
			break
		}
		for g, pg := range e.pages {
			pg.refs++
			s.tables[g].add(pg)
		}
		s.path = append(s.path, e)
		s.n = n
		s.trim() // a long prefix must not hold more than was promised
	}
	x.touch(s.path)
	x.hits += int64(s.n)
	return s.n
}

// Publish makes the full pages of the sequence known, so that others can adopt
// them; ids are its tokens. It must be called before Trim drops the pages.
func (s *Seq) Publish(ids []int32) {
	x := &s.p.prefixes
	if x.limit == 0 || len(s.path) >= s.n/tensor.PageTokens {
		return
	}
	s.p.budget.mu.Lock()
	defer s.p.budget.mu.Unlock()
	for i := len(s.path); i < s.n/tensor.PageTokens; i++ {
		k := s.root
		if i > 0 {
			k = s.path[i-1].key
		}
		k = k.next(ids[i*tensor.PageTokens : (i+1)*tensor.PageTokens])
		e := x.byKey[k]
		if e == nil {
			e = &entry{key: k}
			for g := range s.tables {
				pg := s.tables[g].pages[i]
				pg.refs++
				e.pages = append(e.pages, pg)
			}
			e.at = x.recent.PushFront(e)
			x.byKey[k] = e
		}
		s.path = append(s.path, e)
	}
	x.touch(s.path)
	for x.recent.Len() > x.limit {
		x.remove(s.p, x.recent.Back().Value.(*entry))
	}
}

// PrefixHits is the number of tokens that were adopted instead of computed.
func (p *Pool) PrefixHits() int64 {
	p.budget.mu.Lock()
	defer p.budget.mu.Unlock()
	return p.prefixes.hits
}

// PrefixTokens is the number of tokens whose pages are kept.
func (p *Pool) PrefixTokens() int {
	p.budget.mu.Lock()
	defer p.budget.mu.Unlock()
	return p.prefixes.recent.Len() * tensor.PageTokens
}
