package dataset

import (
	"bytes"
	"encoding/json"
)

// MarshalJSON is a string, or the list of turns.
func (t Text) MarshalJSON() ([]byte, error) {
	if t.Turns != nil {
		return marshal(t.Turns)
	}
	return marshal(t.Plain)
}

// AppendRow appends the record as a line that Read reads back as the same
// record, Source apart: a JSON object in the columns of TRL, and a line end.
func (r Record) AppendRow(b []byte) ([]byte, error) {
	var row struct {
		Messages    []Turn          `json:"messages,omitempty"`
		Text        *string         `json:"text,omitempty"`
		Prompt      *Text           `json:"prompt,omitempty"`
		Completion  *Text           `json:"completion,omitempty"`
		Chosen      *Text           `json:"chosen,omitempty"`
		Rejected    *Text           `json:"rejected,omitempty"`
		Margin      *float64        `json:"margin,omitempty"`
		Label       any             `json:"label,omitempty"` // a thumb, or the name of a class
		Score       *float64        `json:"score,omitempty"`
		Completions []string        `json:"completions,omitempty"`
		Labels      []bool          `json:"labels,omitempty"`
		Tools       json.RawMessage `json:"tools,omitempty"`
		Task        string          `json:"task,omitempty"`
	}
	row.Tools, row.Task = r.Tools, r.Task
	switch r.Kind {
	case Messages:
		row.Messages = r.Messages
	case Classified:
		row.Text, row.Label = &r.Prompt.Plain, r.Class
	case PlainText:
		row.Text = &r.Completion.Plain
	default:
		row.Prompt = &r.Prompt
	}
	switch r.Kind {
	case PromptCompletion, Unpaired, Scored:
		row.Completion, row.Score = &r.Completion, r.Score
		if r.Label != nil {
			row.Label = *r.Label
		}
	case Preference:
		row.Chosen, row.Rejected, row.Margin = &r.Chosen, &r.Rejected, r.Margin
	case Stepwise:
		for _, s := range r.Steps {
			row.Completions, row.Labels = append(row.Completions, s.Text), append(row.Labels, s.Right)
		}
	}
	line, err := marshal(row)
	return append(append(b, line...), '\n'), err
}

// marshal leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Text) UnmarshalJSON(data []byte) error {
	*t = Text{}
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &t.Plain)
	}
	return json.Unmarshal(data, &t.Turns)
}
