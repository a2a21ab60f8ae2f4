package search

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
)

// Branches is a set of texts that grow from one prompt; at first it is the prompt
// alone. OnEngine is such a set.
type Branches interface {
	// Next calls visit with the logits (V) of the token after each text, perhaps from
	// several goroutines; they are valid during the call.
	Next(ctx context.Context, visit func(i int, logits []float32)) error
	// Extend makes the next set: its text i is text parents[i] with ids[i] behind it.
	Extend(parents []int, ids []int32) error
}

// BeamOptions say how to search; the zero value is a beam of width 4 that scores
// whole texts by their log-probability.
type BeamOptions struct {
	Width     int        // hypotheses; 0: 4
	Groups    int        // that search apart, each with an equal share of the width; 0: 1
	Diversity float64    // what a token costs for every earlier group that takes it in the same step
	Norm      LengthNorm // by which texts of different lengths are compared; nil: SumNorm
	MaxTokens int        // new tokens of a text, its end token included; at least 1
	StopIDs   []int32    // tokens that end a text
	// Constraint bounds what texts may be; each hypothesis works on a fork of it. It
	// changes no probability, it only removes texts.
	Constraint generate.Constraint
	// Text turns ids into a text, for Candidate.Text; nil leaves it empty.
	Text func(ids []int32) string
}

// MaxWidth bounds the hypotheses of a beam.
const MaxWidth = 1024

const defaultWidth = 4

func (o *BeamOptions) withDefaults() {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	if o.Groups == 0 {
		o.Groups = 1
	}
	if o.Norm == nil {
		o.Norm = SumNorm
	}
}

// Validate says which option is impossible.
func (o BeamOptions) Validate() error {
	o.withDefaults()
	switch {
	case o.Width < 1 || o.Width > MaxWidth:
		return fmt.Errorf("a beam of width %d: give 1 to %d", o.Width, MaxWidth)
	case o.Groups < 1 || o.Width%o.Groups != 0:
		return fmt.Errorf("%d groups of a beam of width %d: they must divide the width", o.Groups, o.Width)
	case !(o.Diversity >= 0) || math.IsInf(o.Diversity, 0):
		return fmt.Errorf("diversity of %g: it must be 0 or more", o.Diversity)
	case o.MaxTokens < 1:
		return fmt.Errorf("a beam of at most %d tokens: give 1 or more", o.MaxTokens)
	}
	return nil
}

// Hypothesis is a text that a beam found.
type Hypothesis struct {
	Candidate
	Score float64 // under the norm
	Group int
}

// Beam searches for probable texts: in every step each group extends all its
// hypotheses by every token and keeps the best by the sum of log-probabilities.
// One that ends leaves the beam and takes its place with it, so that a width of 1
// is greedy decoding. Equal extensions go by the rank of their parents, then by id.
//
// Groups are diverse beam search with Hamming diversity (Vijayakumar et al. 2016,
// arXiv 1610.02424): they take their steps one after the other, and
// Diversity is their lambda. The result is in order of score, the best first; texts
// cut off at MaxTokens are among it. Stop strings are not looked for.
func Beam(ctx context.Context, texts Branches, o BeamOptions) ([]Hypothesis, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.withDefaults()
	b := &beam{o: &o, groups: make([]group, o.Groups)}
	for g := range b.groups {
		root := &node{}
		if o.Constraint != nil {
			root.c = o.Constraint.Fork()
		}
		b.groups[g] = group{width: o.Width / o.Groups, live: []*node{root}}
	}
	for step := range o.MaxTokens {
		nexts, err := b.look(ctx, texts, o.MaxTokens-step)
		if err != nil {
			return nil, err
		}
		parents, ids, err := b.step(nexts)
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 || step+1 == o.MaxTokens {
			break
		}
		if err := texts.Extend(parents, ids); err != nil {
			return nil, err
		}
	}
	return b.result(), nil
}

// beam is a search under way. Its live hypotheses, group by group, are the texts
// of Branches; before the first step all groups have the same one, the prompt.
type beam struct {
	o      *BeamOptions
	groups []group
	begun  bool
}

// group is a part of the beam.
type group struct {
	width int     // hypotheses that may still live
	live  []*node // the best first
	ended []*node
}

// node is a hypothesis: a token behind its parent's.
type node struct {
	parent   *node
	id       int32
	logp     float64
	sum      float64 // of logp from the beginning
	tokens   int
	end      bool // id is an end token
	complete bool // the constraint lets nothing follow, not even an end token
	c        generate.Constraint
}

// next is what may follow a hypothesis: the most probable tokens, as many as could
// be kept.
type next struct {
	top  []extension
	mask []uint64 // nil: all
	err  error
}

// extension is a node that may come to be.
type extension struct {
	slot  int // of the parent, among the live of its group
	id    int32
	logit float32
	logp  float64
	score float64 // the sum, less what diversity costs
}

// order is the best extension first.
func order(a, b extension) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.slot, b.slot), cmp.Compare(b.logit, a.logit), cmp.Compare(a.id, b.id))
}

