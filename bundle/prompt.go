package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/text/chat"
)

// Start returns the ids that come before the first word of a text, as in
// training: the document end token of models raised here, which every document
// of pre-training begins after (text/batch), else what the tokenizer's own file
// puts there, else nothing.
func (z *Bundle) Start() []int32 {
	if z.Tokenizer == nil {
		return nil
	}
	if end, ok := z.Tokenizer.SpecialID(chat.EndOfText); ok {
		if slices.Contains(z.Generation.EOS, end) || z.Generation.BOS != nil && *z.Generation.BOS == end {
			return []int32{end}
		}
	}
	before, _ := z.Tokenizer.Frame()
	return before
}

// TextPrompt returns the ids of a text to continue. An empty text gives the
// start alone, where the model has one.
func (z *Bundle) TextPrompt(text string) ([]int32, error) {
	if text == "" {
		return z.emptyPrompt()
	}
	if z.Tokenizer == nil {
		return nil, fmt.Errorf("%s has no tokenizer to read text with: %w", z.Dir, z.NoTokens)
	}
	return z.Tokenizer.EncodeAppend(z.Start(), text), nil
}

func (z *Bundle) emptyPrompt() ([]int32, error) {
	switch start := z.Start(); {
	case len(start) > 0:
		return start, nil
	case z.Generation.BOS != nil:
		return []int32{*z.Generation.BOS}, nil
	case len(z.Generation.EOS) > 0:
		return []int32{z.Generation.EOS[0]}, nil
	}
	return nil, fmt.Errorf("%s names no token that a text starts with (bos_token_id or eos_token_id in %s): give a prompt that is not empty", z.Dir, GenerationFile)
}

// ChatPrompt returns the ids of a conversation up to where the assistant's next
// answer begins, leaving at least room tokens of the context for it. Where the
// conversation is too long its oldest turns are left out, never the system
// message and never the last turn; dropped is how many messages that cost.
func (z *Bundle) ChatPrompt(msgs []chat.Message, room int) (ids []int32, dropped int, err error) {
	var system []chat.Message
	all := msgs
	if len(msgs) > 0 && msgs[0].Role == chat.RoleSystem {
		system, msgs = msgs[:1], msgs[1:]
	}
	context := z.Model.Dims().Context
	for {
		if ids, err = z.Ask(slices.Concat(system, msgs)); err != nil {
			return nil, 0, err
		}
		if len(ids)+room <= context {
			return ids, len(all) - len(system) - len(msgs), nil
		}
		n := oldestTurn(msgs)
		if n == len(msgs) {
			return nil, len(all) - len(system) - len(msgs), fmt.Errorf("the message takes %d tokens with its system message, the context is %d and %d are kept for the answer: shorten it",
				len(ids), context, room)
		}
		msgs = msgs[n:]
	}
}

// Ask returns the ids of a whole conversation up to where the assistant's next answer
// begins, whatever the context holds.
func (z *Bundle) Ask(msgs []chat.Message) ([]int32, error) { return z.AskTools(msgs, nil) }

// Calls is the form in which the model calls functions.
func (z *Bundle) Calls() chat.CallForm {
	form, _ := z.template().Calls()
	return form
}

// AskTools is Ask with functions that the model may call.
func (z *Bundle) AskTools(msgs []chat.Message, tools []chat.Tool) ([]int32, error) {
	switch {
	case z.NoChat != nil:
		return nil, fmt.Errorf("the chat format of %s cannot be used: %w", z.Dir, z.NoChat)
	case !z.Chat:
		return nil, fmt.Errorf("%s is a base model, without a chat format: fine-tune it on conversations, or let it continue text", z.Dir)
	case z.Tokenizer == nil:
		return nil, fmt.Errorf("%s has no tokenizer to read text with: %w", z.Dir, z.NoTokens)
	case len(msgs) == 0:
		return nil, errors.New("the conversation has no messages: give at least one")
	}
	var listed json.RawMessage
	if _, known := z.template().Calls(); known {
		listed = chat.MarshalTools(tools)
	} else if len(tools) > 0 || chat.UsesTools(msgs) {
		msgs = chat.WithTools(msgs, tools)
	}
	c := z.Conversation(msgs)
	c.Tools, c.AddGenerationPrompt = listed, true
	segments, err := z.template().Render(c, z.Tokenizer.FindSpecial)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", z.Dir, err)
	}
	ids, _, err := chat.Tokenize(z.Tokenizer, chat.Prompt(segments))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", z.Dir, err)
	}
	return ids, nil
}

// Example returns the ids of a conversation to learn from, written as the model
// wants it, and which of them carry loss.
func (z *Bundle) Example(msgs []chat.Message) (ids []int32, train []bool, err error) {
	if z.Tokenizer == nil {
		return nil, nil, fmt.Errorf("%s has no tokenizer to read text with: %w", z.Dir, z.NoTokens)
	}
	segments, err := z.template().Render(z.Conversation(msgs), z.Tokenizer.FindSpecial)
	if err != nil {
		return nil, nil, err
	}
	return chat.Tokenize(z.Tokenizer, segments)
}

// oldestTurn is how many messages at the front belong to the first turn: all up
// to the second message of the user.
func oldestTurn(msgs []chat.Message) int {
	for i := 1; i < len(msgs); i++ {
		if msgs[i].Role == chat.RoleUser {
			return i
		}
	}
	return len(msgs)
}
