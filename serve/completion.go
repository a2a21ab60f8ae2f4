package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/trust"
	"github.com/foundling-lm/foundling/text/chat"
)

// completionRequest is the body of /v1/completions.
type completionRequest struct {
	Prompt    prompts `json:"prompt"`
	MaxTokens *int    `json:"max_tokens"` // nil: 16
	LogProbs  *int    `json:"logprobs"`   // most probable tokens at each place; nil: none, and no probabilities
	Echo      *bool   `json:"echo"`       // the text begins with the prompt
	Suffix    *string `json:"suffix"`     // what comes behind the text, for models that fill in
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
	switch kind := jsontext.Value(data).Kind(); kind {
	case '[':
	case '"', 'n':
		var err error
		p.texts, err = oneOrMore(data)
		return err
	default:
		return needed("", "a string, a list of strings, of ids or of lists of ids", kind)
	}
	var list []jsontext.Value
	if err := unmarshal(data, &list); err != nil {
		return err
	}
	if len(list) == 0 {
		return wrong("", "the list is empty")
	}
	switch list[0].Kind() {
	case '0':
		p.ids = [][]int32{nil}
		return unmarshal(data, &p.ids[0])
	case '[':
		return unmarshal(data, &p.ids)
	}
	return unmarshal(data, &p.texts)
}

// encode is the prompts as ids.
func (p *prompts) encode(m *served) ([][]int32, error) {
	vocab := m.Bundle.Model.Dims().Vocab
	for i, ids := range p.ids {
		if len(ids) == 0 {
			return nil, wrong("prompt", fmt.Sprintf("list %d of ids is empty", i))
		}
		if err := within("prompt", ids, vocab); err != nil {
			return nil, err
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
	m, err := s.writer(&q.writing)
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
	if err := q.Prompt.before(&q.writing); err != nil {
		return err
	}
	echo := q.Echo != nil && *q.Echo
	ids, err := q.encode(m, echo)
	if err != nil {
		return err
	}
	if q.MaxTokens != nil && *q.MaxTokens == 0 && echo {
		q.onlyPrompt, q.MaxTokens = true, new(1)
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
	j.doubt = func(p int, text string, others []string) ([]int32, error) {
		return m.Bundle.TextPrompt(trust.TruthQuestion(m.Bundle.Tokenizer.Decode(ids[p]), text, others))
	}
	for _, prompt := range ids {
		j.asks([]chat.Message{{Role: chat.RoleUser, Content: m.Bundle.Tokenizer.Decode(prompt)}})
	}
	c := &completion{job: j}
	if echo {
		c.echo = m.echo(ids, q.Prompt.ids == nil, top, q.LogProbs != nil)
	}
	if q.LogProbs != nil {
		c.logProbs = make([]textLogProbs, len(ids)*j.n)
		for i := range c.logProbs {
			c.logProbs[i].at = utf8.RuneCountInString(m.Bundle.Tokenizer.Decode(ids[i/j.n]))
		}
	}
	return s.answer(w, r, j, c)
}

// encode is the prompts as ids, with a gap where there is a suffix.
func (q *completionRequest) encode(m *served, echo bool) ([][]int32, error) {
	if q.Suffix == nil || *q.Suffix == "" {
		return q.Prompt.encode(m)
	}
	switch {
	case q.Prompt.ids != nil || q.Prompt.texts == nil:
		return nil, wrong("suffix", "it needs a prompt that is text")
	case echo:
		return nil, wrong("suffix", "it goes not with echo")
	}
	out := make([][]int32, len(q.Prompt.texts))
	for i, text := range q.Prompt.texts {
		var err error
		if out[i], err = m.Bundle.Infill(text, *q.Suffix); err != nil {
			return nil, wrong("suffix", err.Error())
		}
	}
	return out, nil
}

// completion is the shape of /v1/completions, the same whole and in events.
type completion struct {
	*job
	logProbs []textLogProbs // of each text; nil: not asked for
	echo     *echo          // nil: the prompt is not shown
}

type textCompletion struct {
	ID          string          `json:"id"`
	Object      string          `json:"object"`
	Created     int64           `json:"created"`
	Model       string          `json:"model"`
	Fingerprint string          `json:"system_fingerprint"`
	Choices     []textChoice    `json:"choices"`
	Usage       json.RawMessage `json:"usage,omitempty"`
	Notes       *notes          `json:"foundling,omitempty"`
}

type textChoice struct {
	Text     string        `json:"text"`
	Index    int           `json:"index"`
	LogProbs *textLogProbs `json:"logprobs"`
	Finish   *string       `json:"finish_reason"`
	IDs      []int32       `json:"token_ids,omitzero"`
	Known    *judgement    `json:"foundling,omitempty"`
}

func (c *completion) object(choices []textChoice, usage json.RawMessage) textCompletion {
	return textCompletion{c.id, "text_completion", c.created, c.model.Name, c.model.fingerprint(), choices, usage, nil}
}

func (c *completion) whole(texts []*text, u usage) any {
	choices := make([]textChoice, len(texts))
	for i, t := range texts {
		reason := finish(t)
		choices[i] = textChoice{Text: c.echo.text(i/c.n) + t.Text, Index: i, Finish: &reason, IDs: c.fields.tokenIDs(t.IDs), Known: t.known}
		if c.logProbs == nil {
			continue
		}
		l := &c.logProbs[i]
		c.echo.tell(l, i/c.n)
		for k, id := range t.IDs {
			l.add(c.model, id, t.LogProbs[k], detail(t.Details, k))
		}
		choices[i].LogProbs = l
	}
	o := c.object(choices, marshal(u))
	o.Notes = c.notes
	return o
}

// detail is the k-th, nil where there are none.
func detail(details []*generate.Detail, k int) *generate.Detail {
	if k >= len(details) {
		return nil
	}
	return details[k]
}

// prepare reads the prompts once more, for their probabilities.
func (c *completion) prepare(ctx context.Context) error { return c.echo.score(ctx) }

func (c *completion) first(i int) any {
	if c.echo == nil {
		return nil
	}
	choice := textChoice{Text: c.echo.text(i / c.n), Index: i}
	if c.logProbs != nil {
		one := &textLogProbs{Tokens: []string{}}
		c.echo.tell(one, i/c.n)
		c.logProbs[i].at, choice.LogProbs = one.at, one
	}
	return c.object([]textChoice{choice}, c.rest())
}

func (c *completion) piece(i int, p generate.Piece) any {
	choice := textChoice{Text: p.Text, Index: i, IDs: c.fields.tokenID(p)}
	if c.logProbs != nil && p.ID >= 0 {
		l := &c.logProbs[i]
		one := textLogProbs{at: l.at}
		one.add(c.model, p.ID, p.LogProb, p.Detail)
		l.at, choice.LogProbs = one.at, &one
	} else if p.Text == "" && choice.IDs == nil {
		return nil
	}
	return c.object([]textChoice{choice}, c.rest())
}

func (c *completion) end(i int, t *text) any {
	reason := finish(t)
	o := c.object([]textChoice{{Index: i, Finish: &reason, Known: t.known}}, c.rest())
	if i+1 == len(c.prompts)*c.n {
		o.Notes = c.notes
	}
	return o
}

func (c *completion) used(u usage) any { return c.object([]textChoice{}, marshal(u)) }