// texts are the hypotheses that are texts of Branches, in their order.
func (b *beam) texts() []*node {
	if !b.begun {
		return b.groups[0].live
	}
	var all []*node
	for g := range b.groups {
		all = append(all, b.groups[g].live...)
	}
	return all
}

// look asks the constraints and the model what may follow each text.
func (b *beam) look(ctx context.Context, texts Branches, remaining int) ([]next, error) {
	live := b.texts()
	nexts := make([]next, len(live))
	for i, h := range live {
		if h.c == nil {
			continue
		}
		var err error
		if nexts[i].mask, err = h.c.Mask(remaining); err != nil {
			return nil, err
		}
	}
	if err := texts.Next(ctx, func(i int, logits []float32) { nexts[i].read(logits, b.o.Width) }); err != nil {
		return nil, err
	}
	for _, n := range nexts {
		if n.err != nil {
			return nil, n.err
		}
	}
	return nexts, nil
}

// read keeps the best width tokens of the logits. No more are needed: an extension
// that is kept is among the best of its group's width, and diversity pushes down
// no more tokens than the earlier groups hold.
func (n *next) read(logits []float32, width int) {
	total := sample.LogSumExp(logits)
	if math.IsNaN(total) || math.IsInf(total, 0) {
		n.err = generate.ErrNoLogits
		return
	}
	view := logits
	if n.mask != nil {
		view = slices.Clone(logits)
		for id := range view {
			if n.mask[id/64]>>(id%64)&1 == 0 {
				view[id] = float32(math.Inf(-1))
			}
		}
	}
	top := sample.TopN(view, width)
	n.top = make([]extension, len(top))
	for i, t := range top {
		n.top[i] = extension{id: t.ID, logit: logits[t.ID], logp: float64(logits[t.ID]) - total}
	}
}

// step extends all groups and returns the texts that go on: the places of their
// parents among those that lived before, and their new ids.
func (b *beam) step(nexts []next) (parents []int, ids []int32, err error) {
	taken := map[int32]int{} // by earlier groups in this step
	at := 0                  // place of the group's first text
	for g := range b.groups {
		gr := &b.groups[g]
		if !b.begun {
			at = 0
		}
		before := gr.live
		gr.live = nil
		var all []extension
		for slot, h := range before {
			if n := &nexts[at+slot]; len(n.top) > 0 {
				all = append(all, b.extend(h, slot, n.top, taken)...)
				continue
			}
			h.complete = true
			gr.ended = append(gr.ended, h)
			gr.width--
		}
		slices.SortFunc(all, order)
		ended := 0
		for _, x := range all[:min(len(all), gr.width)] {
			n, err := b.grow(before[x.slot], x)
			if err != nil {
				return nil, nil, err
			}
			if b.o.Diversity > 0 {
				taken[x.id]++
			}
			if n.end {
				gr.ended = append(gr.ended, n)
				ended++
				continue
			}
			gr.live = append(gr.live, n)
			parents, ids = append(parents, at+x.slot), append(ids, x.id)
		}
		gr.width -= ended
		at += len(before)
	}
	b.begun = true
	return parents, ids, nil
}

// extend scores the extensions of a hypothesis.
func (b *beam) extend(h *node, slot int, top []extension, taken map[int32]int) []extension {
	out := slices.Clone(top)
	for i := range out {
		x := &out[i]
		x.slot, x.score = slot, h.sum+x.logp-b.o.Diversity*float64(taken[x.id])
	}
	return out
}

// grow makes the node of an extension.
func (b *beam) grow(h *node, x extension) (*node, error) {
	n := &node{parent: h, id: x.id, logp: x.logp, sum: h.sum + x.logp, tokens: h.tokens + 1, end: slices.Contains(b.o.StopIDs, x.id)}
	if h.c != nil && !n.end {
		n.c = h.c.Fork()
		if err := n.c.Accept(x.id); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// result is all hypotheses, the best first.
func (b *beam) result() []Hypothesis {
	var out []Hypothesis
	for g, gr := range b.groups {
		for _, n := range append(gr.ended, gr.live...) {
			h := Hypothesis{Candidate: n.candidate(), Score: b.o.Norm(n.sum, n.tokens), Group: g}
			if b.o.Text != nil {
				h.Text = b.o.Text(h.IDs)
			}
			out = append(out, h)
		}
	}
	slices.SortStableFunc(out, func(a, b Hypothesis) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

// candidate is the path to a node.
func (n *node) candidate() Candidate {
	c := Candidate{Finish: generate.FinishLength, LogProbs: make([]float64, n.tokens)}
	c.IDs = make([]int32, n.tokens)
	for x := n; x.parent != nil; x = x.parent {
		c.IDs[x.tokens-1], c.LogProbs[x.tokens-1] = x.id, x.logp
	}
	if n.end {
		c.IDs = c.IDs[:n.tokens-1]
	}
	switch {
	case n.complete:
		c.Finish = generate.FinishComplete
	case n.end:
		c.Finish = generate.FinishStop
	}
	return c
}
