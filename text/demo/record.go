package demo

import (
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

// Record returns the demonstrations of a record of a dataset: the conversation
// as it is, whatever its length; of plain text, those that its structure gives.
func (e *Extractor) Record(r dataset.Record) []Demonstration {
	file, line, _ := cutLast(r.Source, ":")
	id := file + "#" + line
	if r.Kind == dataset.PlainText {
		return e.Document(text.Document{ID: id, Source: file, Kind: "jsonl", Text: r.Completion.Plain})
	}
	e.Stats.Documents++
	turns := r.Conversation(r.Completion)
	d := Demonstration{Task: TaskPair, Turns: turns, Provenance: Provenance{File: id, Line: 1}}
	for i, m := range slices.Backward(turns) {
		if m.Role == chat.RoleAssistant {
			d.Prompt, d.Response = dataset.Text{Turns: turns[:i]}.String(), m.Content
			break
		}
	}
	e.Stats.Bytes += int64(len(d.Prompt) + len(d.Response))
	return e.emit(nil, d)
}

func cutLast(s, sep string) (before, after string, ok bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}
