package cfg

import (
	"encoding/binary"

	"github.com/foundling-lm/foundling/generate/grammar/alphabet"
	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// A run steps through the texts of a compiled grammar. It is an alphabet.Automaton.
type run struct {
	t      *regular.Terms
	bodies []int32
	root   int32

	count  uint64 // of sets, ever
	table  map[uint64]*stacks
	unions map[pair]*stacks
	ontos  map[pair]*stacks
	used   int // bytes, estimated

	heads    []*head
	shortest [][]byte // of each rule, not empty
	splits   map[*alphabet.Partition]*split
	parts    map[string]*alphabet.Partition
	overlays map[[2]*alphabet.Partition]*overlay
	bytes    *alphabet.Machine[*stacks]
}

// maxStacks bounds the memory of the sets of stacks. Past it those that nobody holds
// are forgotten.
const maxStacks = 64 << 20

func newRun(t *regular.Terms, bodies []int32, root int32) *run {
	r := &run{
		t: t, bodies: bodies, root: root, heads: make([]*head, len(bodies)), shortest: make([][]byte, len(bodies)),
		splits: map[*alphabet.Partition]*split{}, parts: map[string]*alphabet.Partition{}, overlays: map[[2]*alphabet.Partition]*overlay{},
	}
	r.forget()
	r.bytes = alphabet.NewMachine[*stacks](r)
	return r
}

// forget drops what was found out about sets.
func (r *run) forget() {
	for _, s := range r.table {
		for ; s != nil; s = s.chain {
			s.explored, s.part, s.to = false, nil, nil
		}
	}
	r.table, r.unions, r.ontos, r.used = map[uint64]*stacks{}, map[pair]*stacks{}, map[pair]*stacks{}, 0
}

func (r *run) machine() machine.State {
	return r.bytes.State(r.push(r.root, r.set(true, nil)))
}

// A split is the classes of a term's partition, characters and marks apart.
type split struct {
	chars   *alphabet.Partition
	classes []int32 // by class of chars: the class of the whole
	marks   []called
}

// A called rule is a mark: the rule, and its class in the partition.
type called struct {
	rule  int
	class int32
}

func (r *run) split(p *alphabet.Partition) *split {
	if s := r.splits[p]; s != nil {
		return s
	}
	s := &split{}
	place := make([]int32, p.Classes())
	var spans []alphabet.Span
	for _, x := range p.Spans() {
		if k := int(x.Lo - regular.MarkBase); k >= 0 {
			s.marks = append(s.marks, called{k, x.Class})
			continue
		}
		if place[x.Class] == 0 {
			s.classes = append(s.classes, x.Class)
			place[x.Class] = int32(len(s.classes))
		}
		x.Class = place[x.Class] - 1
		spans = append(spans, x)
	}
	s.chars = r.shared(alphabet.New(spans))
	r.splits[p] = s
	return s
}

// shared returns the one partition of those that are equal.
func (r *run) shared(p *alphabet.Partition) *alphabet.Partition {
	key := make([]byte, 0, 12*len(p.Spans()))
	for _, s := range p.Spans() {
		key = binary.LittleEndian.AppendUint32(key, uint32(s.Lo))
		key = binary.LittleEndian.AppendUint32(key, uint32(s.Hi))
		key = binary.LittleEndian.AppendUint32(key, uint32(s.Class))
	}
	if old := r.parts[string(key)]; old != nil {
		return old
	}
	r.parts[string(key)] = p
	return p
}

type overlay struct {
	part        *alphabet.Partition
	left, right []int32
}

// A fan is what may follow: characters in classes, and the set behind each class.
type fan struct {
	part *alphabet.Partition
	to   []*stacks
}

// merge is the fan of two.
func (r *run) merge(x, y fan) fan {
	switch {
	case x.part == nil || len(x.to) == 0:
		return y
	case len(y.to) == 0:
		return x
	}
	key := [2]*alphabet.Partition{x.part, y.part}
	o := r.overlays[key]
	if o == nil {
		o = &overlay{}
		o.part, o.left, o.right = alphabet.Overlay(x.part, y.part)
		o.part = r.shared(o.part)
		r.overlays[key] = o
	}
	to := make([]*stacks, len(o.left))
	for i := range to {
		var a, b *stacks
		if o.left[i] >= 0 {
			a = x.to[o.left[i]]
		}
		if o.right[i] >= 0 {
			b = y.to[o.right[i]]
		}
		to[i] = r.union(a, b)
	}
	return fan{o.part, to}
}

// A head is what a rule may begin with: sets to be put onto the caller's.
type head struct {
	fan
	ok bool
}

// head is the head of a rule. Since no rule begins with itself, this ends.
func (r *run) head(rule int) *head {
	h := r.heads[rule]
	if h == nil {
		h = &head{}
		h.fan, h.ok = r.reading(frame{r.bodies[rule], r.set(true, nil)})
		r.heads[rule] = h
	}
	return h
}

// reading is what may follow by reading on in the term of a frame. It is false past
// the limit of the terms.
func (r *run) reading(f frame) (fan, bool) {
	part, to, ok := r.t.Classes(f.term)
	if !ok {
		return fan{}, false
	}
	s := r.split(part)
	out := fan{s.chars, make([]*stacks, len(s.classes))}
	for i, class := range s.classes {
		out.to[i] = r.push(to[class], f.below)
	}
	for _, m := range s.marks {
		h := r.head(m.rule)
		if !h.ok {
			return fan{}, false
		}
		base := r.push(to[m.class], f.below)
		called := fan{h.part, make([]*stacks, len(h.to))}
		for i, x := range h.to {
			called.to[i] = r.onto(x, base)
		}
		out = r.merge(out, called)
	}
	return out, true
}

// Classes is what may follow a set of stacks.
func (r *run) Classes(s *stacks) (*alphabet.Partition, []*stacks, bool) {
	if !s.explored {
		if r.used > maxStacks {
			r.forget()
		}
		if !r.explore(s) {
			return nil, nil, false
		}
	}
	return s.part, s.to, true
}

// explore computes what follows s. Where the term of a frame may end, the frames
// below are read on as well; those are explored first, the deepest to begin with.
func (r *run) explore(s *stacks) bool {
	todo := []*stacks{s}
	for len(todo) > 0 {
		top := todo[len(todo)-1]
		ready := true
		for _, f := range top.frames {
			if !f.below.explored && r.t.Accepting(f.term) {
				todo, ready = append(todo, f.below), false
			}
		}
		if !ready {
			continue
		}
		todo = todo[:len(todo)-1]
		if top.explored {
			continue
		}
		var out fan
		for _, f := range top.frames {
			reading, ok := r.reading(f)
			if !ok {
				return false
			}
			out = r.merge(out, reading)
			if r.t.Accepting(f.term) {
				out = r.merge(out, fan{f.below.part, f.below.to})
			}
		}
		if out.part == nil {
			out.part = r.shared(alphabet.New(nil))
		}
		top.part, top.to, top.explored = out.part, out.to, true
		r.used += 8 * len(out.to)
	}
	return true
}

// Accepting says whether the text may end.
func (r *run) Accepting(s *stacks) bool { return s.accepting }

// Cost is the bytes of the shortest rest.
func (r *run) Cost(s *stacks) int { return s.cost }

// Shortest is a shortest rest.
func (r *run) Shortest(s *stacks) []byte {
	out := make([]byte, 0, s.cost)
	for !s.accepting {
		best := s.frames[0]
		for _, f := range s.frames {
			if plus(r.t.Cost(f.term), f.below.cost) == s.cost {
				best = f
				break
			}
		}
		out = r.spell(out, best.term)
		s = best.below
	}
	return out
}

// spell appends the shortest text of a term.
func (r *run) spell(dst []byte, term int32) []byte {
	for _, c := range r.t.ShortestRunes(term) {
		if k := int(c - regular.MarkBase); k < 0 {
			dst = append(dst, string(c)...)
		} else {
			if r.shortest[k] == nil {
				r.shortest[k] = r.spell(nil, r.bodies[k])
			}
			dst = append(dst, r.shortest[k]...)
		}
	}
	return dst
}
