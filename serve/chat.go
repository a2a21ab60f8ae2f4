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
	m, err := s.model(q.Model)
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
	ids, err := s.ask(m, q.Messages)
	if err != nil {
		return err
	}
	j, err := s.job(m, &q.writing, "chatcmpl-", [][]int32{ids}, limit, top, m.Bundle.Stops())
	if e, ok := err.(*Error); ok && e.Code == "context_length_exceeded" {
		e.Param = "messages"
	}
	if err != nil {
		return err
	}
	return s.answer(w, r, j, &chatAnswer{job: j, logProbs: q.LogProbs != nil && *q.LogProbs})
}

// chatAnswer is the shape of /v1/chat/completions.
type chatAnswer struct {
	*job
	logProbs bool
}

type chatCompletion struct {
	ID          string          `json:"id"`
	Object      string          `json:"object"`
	Created     int64           `json:"created"`
	Model       string          `json:"model"`
	Fingerprint string          `json:"system_fingerprint"`
	Choices     any             `json:"choices"`
	Usage       json.RawMessage `json:"usage,omitempty"`
}

type chatChoice struct {
	Index    int           `json:"index"`
	Message  answered      `json:"message"`
	LogProbs *chatLogProbs `json:"logprobs"`
	Finish   string        `json:"finish_reason"`
}

type answered struct {
	Role    string    `json:"role"`
	Content string    `json:"content"`
	Refusal *struct{} `json:"refusal"` // always null
}

type chatDelta struct {
	Index    int           `json:"index"`
	Delta    delta         `json:"delta"`
	LogProbs *chatLogProbs `json:"logprobs"`
	Finish   *string       `json:"finish_reason"`
}

type delta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

func (c *chatAnswer) object(kind string, choices any, usage json.RawMessage) chatCompletion {
	return chatCompletion{c.id, kind, c.created, c.model.Name, c.model.fingerprint(), choices, usage}
}

func (c *chatAnswer) whole(results []*generate.Result, u usage) any {
	choices := make([]chatChoice, len(results))
	for i, r := range results {
		choices[i] = chatChoice{Index: i, Message: answered{Role: "assistant", Content: r.Text}, Finish: finish(r)}
		if !c.logProbs {
			continue
		}
		l := &chatLogProbs{Content: []topLogProb{}}
		for k, id := range r.IDs {
			l.Content = append(l.Content, c.model.chatLogProb(id, r.LogProbs[k], detail(r.Details, k)))
		}
		choices[i].LogProbs = l
	}
	return c.object("chat.completion", choices, marshal(u))
}

func (c *chatAnswer) event(d chatDelta) any {
	return c.object("chat.completion.chunk", []chatDelta{d}, c.rest())
}

func (c *chatAnswer) first(i int) any {
	return c.event(chatDelta{Index: i, Delta: delta{Role: "assistant", Content: new(string)}})
}

func (c *chatAnswer) piece(i int, p generate.Piece) any {
	d := chatDelta{Index: i, Delta: delta{Content: &p.Text}}
	if c.logProbs && p.ID >= 0 {
		d.LogProbs = &chatLogProbs{Content: []topLogProb{c.model.chatLogProb(p.ID, p.LogProb, p.Detail)}}
	} else if p.Text == "" {
		return nil
	}
	return c.event(d)
}

func (c *chatAnswer) end(i int, r *generate.Result) any {
	reason := finish(r)
	return c.event(chatDelta{Index: i, Finish: &reason})
}

func (c *chatAnswer) used(u usage) any {
	return c.object("chat.completion.chunk", []chatDelta{}, marshal(u))
}
