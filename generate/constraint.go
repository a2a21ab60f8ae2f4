package generate

import (
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar"
)

// A Constraint says which ids may follow: a grammar, a schema, a list of choices.
// One constraint serves one sequence; the engine works on a Fork of the one that
// Options name. Ids that end a text (Options.StopIDs) are ids like others, allowed
// exactly where the text may end. Where a vocabulary has none, a mask without any
// id says that the text is complete.
type Constraint interface {
	// Mask is the set of allowed ids as bits, (V+63)/64 words, valid until the
	// next Mask or Accept. Remaining counts the tokens that may still be drawn, this
	// one and the end token included: the constraint allows only what can be
	// brought to an end with them. 0: no bound. An error at the first Mask says that
	// no text fits, and ends the sequence before it begins.
	Mask(remaining int) ([]uint64, error)
	// Accept reads the id that was chosen. The error says that it is not allowed.
	Accept(id int32) error
	// Forced appends to dst the ids that are the only way on from here, at most
	// max and only so many that the text can still end with max tokens in all. They
	// are not accepted yet.
	Forced(dst []int32, max int) []int32
	// Fork is an independent copy at the same point. It shares no mask.
	Fork() Constraint
}

// Within is the constraint of a grammar: texts are those that go on from where s is.
func Within(s *grammar.Session) Constraint { return session{s} }

type session struct{ *grammar.Session }

func (s session) Fork() Constraint { return session{s.Session.Fork()} }

// guide is a constraint at work in one sequence: what may follow the ids that
// were accepted. The zero guide allows everything.
type guide struct {
	c        Constraint // nil: none
	least    int        // ids that come before one that ends the text
	stops    []int32
	vocab    int
	mask     []uint64 // of the next id, where none is forced; nil: all
	goesOn   []uint64 // memory of a mask without ids that end the text
	forced   []int32  // ids that follow without a choice
	accepted int      // ids so far
	complete bool     // nothing may follow but the end
	err      error
}

// newGuide looks at the beginning of a text of at most limit tokens.
func newGuide(o *Options, vocab, limit int) (guide, error) {
	g := guide{stops: o.StopIDs, vocab: vocab}
	if o.FirstDraw < uint64(o.MinTokens) && len(o.StopIDs) > 0 {
		g.least = o.MinTokens - int(o.FirstDraw)
	}
	if o.Constraint != nil {
		g.c = o.Constraint.Fork()
	}
	if !g.free() {
		g.look(limit)
	}
	return g, g.err
}

// free says that every id may follow, from here on.
func (g *guide) free() bool { return g.c == nil && g.accepted >= g.least }

// look asks what may follow; remaining is 0 where the last token has been taken.
func (g *guide) look(remaining int) {
	if g.c == nil {
		if g.free() {
			g.mask = nil
		} else if g.mask == nil { // it stays the same
			g.goOn(AllowAll(g.vocab))
		}
		return
	}
	g.mask, g.forced = nil, g.forced[:0]
	if remaining > 0 {
		if g.forced = g.c.Forced(g.forced, remaining); len(g.forced) > remaining {
			g.fail(fmt.Errorf("%d forced tokens where %d remain", len(g.forced), remaining))
			return
		}
	}
	for _, id := range g.forced {
		if id < 0 || int(id) >= g.vocab {
			g.fail(fmt.Errorf("forced id %d is outside the vocabulary of %d", id, g.vocab))
			return
		}
	}
	if len(g.forced) > 0 {
		g.complete = slices.Contains(g.stops, g.forced[0])
		return
	}
	mask, err := g.c.Mask(remaining)
	switch {
	case err != nil:
		g.fail(err)
	case len(mask) != (g.vocab+63)/64:
		g.fail(fmt.Errorf("a mask of %d words for a vocabulary of %d", len(mask), g.vocab))
	default:
		g.mask, g.complete = mask, !beyond(mask, g.stops)
		if !g.complete {
			g.goOn(mask)
		}
	}
}

// goOn takes the ids that end the text out of what may follow while it is too short.
func (g *guide) goOn(mask []uint64) {
	if g.accepted >= g.least {
		return
	}
	g.goesOn = append(g.goesOn[:0], mask...)
	for _, id := range g.stops {
		if id >= 0 && int(id) < g.vocab {
			g.goesOn[id/64] &^= 1 << (id % 64)
		}
	}
	g.mask = g.goesOn
}

// AllowAll is the mask of a whole vocabulary.
func AllowAll(vocab int) []uint64 {
	mask := make([]uint64, (vocab+63)/64)
	for id := range vocab {
		mask[id/64] |= 1 << (id % 64)
	}
	return mask
}

func (g *guide) fail(err error) {
	if g.accepted > 0 {
		g.err = fmt.Errorf("constraint after %d tokens: %w", g.accepted, err)
		return
	}
	g.err = fmt.Errorf("constraint: %w", err)
}

// accept reads an id, behind which at most remaining tokens follow, and says
// whether the text goes on. An id that ends the text is not read.
func (g *guide) accept(id int32, remaining int) (more bool) {
	switch {
	case g.free():
		return true
	case id < 0 || slices.Contains(g.stops, id):
		return false
	}
	if g.c != nil {
		if err := g.c.Accept(id); err != nil {
			g.fail(err)
			return false
		}
	}
	g.accepted++
	if len(g.forced) > 1 {
		g.forced = g.forced[1:]
		g.complete = slices.Contains(g.stops, g.forced[0])
	} else {
		g.look(remaining)
	}
	return g.err == nil && !g.complete
}

// next is the id that follows without a choice.
func (g *guide) next() (id int32, ok bool) {
	if len(g.forced) == 0 {
		return -1, false
	}
	return g.forced[0], true
}

// fork is a copy for guesses ahead.
func (g *guide) fork() guide {
	f := *g
	f.forced, f.goesOn = slices.Clone(g.forced), nil
	if g.c != nil {
		f.c = g.c.Fork()
	}
	return f
}

// beyond tells whether the mask has an id that is not among ids.
func beyond(mask []uint64, ids []int32) bool {
	for w, word := range mask {
		for _, id := range ids {
			if int(id)/64 == w {
				word &^= 1 << (id % 64)
			}
		}
		if word != 0 {
			return true
		}
	}
	return false
}

// allowed is the beginning of ids that the constraint lets pass.
func (g *guide) allowed(ids []int32) []int32 {
	switch {
	case g.c == nil:
		return ids
	case len(ids) == 0 || !has(g.mask, ids[0]):
		return nil // most often, and costs nothing
	}
	c := g.c.Fork()
	for i, id := range ids {
		if slices.Contains(g.stops, id) || c.Accept(id) != nil {
			return ids[:i]
		}
	}
	return ids
}

func has(mask []uint64, id int32) bool { return mask[id/64]>>(id%64)&1 != 0 }
