package serve

import (
	"fmt"

	"github.com/foundling-lm/foundling/generate"
)

// prefixed holds a text to ids that it begins with. They are written as if they had been
// drawn: the draws behind them are those of a text that got there by itself.
type prefixed struct {
	ids    []int32             // those that are still to come
	behind generate.Constraint // what holds after them, nil: nothing
	all    []uint64            // the mask of nothing
}

// prefix makes the texts of o begin with the ids of the field prefix_ids.
func (f *writing) prefix(o *generate.Options, prompt, context, vocab int) error {
	ids := f.PrefixIDs
	if len(ids) == 0 {
		return nil
	}
	if err := within("prefix_ids", ids, vocab); err != nil {
		return err
	}
	switch {
	case f.Mirostat != 0:
		return wrong("prefix_ids", "mirostat remembers what it chose, and did not choose these: leave one of them out")
	case o.MaxTokens > 0 && len(ids) >= o.MaxTokens:
		return wrong("prefix_ids", fmt.Sprintf("%d ids, and the text has %d tokens at most, these among them", len(ids), o.MaxTokens))
	case prompt+len(ids) >= context:
		return &Error{Message: fmt.Sprintf("the prompt has %d tokens, the answer begins with %d and the context of the model is %d", prompt, len(ids), context), Param: "prefix_ids", Code: "context_length_exceeded"}
	}
	p := &prefixed{ids: ids}
	if o.Constraint == nil {
		p.all = generate.AllowAll(vocab)
		o.Constraint = p
		return nil
	}
	p.behind = o.Constraint.Fork()
	for i, id := range ids {
		if err := p.behind.Accept(id); err != nil {
			return wrong("prefix_ids", fmt.Sprintf("the format does not allow id %d at place %d: %v", id, i, err))
		}
	}
	o.Constraint = p
	return nil
}

// Mask is asked for behind the ids only.
func (p *prefixed) Mask(remaining int) ([]uint64, error) {
	if p.behind == nil {
		return p.all, nil
	}
	return p.behind.Mask(remaining)
}

// Accept reads an id.
func (p *prefixed) Accept(id int32) error {
	switch {
	case len(p.ids) > 0 && id == p.ids[0]:
		p.ids = p.ids[1:]
	case len(p.ids) > 0:
		return fmt.Errorf("id %d where the text must go on with %d", id, p.ids[0])
	case p.behind != nil:
		return p.behind.Accept(id)
	}
	return nil
}

// Forced is the ids, then what is forced behind them.
func (p *prefixed) Forced(dst []int32, most int) []int32 {
	if len(p.ids) > 0 {
		return append(dst, p.ids[:min(most, len(p.ids))]...)
	}
	if p.behind == nil {
		return dst
	}
	return p.behind.Forced(dst, most)
}

// Fork is a copy at the same place.
func (p *prefixed) Fork() generate.Constraint {
	f := *p
	if p.behind != nil {
		f.behind = p.behind.Fork()
	}
	return &f
}

// tokenIDs are those of a text or a piece where they were asked for, nil elsewhere.
func (f *writing) tokenIDs(ids []int32) []int32 {
	if !f.ReturnTokenIDs {
		return nil
	}
	return append([]int32{}, ids...)
}

// tokenID is that of a piece.
func (f *writing) tokenID(p generate.Piece) []int32 {
	if p.ID < 0 {
		return nil
	}
	return f.tokenIDs([]int32{p.ID})
}
