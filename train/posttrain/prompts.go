package posttrain

import (
	"errors"
	"fmt"

	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

// Prompt is what a policy answers.
type Prompt struct {
	IDs       []int32      // what the model reads
	Given     dataset.Text // the same as text
	Reference string       // an answer that is known to be right; "": none
}

// PromptKinds are the kinds of records that PromptReader takes prompts from.
func PromptKinds() []dataset.Kind {
	return []dataset.Kind{dataset.Prompts, dataset.PromptCompletion, dataset.Messages, dataset.Preference, dataset.Scored, dataset.Unpaired}
}

// PromptReader turns records into prompts.
type PromptReader struct {
	Writer *Writer
	Row    int        // tokens of prompt and completion together, at most the model's context
	Room   int        // tokens of a completion
	Long   LongPolicy // of longer prompts: DropLong, TruncateLeft or RefuseLong

	Read, Dropped, Truncated int
	Failed                   int   // prompts longer than the context, or that the model cannot read
	FirstFailure             error // why
}

// Prompt is the prompt of a record; ok is false where it was left out. An error is
// one of the record, and comes with RefuseLong only.
func (r *PromptReader) Prompt(rec dataset.Record) (p Prompt, ok bool, err error) {
	p.Given, p.Reference = PromptOf(rec)
	if p.Given.Blank() {
		return p, false, r.fail(errors.New("a record without prompt"))
	}
	context := r.Writer.z.Model.Dims().Context
	if p.IDs, err = r.Writer.Prompt(p.Given, context-r.Row+r.Room); err == nil {
		r.Read++
		return p, true, nil
	}
	ids, wrong := r.Writer.Prompt(p.Given, 0)
	switch most := r.Row - r.Room; {
	case wrong != nil: // longer than the context, or of a form that the model cannot read
		return p, false, r.fail(wrong)
	case r.Long == TruncateLeft:
		p.IDs = ids[len(ids)-most:]
		r.Truncated++
		r.Read++
		return p, true, nil
	case r.Long == RefuseLong:
		return p, false, fmt.Errorf("the prompt takes %d tokens, and %d of %d are kept for the completion: shorten it, or give --too-long drop or truncate-left", len(ids), r.Room, r.Row)
	}
	r.Dropped++
	return p, false, nil
}

// fail counts a record that cannot be used.
func (r *PromptReader) fail(err error) error {
	if r.Long == RefuseLong {
		return err
	}
	if r.Failed++; r.FirstFailure == nil {
		r.FirstFailure = err
	}
	return nil
}

// PromptOf is what a record gives, and the answer that it shows as right.
func PromptOf(rec dataset.Record) (given dataset.Text, reference string) {
	switch rec.Kind {
	case dataset.Messages:
		for i := len(rec.Messages) - 1; i > 0; i-- {
			if m := rec.Messages[i]; m.Role == chat.RoleAssistant {
				return dataset.Text{Turns: rec.Messages[:i]}, m.Content
			}
		}
		return given, ""
	case dataset.Preference:
		return rec.Prompt, rec.Chosen.String()
	case dataset.PromptCompletion:
		return rec.Prompt, rec.Completion.String()
	}
	return rec.Prompt, ""
}
