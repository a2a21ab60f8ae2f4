// Package chat writes conversations as the text that models raised here are
// trained on, and says which of their tokens carry loss.
//
// A turn is a special token that names the role, the content as it is, and
// the end token:
//
//	<|user|>What is 2+2?<|end|><|assistant|>4<|end|>
//
// The central type is Segment: special tokens and content are kept apart from
// the message to the ids, so content that spells a special token stays
// ordinary text and cannot forge a turn. Loss falls on the assistant's content
// and on the end token after it, so that the model learns to stop.
//
// Template is the same format for other tools. Chat templates of other
// people's checkpoints are not read here.
package chat

import (
	"fmt"
	"slices"
)

// Roles of a Message.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
)

// Special tokens of the format. EndOfText separates the documents of
// pre-training and Pad fills batches: neither occurs in a conversation.
const (
	EndOfText = "<|endoftext|>"
	Pad       = "<|pad|>"
	System    = "<|system|>"
	User      = "<|user|>"
	Assistant = "<|assistant|>"
	End       = "<|end|>"
)

// SpecialTokens returns all special tokens in the order in which a tokenizer
// raised here numbers them.
func SpecialTokens() []string {
	return []string{EndOfText, Pad, System, User, Assistant, End}
}

// Message is one turn. Content may hold any text; it is never parsed.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Segment is a piece of a rendered conversation. A special segment is exactly
// one special token; any other is encoded without parsing special tokens.
// Train says that its tokens carry loss.
type Segment struct {
	Text    string
	Special bool
	Train   bool
}

// Validate reports the first message whose role is not one of the three, a
// system message after the first place, and an empty conversation.
func Validate(msgs []Message) error {
	if len(msgs) == 0 {
		return fmt.Errorf("chat: no messages: give at least one")
	}
	for i, m := range msgs {
		switch {
		case !slices.Contains([]string{RoleSystem, RoleUser, RoleAssistant}, m.Role):
			return fmt.Errorf("chat: messages[%d].role is %q: use system, user or assistant", i, m.Role)
		case m.Role == RoleSystem && i > 0:
			return fmt.Errorf("chat: messages[%d].role is system: only the first message may be", i)
		}
	}
	return nil
}

// Render writes a conversation. With addGenerationPrompt it ends with the
// assistant's role token, after which a model writes its answer. A role that
// Validate refuses panics.
func Render(msgs []Message, addGenerationPrompt bool) []Segment {
	segments := make([]Segment, 0, 3*len(msgs)+1)
	for _, m := range msgs {
		train := m.Role == RoleAssistant
		segments = append(segments, Segment{Text: roleToken(m.Role), Special: true})
		if m.Content != "" {
			segments = append(segments, Segment{Text: m.Content, Train: train})
		}
		segments = append(segments, Segment{Text: End, Special: true, Train: train})
	}
	if addGenerationPrompt {
		segments = append(segments, Segment{Text: Assistant, Special: true})
	}
	return segments
}

func roleToken(role string) string {
	switch role {
	case RoleSystem:
		return System
	case RoleUser:
		return User
	case RoleAssistant:
		return Assistant
	}
	panic(fmt.Sprintf("chat: unknown role %q: call Validate on messages from outside", role))
}

// Text joins the segments: what Template renders. Encoding this string with
// special tokens parsed gives the ids of Tokenize only when no content spells
// a special token.
func Text(segments []Segment) string {
	n := 0
	for _, s := range segments {
		n += len(s.Text)
	}
	b := make([]byte, 0, n)
	for _, s := range segments {
		b = append(b, s.Text...)
	}
	return string(b)
}
