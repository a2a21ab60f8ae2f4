package posttrain

import (
	"errors"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

// Writer turns prompts and answers into ids as one model writes conversations.
type Writer struct {
	z *bundle.Bundle
}

// NewWriter makes z a model that converses (bundle.Converse).
func NewWriter(z *bundle.Bundle) (*Writer, error) {
	return &Writer{z}, z.Converse()
}

// Prompt is the ids of what is given, up to where the answer begins; it leaves
// room for as many tokens of an answer.
func (w *Writer) Prompt(prompt dataset.Text, room int) ([]int32, error) {
	ids, _, err := w.z.ChatPrompt(prompt.Conversation(chat.RoleUser), room)
	return ids, err
}

// Answer is a prompt and its answer, of which the answer with its end token is
// learned.
func (w *Writer) Answer(prompt, answer dataset.Text) (batch.Example, error) {
	given := prompt.Conversation(chat.RoleUser)
	e, err := ExampleFor(w.z, slices.Concat(given, answer.Conversation(chat.RoleAssistant)))
	if err != nil || len(given) == 0 {
		return e, err
	}
	// Earlier turns of the assistant are given: what the prompt alone begins with is
	// not learned.
	before, err := ExampleFor(w.z, given)
	if err != nil {
		return e, err
	}
	for i := 0; i < min(len(before.IDs), len(e.IDs)) && before.IDs[i] == e.IDs[i]; i++ {
		e.Train[i] = false
	}
	return e, nil
}

// Sampled is a prompt and the answer that a model gave to it, id by id.
func Sampled(prompt, answer []int32) Completion {
	e := batch.Example{IDs: slices.Concat(prompt, answer), Train: make([]bool, len(prompt)+len(answer))}
	for i := len(prompt); i < len(e.Train); i++ {
		e.Train[i] = true
	}
	return Completion{Example: e}
}

// LongPolicy is what happens to a prompt and answer that do not fit the context.
type LongPolicy string

// The policies; the zero LongPolicy is DropLong.
const (
	DropLong      LongPolicy = "drop"           // left out
	TruncateLeft  LongPolicy = "truncate-left"  // loses the beginning of the prompt
	TruncateRight LongPolicy = "truncate-right" // loses the end of the answer
	RefuseLong    LongPolicy = "error"
)

// LongPolicies returns all policies.
func LongPolicies() []LongPolicy {
	return []LongPolicy{DropLong, TruncateLeft, TruncateRight, RefuseLong}
}

// Fit applies the policy to an example for rows of t tokens; without ok it is to be
// left out.
func (p LongPolicy) Fit(e batch.Example, t int) (_ batch.Example, cut, ok bool, err error) {
	e, cut, err = p.fit(e, t)
	if errors.Is(err, errTooLong) {
		return e, false, false, nil
	}
	return e, cut, err == nil, err
}

// errTooLong reports an example of which nothing is left to learn.
var errTooLong = errors.New("too long")

// fit applies the policy to an example for rows of t tokens.
func (p LongPolicy) fit(e batch.Example, t int) (_ batch.Example, cut bool, err error) {
	over := len(e.IDs) - (t + 1)
	if over <= 0 {
		return e, false, nil
	}
	switch answer := (Completion{Example: e}).answerAt(); {
	case p == RefuseLong:
		return e, false, fmt.Errorf("prompt and answer take %d tokens, %d fit: shorten them, or give --too-long drop or truncate-left", len(e.IDs), t+1)
	case p == TruncateLeft && over < answer: // one id stays before the answer
		return batch.Example{IDs: e.IDs[over:], Train: e.Train[over:]}, true, nil
	case p == TruncateRight && answer < t+1:
		return batch.Example{IDs: e.IDs[:t+1], Train: e.Train[:t+1]}, true, nil
	}
	return e, false, errTooLong
}
