package cfg

import (
	"cmp"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/alphabet"
)

// A stacks is a set of stacks of unfinished rules: what a text may still become. Each
// stack ends in one of the frames or, if bottom, is empty. Frames of the same term are
// one, so a set is a deterministic automaton without cycles that reads stacks from
// the top; sets are interned, so that equal ones are the same pointer.
type stacks struct {
	id        uint64
	bottom    bool
	accepting bool
	frames    []frame // by term
	cost      int     // bytes of the shortest rest

	hash  uint64
	chain *stacks

	explored bool
	part     *alphabet.Partition // the characters that may follow
	to       []*stacks           // and what is behind them, by class
}

// A frame is a term that must be read before the set of stacks below it.
type frame struct {
	term  int32
	below *stacks
}

type pair struct{ x, y *stacks }

// set returns the interned set.
func (r *run) set(bottom bool, frames []frame) *stacks {
	h := uint64(len(frames)) + 1
	if bottom {
		h = 99
	}
	for _, f := range frames {
		h = (h ^ uint64(f.term)<<32 ^ f.below.id) * 0xFF51AFD7ED558CCD
		h ^= h >> 32
	}
	for s := r.table[h]; s != nil; s = s.chain {
		if s.bottom == bottom && slices.Equal(s.frames, frames) {
			return s
		}
	}
	s := &stacks{id: r.count, bottom: bottom, accepting: bottom, frames: frames, hash: h, cost: infinite, chain: r.table[h]}
	r.count++
	for _, f := range frames {
		s.accepting = s.accepting || f.below.accepting && r.t.Accepting(f.term)
		s.cost = min(s.cost, plus(r.t.Cost(f.term), f.below.cost))
	}
	if s.accepting {
		s.cost = 0
	}
	r.table[h] = s
	r.used += 250 + 16*len(frames)
	return s
}

// push puts a term on top of a set. What has nothing left to read is not put there, so
// that rules which end in a call of themselves take no room.
func (r *run) push(term int32, below *stacks) *stacks {
	if term == r.t.Empty() {
		return below
	}
	return r.set(false, []frame{{term, below}})
}

// union is the set of the stacks of both.
func (r *run) union(x, y *stacks) *stacks {
	if x == y || y == nil {
		return x
	}
	if x == nil {
		return y
	}
	if x.id > y.id {
		x, y = y, x
	}
	if s := r.unions[pair{x, y}]; s != nil {
		return s
	}
	frames := slices.Concat(x.frames, y.frames)
	slices.SortStableFunc(frames, func(a, b frame) int { return cmp.Compare(a.term, b.term) })
	out := frames[:0]
	for _, f := range frames {
		if n := len(out); n > 0 && out[n-1].term == f.term {
			out[n-1].below = r.union(out[n-1].below, f.below)
		} else {
			out = append(out, f)
		}
	}
	s := r.set(x.bottom || y.bottom, slices.Clip(out))
	r.unions[pair{x, y}] = s
	r.used += 60
	return s
}

// onto puts the stacks of x on top of those of base.
func (r *run) onto(x, base *stacks) *stacks {
	if len(x.frames) == 0 {
		return base // x is the empty stack
	}
	if s := r.ontos[pair{x, base}]; s != nil {
		return s
	}
	frames := make([]frame, len(x.frames))
	for i, f := range x.frames {
		frames[i] = frame{f.term, r.onto(f.below, base)}
	}
	s := r.set(false, frames)
	if x.bottom {
		s = r.union(s, base)
	}
	r.ontos[pair{x, base}] = s
	r.used += 60
	return s
}
