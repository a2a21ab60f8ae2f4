// Package dataset reads the data of post-training: demonstrations, preferences,
// scores, thumbs, labelled steps and prompts, in the shapes in which they are
// published (messages, prompt and completion, chosen and rejected, Alpaca,
// ShareGPT, HH-RLHF, trees of OpenAssistant, self-instruct, ...), from JSON
// Lines, JSON arrays and Parquet, compressed or not.
//
// The central type is Record, one unit of learning with its provenance; Read
// yields records. A row that cannot be used is an error of type *RowError, after
// which reading goes on: callers count it (Skips) or stop.
//
// Not here: how a conversation becomes text (package chat), and what is learned
// from a record (train/posttrain).
package dataset

import (
	"encoding/json"
	"strings"

	"github.com/foundling-lm/foundling/text/chat"
)

// Kind says what a record can be used for. The names are those of TRL's dataset
// types where it has one.
type Kind string

// The kinds.
const (
	Messages         Kind = "messages"          // a conversation to learn the assistant's turns of
	PromptCompletion Kind = "prompt-completion" // a completion to learn
	Preference       Kind = "preference"        // chosen is better than rejected
	Unpaired         Kind = "unpaired"          // a completion with a thumb up or down
	Scored           Kind = "scored"            // a completion with a number
	Stepwise         Kind = "stepwise"          // a completion in steps, each right or wrong
	Prompts          Kind = "prompts"           // something to answer
	PlainText        Kind = "text"              // text to go on with; it lies in Completion
	Classified       Kind = "classes"           // a text, in Prompt, with its class
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{Messages, PromptCompletion, Preference, Unpaired, Scored, Stepwise, Prompts, PlainText, Classified}
}

// Demonstrations are the kinds that show the answer to give.
func Demonstrations() []Kind { return []Kind{Messages, PromptCompletion} }

// demonstration tells whether k is one of the kinds that a file may mix.
func (k Kind) demonstration() bool { return k == Messages || k == PromptCompletion || k == PlainText }

// Turn is one message of a conversation.
type Turn = chat.Message

// Text is plain text or a conversation; at most one of the two is set.
type Text struct {
	Plain string `json:"plain,omitempty"`
	Turns []Turn `json:"turns,omitempty"`
}

// Blank tells whether no letter is in it.
func (t Text) Blank() bool {
	for _, m := range t.Turns {
		if strings.TrimSpace(m.Content) != "" || m.Object != nil {
			return false
		}
	}
	return strings.TrimSpace(t.Plain) == ""
}

// Conversation is the text as turns; plain text becomes one turn of the role,
// and the empty text none.
func (t Text) Conversation(role string) []Turn {
	if t.Plain == "" {
		return t.Turns
	}
	return []Turn{{Role: role, Content: t.Plain}}
}

// String is the text without roles: turns are separated by a blank line.
func (t Text) String() string {
	if t.Turns == nil {
		return t.Plain
	}
	var parts []string
	for _, m := range t.Turns {
		if m.Content != "" {
			parts = append(parts, m.Content)
		}
	}
	return strings.Join(parts, "\n\n")
}

// Equal compares texts; the roles count.
func (t Text) Equal(u Text) bool { return t.Plain == u.Plain && equalTurns(t.Turns, u.Turns) }

func equalTurns(a, b []Turn) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equalTurn(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalTurn(a, b Turn) bool {
	return a.Role == b.Role && a.Content == b.Content && string(a.Object) == string(b.Object)
}

// Record is one unit of post-training.
type Record struct {
	Kind Kind `json:"kind"`
	// Prompt is what is given. It is empty for Messages and PlainText, and may be
	// for the others where the file names none.
	Prompt Text `json:"prompt,omitzero"`
	// Completion is the answer of PromptCompletion, Unpaired and Scored, and the
	// text of PlainText.
	Completion Text `json:"completion,omitzero"`
	// Chosen and Rejected are the two answers of Preference.
	Chosen   Text `json:"chosen,omitzero"`
	Rejected Text `json:"rejected,omitzero"`
	// Margin is by how much Chosen is better, where the file says so.
	Margin *float64 `json:"margin,omitempty"`
	// Label is the thumb of Unpaired: true is up.
	Label *bool `json:"label,omitempty"`
	// Score is the number of Scored.
	Score *float64 `json:"score,omitempty"`
	// Class is the name of Classified's class.
	Class string `json:"class,omitempty"`
	// Steps are those of Stepwise.
	Steps []Step `json:"steps,omitempty"`
	// Messages is the conversation of Messages.
	Messages []Turn `json:"messages,omitempty"`
	// Tools is the list of tools that the conversation may call, where the file
	// has it.
	Tools json.RawMessage `json:"tools,omitempty"`
	// Task is the kind of demonstration, where the file names it.
	Task string `json:"task,omitempty"`
	// Source is file:line of the row that the record was read from; in Parquet
	// files file:row. Lines and rows count from 1.
	Source string `json:"source"`
}

// Step is one step of a solution.
type Step struct {
	Text  string `json:"text"`
	Right bool   `json:"right"`
}

// Conversation is what the record shows of a conversation, with answer as the
// assistant's part after the prompt: Completion, Chosen or Rejected. Records of
// kind Messages are the conversation themselves, and answer is left out.
func (r Record) Conversation(answer Text) []Turn {
	if r.Kind == Messages {
		return r.Messages
	}
	prompt := r.Prompt.Conversation(chat.RoleUser)
	return append(prompt[:len(prompt):len(prompt)], answer.Conversation(chat.RoleAssistant)...)
}

// Question is what the person asks: the last turn of the user before the
// answer, or the plain prompt.
func (r Record) Question() string {
	turns := r.Prompt.Conversation(chat.RoleUser)
	if r.Kind == Messages {
		turns = r.Messages
	}
	for i := len(turns) - 1; i >= 0; i-- {
		if turns[i].Role == chat.RoleUser {
			return turns[i].Content
		}
	}
	return ""
}
