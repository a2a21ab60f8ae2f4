package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/generate"
)

// completionRequest is the body of /v1/completions.
type completionRequest struct {
	Prompt    prompts `json:"prompt"`
	MaxTokens *int    `json:"max_tokens"` // nil: 16
	LogProbs  *int    `json:"logprobs"`   // most probable tokens at each place; nil: none, and no probabilities
	writing
}

const defaultCompletion = 16 // tokens, in OpenAI's interface

// prompts are texts or lists of ids.
type prompts struct {
	texts []string
	ids   [][]int32
}

// UnmarshalJSON reads a text, a list of texts, a list of ids or a list of such lists.
func (p *prompts) UnmarshalJSON(data []byte) error {
	value := jsontext.Value(data)
	if value.Kind() != '[' {
		var err error
		if p.texts, err = oneOrMore[string](data); err != nil {
			return wrong("prompt", err.Error())
		}
		return nil
	}
	var list []jsontext.Value
	if err := unmarshal(data, &list); err != nil {
		return err
	}
	if len(list) == 0 {
		return wrong("prompt", "the list is empty")
	}
	switch list[0].Kind() {
	case '0':
		p.ids = [][]int32{nil}
		return part("prompt", data, &p.ids[0])
	case '[':
		return part("prompt", data, &p.ids)
	}
	return part("prompt", data, &p.texts)
}

// oneOrMore reads a value or a list of them; null is none.
func oneOrMore[T any](data []byte) ([]T, error) {
	if v := jsontext.Value(data); v.Kind() == '[' || v.Kind() == 'n' {
		var list []T
		return list, unmarshal(data, &list)
	}
	list := make([]T, 1)
	return list, unmarshal(data, &list[0])
}

// part reads a part of a body, the errors of which name the field.
func part(field string, data []byte, into any) error {
	err := unmarshal(data, into)
	if e, ok := err.(*Error); ok {
		return wrong(field, e.Message)
	}
	return err
}

// encode is the prompts as ids.
func (p *prompts) encode(m *served) ([][]int32, error) {
	vocab := m.Bundle.Model.Dims().Vocab
	for i, ids := range p.ids {
		if len(ids) == 0 {
			return nil, wrong("prompt", fmt.Sprintf("list %d of ids is empty", i))
		}
		for k, id := range ids {
			if id < 0 || int(id) >= vocab {
				return nil, wrong("prompt", fmt.Sprintf("id %d at place %d is outside the vocabulary of %d", id, k, vocab))
			}
		}
	}
	if p.ids != nil {
		return p.ids, nil
	}
	texts := p.texts
	if texts == nil {
		texts = []string{""} // where a text starts
	}
	out := make([][]int32, len(texts))
	for i, text := range texts {
		var err error
		if out[i], err = m.Bundle.TextPrompt(text); err != nil {
			return nil, wrong("prompt", err.Error())
		}
	}
	return out, nil
}

// completions is POST /v1/completions: text goes on.
func (s *Server) completions(w *reply, r *http.Request) error {
	var q completionRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	m, err := s.model(q.Model)
	if err != nil {
		return err
	}
	top := 0
	if q.LogProbs != nil {
		if top = *q.LogProbs; top < 0 || top > maxTopLogProbs {
			return wrong("logprobs", fmt.Sprintf("%d lies outside 0 to %d", top, maxTopLogProbs))
		}
	}
	if count := max(len(q.Prompt.texts), len(q.Prompt.ids)); count > s.o.MaxTexts {
		return wrong("prompt", fmt.Sprintf("%d prompts, a request may have %d", count, s.o.MaxTexts))
	}
	ids, err := q.Prompt.encode(m)
	if err != nil {
		return err
	}
	if q.MaxTokens == nil {
		n := defaultCompletion
		if s.o.MaxTokens > 0 {
			n = min(n, s.o.MaxTokens)
		}
		if q.MaxTokens = &n; q.constrained() {
			q.MaxTokens = nil // a value may need more
		}
	}
	j, err := s.job(m, &q.writing, "cmpl-", ids, q.MaxTokens, top, nil)
	if err != nil {
		return err
	}
	c := &completion{job: j}
	if q.LogProbs != nil {
		c.logProbs = make([]textLogProbs, len(j.requests))
		for i := range c.logProbs {
			c.logProbs[i].at = utf8.RuneCountInString(m.Bundle.Tokenizer.Decode(ids[i/j.n]))
		}
	}
	return s.answer(w, r, j, c)
}

// completion is the shape of /v1/completions, the same whole and in events.
type completion struct {
	*job
	logProbs []textLogProbs // of each text; nil: not asked for
}

type textCompletion struct {
	ID          string          `json:"id"`
	Object      string          `json:"object"`
	Created     int64           `json:"created"`
	Model       string          `json:"model"`
	Fingerprint string          `json:"system_fingerprint"`
	Choices     []textChoice    `json:"choices"`
	Usage       json.RawMessage `json:"usage,omitempty"`
}

type textChoice struct {
	Text     string        `json:"text"`
	Index    int           `json:"index"`
	LogProbs *textLogProbs `json:"logprobs"`
	Finish   *string       `json:"finish_reason"`
}

func (c *completion) object(choices []textChoice, usage json.RawMessage) textCompletion {
	return textCompletion{c.id, "text_completion", c.created, c.model.Name, c.model.fingerprint(), choices, usage}
}

func (c *completion) whole(results []*generate.Result, u usage) any {
	choices := make([]textChoice, len(results))
	for i, r := range results {
		reason := finish(r)
		choices[i] = textChoice{Text: r.Text, Index: i, Finish: &reason}
		if c.logProbs == nil {
			continue
		}
		l := &c.logProbs[i]
		for k, id := range r.IDs {
			l.add(c.model, id, r.LogProbs[k], detail(r.Details, k))
		}
		choices[i].LogProbs = l
	}
	return c.object(choices, marshal(u))
}

// detail is the k-th, nil where there are none.
func detail(details []*generate.Detail, k int) *generate.Detail {
	if k >= len(details) {
		return nil
	}
	return details[k]
}

func (c *completion) first(int) any { return nil }

func (c *completion) piece(i int, p generate.Piece) any {
	choice := textChoice{Text: p.Text, Index: i}
	if c.logProbs != nil && p.ID >= 0 {
		l := &c.logProbs[i]
		one := textLogProbs{at: l.at}
		one.add(c.model, p.ID, p.LogProb, p.Detail)
		l.at, choice.LogProbs = one.at, &one
	} else if p.Text == "" {
		return nil
	}
	return c.object([]textChoice{choice}, c.rest())
}

func (c *completion) end(i int, r *generate.Result) any {
	reason := finish(r)
	return c.object([]textChoice{{Index: i, Finish: &reason}}, c.rest())
}

func (c *completion) used(u usage) any { return c.object([]textChoice{}, marshal(u)) }
