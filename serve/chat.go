package serve

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/foundling-lm/foundling/generate"
)

// chatRequest is the body of /v1/chat/completions.
type chatRequest struct {
	Messages            []message `json:"messages"`
	MaxTokens           *int      `json:"max_tokens"` // nil: as many as the context holds
	MaxCompletionTokens *int      `json:"max_completion_tokens"`
	LogProbs            *bool     `json:"logprobs"`
	TopLogProbs         *int      `json:"top_logprobs"`
	Modalities          []string  `json:"modalities"` // text is the only one
	tools
	writing
}

func (q *chatRequest) limit() (*int, error) {
	if q.MaxCompletionTokens == nil {
		return q.MaxTokens, nil
	}
	if q.MaxTokens != nil && *q.MaxTokens != *q.MaxCompletionTokens {
		return nil, wrong("max_tokens", "it is not max_completion_tokens: give one of them")
	}
	return q.MaxCompletionTokens, nil
}

// named is an error of the limit under the name that it was given by.
func (q *chatRequest) named(err error) error {
	if e, ok := err.(*Error); ok && e.Param == "max_tokens" && q.MaxTokens == nil && q.MaxCompletionTokens != nil {
		return e.named("max_completion_tokens")
	}
	return err
}

// top is how many of the most probable tokens are listed.
func (q *chatRequest) top() (int, error) {
	switch n := q.TopLogProbs; {
	case n == nil:
		return 0, nil
	case *n < 0 || *n > maxTopLogProbs:
		return 0, wrong("top_logprobs", fmt.Sprintf("%d lies outside 0 to %d", *n, maxTopLogProbs))
	case q.LogProbs == nil || !*q.LogProbs:
		return 0, wrong("top_logprobs", "it needs logprobs to be true")
	default:
		return *n, nil
	}
}

// chatCompletions is POST /v1/chat/completions: the last message is answered.
func (s *Server) chatCompletions(w *reply, r *http.Request) error {
	var q chatRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	m, err := s.writer(&q.writing)
	if err != nil {
		return err
	}
	for _, kind := range q.Modalities {
		if kind != "text" {
			return wrong("modalities", fmt.Sprintf("%q: models here write text", kind))
		}
	}
	top, err := q.top()
	if err != nil {
		return err
	}
	limit, err := q.limit()
	if err != nil {
		return err
	}
	words, err := q.words()
	if err != nil {
		return err
	}
	if q.Messages, err = instruct(q.Messages, words, ""); err != nil {
		return err
	}
	if q.calling, err = q.tools.read(m); err != nil {
		return err
	}
	q.calling.within(q.ResponseFormat)
	place := m.queue.place(callerOf(r.Context()).Name)
	defer place.leave()
	facts, err := s.known(r.Context(), m, place, &q.writing, q.Messages)
	if err != nil {
		return err
	}
	with, err := instruct(q.Messages, "", inWords(facts))
	if err != nil {
		return err
	}
	ids, err := s.askTools(m, with, q.calling.tools)
	if err != nil {
		return err
	}
	j, err := s.job(m, &q.writing, "chatcmpl-", [][]int32{ids}, limit, top, m.Bundle.Stops())
	if err != nil {
		return q.named(ofMessages(err))
	}
	j.place = place
	j.reminds(q.Memory.used(), facts)
	msgs, err := conversation("messages", q.Messages, m.Bundle.Calls())
	if err != nil {
		return err
	}
	j.asks(msgs)
	j.doubt = s.doubting(m, q.Messages, q.calling.tools)
	return q.named(s.answer(w, r, j, &chatAnswer{job: j, logProbs: q.LogProbs != nil && *q.LogProbs, calling: q.calling}))
}

// ofMessages is an error of a prompt that is too long where messages are the prompt.
func ofMessages(err error) error {
	if e, ok := err.(*Error); ok && e.Code == "context_length_exceeded" && e.Param == "prompt" {
		return e.named("messages")
	}
	return err
}

// chatAnswer is the shape of /v1/chat/completions.
type chatAnswer struct {
	*job
	logProbs bool
	calling  *calling
	readers  map[int]*callReader // of texts in events that may have calls
}

