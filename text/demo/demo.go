// Package demo makes demonstrations - a prompt and the response a model should
// learn to give - from the structure of other people's text: headings and
// their sections, questions and the paragraph after them, definitions, the two
// halves of a paragraph, a word left out, and records that carry a prompt and
// a response.
//
// The central type is Demonstration; text/gosrc makes the same from Go source.
// Extract reads documents, HeldOut keeps demonstrations apart from the
// validation split, Tally counts them by task. Nothing is invented here:
// every response stands in the source. What is not here: instruction data
// written by models, and ranking of demonstrations by quality.
package demo

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/chat"
)

// MinDemonstrations is the number below which supervised fine-tuning is not
// worth starting: fifty pairs are a handful of small batches, which a model
// recalls one by one and from which it learns neither the chat format nor to
// stop. It is a judgement of this project, not a published figure.
const MinDemonstrations = 50

// Enough says whether n demonstrations suffice for fine-tuning.
func Enough(n int) bool { return n >= MinDemonstrations }

// Demonstration is one prompt with its response.
type Demonstration struct {
	Task       string     `json:"task"` // such as "heading" or "function"
	Prompt     string     `json:"prompt"`
	Response   string     `json:"response"`
	Provenance Provenance `json:"provenance"`
	// Turns, if any, are the whole conversation. Prompt and Response are then its
	// texts before and in the last turn of the assistant.
	Turns []chat.Message `json:"turns,omitempty"`
}

// Provenance says where the response stands.
type Provenance struct {
	File    string `json:"file"`              // as File gives it
	Line    int    `json:"line"`              // 1-based, in the document
	Package string `json:"package,omitempty"` // Go import path, for Go source
}

// String returns file:line.
func (p Provenance) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// File names the file or record that a document is: its source, and "#" and
// the record's number where the document is one of several in a file.
func File(doc text.Document) string {
	if i := strings.LastIndexByte(doc.ID, '#'); i >= 0 && strings.Trim(doc.ID[i+1:], "0123456789") == "" && i+1 < len(doc.ID) {
		return doc.Source + doc.ID[i:]
	}
	return doc.Source
}

// Messages returns the conversation that trains on the demonstration.
func (d Demonstration) Messages() []chat.Message {
	if d.Turns != nil {
		return d.Turns
	}
	return []chat.Message{
		{Role: chat.RoleUser, Content: d.Prompt},
		{Role: chat.RoleAssistant, Content: d.Response},
	}
}

// Stream yields demonstrations in an order that depends only on the order of
// the documents. After an error the stream ends.
type Stream = iter.Seq2[Demonstration, error]

// Pick returns a number in [0, n) that depends on the seed and on the key
// alone, so that adding a document changes no choice made for another.
func Pick(seed uint64, key string, n int) int {
	return rng.Intn(seed, rng.Stream("demo"), xxh3.HashString(key), n)
}

// Count is the size of a set of demonstrations.
type Count struct {
	N             int   `json:"n"`
	PromptBytes   int64 `json:"prompt_bytes"`
	ResponseBytes int64 `json:"response_bytes"`
}

// Tally counts demonstrations by task.
type Tally map[string]Count

// Add counts one demonstration.
func (t Tally) Add(d Demonstration) {
	c := t[d.Task]
	c.N++
	c.PromptBytes += int64(len(d.Prompt))
	c.ResponseBytes += int64(len(d.Response))
	t[d.Task] = c
}

// Total is the sum over all tasks.
func (t Tally) Total() Count {
	var sum Count
	for _, c := range t {
		sum.N += c.N
		sum.PromptBytes += c.PromptBytes
		sum.ResponseBytes += c.ResponseBytes
	}
	return sum
}

// String lists the tasks in falling order of their number, such as
// "function 12, doc 9".
func (t Tally) String() string {
	tasks := slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return cmp.Or(cmp.Compare(t[b].N, t[a].N), strings.Compare(a, b))
	})
	for i, task := range tasks {
		tasks[i] = fmt.Sprintf("%s %d", task, t[task].N)
	}
	return strings.Join(tasks, ", ")
}

// Seen remembers texts and finds those that differ only in white space and
// letter case. The zero value is ready.
type Seen struct {
	set map[xxh3.Uint128]struct{}
}

// Add remembers a text of a kind and reports whether it was new.
func (s *Seen) Add(kind, t string) bool {
	if s.set == nil {
		s.set = map[xxh3.Uint128]struct{}{}
	}
	key := xxh3.HashString128(kind + "\x00" + strings.ToLower(strings.Join(strings.Fields(t), " ")))
	if _, ok := s.set[key]; ok {
		return false
	}
	s.set[key] = struct{}{}
	return true
}
