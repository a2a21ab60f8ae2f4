// Package chat writes conversations as the text that a model was trained on, and
// says which of their tokens carry loss.
//
// A Template renders a Conversation: the chat template that a checkpoint brings
// along, or Default, the format of models raised here. In that format a turn is
// a special token that names the role, the content as it is, and the end token:
//
//	<|user|>What is 2+2?<|end|><|assistant|>4<|end|>
//
// The central type is Segment: special tokens are found in what the template
// wrote and never in what the messages, tools and documents brought in, so
// content that spells a special token stays ordinary text and cannot forge a
// turn. Package jinja keeps both apart through everything that a template does.
//
// Loss falls on what the assistant writes and on the end token after it, so that
// the model learns to stop.
package chat

import (
	"fmt"
	"slices"
)

// Roles of a Message. A tool is the result of a call; templates may know others.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
)

// Special tokens of the default format. EndOfText separates the documents of
// pre-training and Pad fills batches: neither occurs in a conversation.
const (
	EndOfText = "<|endoftext|>"
	Pad       = "<|pad|>"
	System    = "<|system|>"
	User      = "<|user|>"
	Assistant = "<|assistant|>"
	End       = "<|end|>"
)

// SpecialTokens returns all special tokens of the default format in the order in
// which a tokenizer raised here numbers them.
func SpecialTokens() []string {
	return []string{EndOfText, Pad, System, User, Assistant, End}
}

// Segment is a piece of a rendered conversation. A special segment is exactly
// one special token; any other is encoded without parsing special tokens.
// Train says that its tokens carry loss.
type Segment struct {
	Text    string
	Special bool
	Train   bool
}

// Validate reports the first message that the default format has no place for:
// a role that is not one of the three, a system message after the first place;
// and an empty conversation.
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

// Text joins the segments. Encoding this string with special tokens parsed gives
// the ids of Tokenize only when no content spells a special token.
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

// Prompt is segments for a model to go on from: nothing carries loss, and text
// between special tokens is one piece, as other programs encode it.
func Prompt(segments []Segment) []Segment {
	var out []Segment
	for _, s := range segments {
		s.Train = false
		if n := len(out); n > 0 && !s.Special && !out[n-1].Special {
			out[n-1].Text += s.Text
			continue
		}
		out = append(out, s)
	}
	return out
}
