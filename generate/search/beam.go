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

// Stepper is a set of sequences that grow from one prompt; generate.Branches is one.
// The logits that it returns are valid until the next call.
type Stepper interface {
	// Start reads the prompt: the set is one sequence. It returns the logits (V) after
	// it.
	Start(ctx context.Context, prompt []int32) (logits []float32, err error)
	// Step makes the next set: its sequence i is sequence parents[i] of the set before
	// with ids[i] behind it. It returns the logits (V) after each.
	Step(ctx context.Context, parents []int, ids []int32) (logits [][]float32, err error)
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
	Constraint Constraint
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
// arXiv 1610.02424, section 4): they take their steps one after the other, and
// Diversity is their lambda. The result is in order of score, the best first; texts
// cut off at MaxTokens are among it. Stop strings are not looked for.
func Beam(ctx context.Context, s Stepper, prompt []int32, o BeamOptions) ([]Hypothesis, error) {
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
	first, err := s.Start(ctx, prompt)
	if err != nil {
		return nil, err
	}
	logits := slices.Repeat([][]float32{first}, o.Groups)
	for step := range o.MaxTokens {
		parents, ids, err := b.step(logits, o.MaxTokens-step)
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 || step+1 == o.MaxTokens {
			break
		}
		if step == 0 {
			clear(parents) // the groups begin with the one sequence of the prompt
		}
		if logits, err = s.Step(ctx, parents, ids); err != nil {
			return nil, err
		}
	}
	return b.result(), nil
}

// beam is a search under way. Its live hypotheses, group by group, are the
// sequences of the Stepper.
type beam struct {
	o      *BeamOptions
	groups []group
	work   []float32
}

// group is a part of the beam.
type group struct {
	width int     // hypotheses that may still live
	live  []*node // the best first
	ended []*node
}

// node is a hypothesis: a token behind its parent's.
type node struct {
	parent *node
	id     int32
	logp   float64
	sum    float64 // of logp from the beginning
	tokens int
	end    bool // id is an end token
	c      Constraint
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

// step extends all groups and returns the sequences that go on: the places of
// their parents among those that lived before, and their new ids.
func (b *beam) step(logits [][]float32, remaining int) (parents []int, ids []int32, err error) {
	taken := map[int32]int{} // by earlier groups in this step
	at := 0                  // place of the group's first sequence
	for g := range b.groups {
		gr := &b.groups[g]
		var all []extension
		for slot, h := range gr.live {
			ext, err := b.extend(h, slot, logits[at+slot], gr.width, remaining, taken)
			if err != nil {
				return nil, nil, err
			}
			all = append(all, ext...)
		}
		slices.SortFunc(all, order)
		before := gr.live
		var live []*node
		ended := 0
		for _, x := range all {
			if len(live)+ended == gr.width {
				break
			}
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
			live = append(live, n)
			parents, ids = append(parents, at+x.slot), append(ids, x.id)
		}
		at += len(before)
		gr.width -= ended
		gr.live = live
	}
	return parents, ids, nil
}

// extend lists the best extensions of a hypothesis, as many as could be kept.
func (b *beam) extend(h *node, slot int, logits []float32, width, remaining int, taken map[int32]int) ([]extension, error) {
	total := sample.LogSumExp(logits)
	if math.IsNaN(total) || math.IsInf(total, 0) {
		return nil, generate.ErrNoLogits
	}
	view := logits
	if h.c != nil || len(taken) > 0 {
		b.work = append(b.work[:0], logits...)
		view = b.work
	}
	if h.c != nil {
		mask, err := h.c.Mask(remaining)
		if err != nil {
			return nil, err
		}
		empty := true
		for id := range view {
			if mask[id/64]>>(id%64)&1 == 0 {
				view[id] = float32(math.Inf(-1))
			} else {
				empty = false
			}
		}
		if empty {
			return nil, fmt.Errorf("the constraint allows no token after %d", h.tokens)
		}
	}
	for id, n := range taken {
		view[id] -= float32(b.o.Diversity * float64(n))
	}
	top := sample.TopN(view, width)
	out := make([]extension, len(top))
	for i, t := range top {
		logp := float64(logits[t.ID]) - total
		out[i] = extension{slot, t.ID, logits[t.ID], logp, h.sum + logp - b.o.Diversity*float64(taken[t.ID])}
	}
	return out, nil
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
		c.IDs, c.Finish = c.IDs[:n.tokens-1], generate.FinishStop
	}
	return c
}