type chatCompletion struct {
	ID          string          `json:"id"`
	Object      string          `json:"object"`
	Created     int64           `json:"created"`
	Model       string          `json:"model"`
	Fingerprint string          `json:"system_fingerprint"`
	Choices     any             `json:"choices"`
	Usage       json.RawMessage `json:"usage,omitempty"`
	Notes       *notes          `json:"foundling,omitempty"`
}

type chatChoice struct {
	Index    int           `json:"index"`
	Message  answered      `json:"message"`
	LogProbs *chatLogProbs `json:"logprobs"`
	Finish   string        `json:"finish_reason"`
	IDs      []int32       `json:"token_ids,omitzero"`
	Known    *judgement    `json:"foundling,omitempty"`
}

type answered struct {
	Role      string     `json:"role"`
	Content   *string    `json:"content"` // null: nothing but calls
	Refusal   *struct{}  `json:"refusal"` // always null
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
}

type chatDelta struct {
	Index    int           `json:"index"`
	Delta    delta         `json:"delta"`
	LogProbs *chatLogProbs `json:"logprobs"`
	Finish   *string       `json:"finish_reason"`
	IDs      []int32       `json:"token_ids,omitzero"`
	Known    *judgement    `json:"foundling,omitempty"`
}

type delta struct {
	Role      string      `json:"role,omitempty"`
	Content   *string     `json:"content,omitempty"`
	ToolCalls []callDelta `json:"tool_calls,omitempty"`
}

func (c *chatAnswer) object(kind string, choices any, usage json.RawMessage) chatCompletion {
	return chatCompletion{c.id, kind, c.created, c.model.Name, c.model.fingerprint(), choices, usage, nil}
}

func (c *chatAnswer) whole(texts []*text, u usage) any {
	choices := make([]chatChoice, len(texts))
	for i, t := range texts {
		content, made, reason := c.calling.answer(t)
		choices[i] = chatChoice{Index: i, Message: answered{Role: "assistant", Content: &content, ToolCalls: made}, Finish: reason, IDs: c.fields.tokenIDs(t.IDs), Known: t.known}
		if len(made) > 0 && content == "" {
			choices[i].Message.Content = nil
		}
		if !c.logProbs {
			continue
		}
		l := &chatLogProbs{Content: []topLogProb{}}
		for k, id := range t.IDs {
			l.Content = append(l.Content, c.model.chatLogProb(id, t.LogProbs[k], detail(t.Details, k)))
		}
		choices[i].LogProbs = l
	}
	o := c.object("chat.completion", choices, marshal(u))
	o.Notes = c.notes
	return o
}

func (c *chatAnswer) event(d chatDelta) chatCompletion {
	return c.object("chat.completion.chunk", []chatDelta{d}, c.rest())
}

func (c *chatAnswer) first(i int) any {
	if c.calling.may != nil {
		if c.readers == nil {
			c.readers = map[int]*callReader{}
		}
		c.readers[i] = c.calling.reader()
		return c.event(chatDelta{Index: i, Delta: delta{Role: "assistant"}})
	}
	return c.event(chatDelta{Index: i, Delta: delta{Role: "assistant", Content: new(string)}})
}

func (c *chatAnswer) piece(i int, p generate.Piece) any {
	d := chatDelta{Index: i, IDs: c.fields.tokenID(p)}
	if r := c.readers[i]; r != nil {
		d.Delta = r.delta(p.Text, false)
	} else if p.Text != "" {
		d.Delta.Content = &p.Text
	}
	if c.logProbs && p.ID >= 0 {
		d.LogProbs = &chatLogProbs{Content: []topLogProb{c.model.chatLogProb(p.ID, p.LogProb, p.Detail)}}
		if d.Delta.Content == nil {
			d.Delta.Content = new(string)
		}
	} else if d.Delta.Content == nil && d.Delta.ToolCalls == nil && d.IDs == nil {
		return nil
	}
	return c.event(d)
}

func (c *chatAnswer) end(i int, t *text) any {
	reason := finish(t)
	d := chatDelta{Index: i, Finish: &reason, Known: t.known}
	if r := c.readers[i]; r != nil {
		d.Delta = r.delta("", true)
		reason = r.finish(t)
	}
	o := c.event(d)
	if i+1 == c.n {
		o.Notes = c.notes
	}
	return o
}

func (c *chatAnswer) used(u usage) any {
	return c.object("chat.completion.chunk", []chatDelta{}, marshal(u))
}
