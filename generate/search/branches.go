package search

import (
	"context"

	"github.com/foundling-lm/foundling/generate"
)

// EngineBranches are texts in the cache of an engine, which share the pages of
// what they have in common.
type EngineBranches struct {
	e     *generate.Engine
	texts []*generate.Branch
}

// OnEngine begins with a prompt behind which there is room for so many tokens, as
// far as the context of the model goes; 0: all of it. Close must follow.
func OnEngine(ctx context.Context, e *generate.Engine, prompt []int32, tokens, context int) (*EngineBranches, error) {
	limit := context
	if tokens > 0 {
		limit = min(len(prompt)+tokens, context)
	}
	b, err := e.Branch(ctx, prompt, limit)
	if err != nil {
		return nil, err
	}
	return &EngineBranches{e, []*generate.Branch{b}}, nil
}

// Room is the number of tokens that each text may still grow by.
func (b *EngineBranches) Room() int {
	if len(b.texts) == 0 {
		return 0
	}
	return b.texts[0].Room()
}

// Next is part of Branches.
func (b *EngineBranches) Next(ctx context.Context, visit func(i int, logits []float32)) error {
	return b.e.Next(ctx, b.texts, visit)
}

// Extend is part of Branches.
func (b *EngineBranches) Extend(parents []int, ids []int32) (err error) {
	b.texts, err = b.e.Extend(b.texts, parents, ids)
	return err
}

// Close gives the memory of the texts back.
func (b *EngineBranches) Close() {
	for _, t := range b.texts {
		t.Close()
	}
	b.texts = nil
}
