package serve

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/text/chat"
)

// scoreRequest is the body of /v1/score.
type scoreRequest struct {
	Model string `json:"model"`
	Input inputs `json:"input"` // with prompt and completion: the completion is scored
	Top   *int   `json:"top"`   // of the most probable next tokens behind a text; nil: none
	ignored
}

// scored is what a language model thinks of a text: the natural log-probability of each
// token given those before; or the number of a reward model.
type scored struct {
	Object   string         `json:"object"`
	Index    int            `json:"index"`
	Score    *float64       `json:"score,omitempty"` // of a reward model
	IDs      []int32        `json:"token_ids,omitzero"`
	LogProbs []float64      `json:"logprobs,omitzero"` // of token_ids
	Sum      *float64       `json:"sum,omitempty"`
	Top      []tokenLogProb `json:"top,omitzero"` // what may be next
}

type scores struct {
	Object string    `json:"object"`
	Model  string    `json:"model"`
	Data   []scored  `json:"data"`
	Usage  readUsage `json:"usage"`
}

// score is POST /v1/score: given texts are judged.
func (s *Server) score(w *reply, r *http.Request) error {
	var q scoreRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	m, err := s.model(q.Model)
	if err != nil {
		return err
	}
	top := 0
	switch {
	case q.Input == nil:
		return wrong("input", "it is missing")
	case m.classifies():
		return &Error{Message: fmt.Sprintf("the model %q is a classifier: POST /v1/classify is for it", m.Name), Param: "model", Code: "model_not_supported"}
	case q.Top != nil:
		if top = *q.Top; top < 0 || top > maxExplained {
			return wrong("top", fmt.Sprintf("%d lies outside 0 to %d", top, maxExplained))
		}
		if top > 0 && m.Bundle.Head != nil {
			return wrong("top", "a reward model has no next tokens")
		}
	}
	texts, from, err := s.scoredTexts(m, q.Input)
	if err != nil {
		return err
	}
	leave, err := s.reading(w, r, m, &q.ignored, texts)
	if err != nil {
		return err
	}
	defer leave()
	out := scores{"list", m.Name, make([]scored, len(texts)), w.readUsage()}
	if m.Bundle.Head != nil {
		rewards, err := s.heads(r.Context(), m, texts)
		if err != nil {
			return err
		}
		for i, x := range rewards {
			out.Data[i] = scored{Object: "score", Index: i, Score: &x[0]}
		}
		s.read(w, out)
		return nil
	}
	all, err := s.logProbs(r.Context(), m, texts, top)
	if err != nil {
		return err
	}
	for i, x := range all {
		out.Data[i] = m.scored(i, texts[i], from[i], x)
	}
	s.read(w, out)
	return nil
}

func (m *served) scored(i int, ids []int32, from int, x *generate.Score) scored {
	sum := 0.0
	logProbs := x.LogProbs[from-1:]
	for _, p := range logProbs {
		sum += p
	}
	one := scored{Object: "score", Index: i, IDs: ids[from:], LogProbs: logProbs, Sum: &sum}
	for _, t := range x.Top {
		one.Top = append(one.Top, m.tokenLogProb(t.ID, t.LogProb))
	}
	return one
}

// logProbs is the model's view of texts, which must be numbers.
func (s *Server) logProbs(ctx context.Context, m *served, texts [][]int32, top int) ([]*generate.Score, error) {
	all, err := m.Engine.ScoreAll(ctx, texts, top)
	if err != nil {
		return nil, s.failed(ctx, err, false)
	}
	for _, x := range all {
		if !finite(x.LogProbs...) {
			return nil, damaged()
		}
	}
	return all, nil
}

// scoredTexts is the inputs as ids, and where in each the tokens begin that are scored.
func (s *Server) scoredTexts(m *served, in inputs) (texts [][]int32, from []int, err error) {
	for i, x := range in {
		field, at := inputAt(i), 1
		var ids []int32
		if x.answer == nil {
			ids, err = x.plain(m, field)
		} else {
			ids, at, err = s.answered(m, field, x.answer)
		}
		if err != nil {
			return nil, nil, err
		}
		texts, from = append(texts, ids), append(from, at)
	}
	return texts, from, nil
}

// answered is a prompt and its completion: as a reward model reads them, or as a
// language model writes them.
func (s *Server) answered(m *served, field string, x *answerInput) (ids []int32, from int, err error) {
	if m.Bundle.Head != nil {
		msgs, err := s.turns(m, field+".prompt", x.Prompt)
		if err != nil {
			return nil, 0, err
		}
		ids, err := m.judged(field, msgs, *x.Completion)
		return ids, 1, err
	}
	var before []int32
	encode := m.Bundle.Tokenizer.EncodeAppend
	if x.Prompt.Kind() == '"' {
		encode = m.Bundle.Tokenizer.EncodeAfter
		var text string
		if err := part(field+".prompt", x.Prompt, &text); err != nil {
			return nil, 0, err
		}
		before, err = m.Bundle.TextPrompt(text)
	} else {
		var msgs []chat.Message
		if msgs, err = s.turns(m, field+".prompt", x.Prompt); err != nil {
			return nil, 0, err
		}
		before, err = m.Bundle.Ask(msgs)
	}
	if err != nil {
		return nil, 0, wrong(field+".prompt", err.Error())
	}
	ids = encode(slices.Clone(before), *x.Completion)
	if len(ids) == len(before) {
		return nil, 0, wrong(field+".completion", "it is empty")
	}
	return ids, len(before), m.readable(field, ids)
}

// classifies says that the model is a classifier.
func (m *served) classifies() bool { return m.Bundle.Head != nil && m.Bundle.Head.Labels != nil }

// writes says why a model writes no text: what the layers of one with a head knew of
// the next token is lost.
func (m *served) writes() error {
	what, path := "a reward model", "/v1/score and /v1/rerank are"
	switch {
	case m.Bundle.Head == nil:
		return nil
	case m.classifies():
		what, path = "a classifier", "/v1/classify is"
	}
	return &Error{Message: fmt.Sprintf("the model %q is %s and writes no text: %s for it", m.Name, what, path), Param: "model", Code: "model_not_supported"}
}

// classifyRequest is the body of /v1/classify.
type classifyRequest struct {
	Model string `json:"model"`
	Input inputs `json:"input"`
	ignored
}

// classified is the class of a text and the probabilities of all, in the shape that
// vLLM's server has for them.
type classified struct {
	Index   int       `json:"index"`
	Label   string    `json:"label"`
	Probs   []float64 `json:"probs"`
	Classes int       `json:"num_classes"`
}

type classes struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Labels  []string     `json:"labels"` // of probs
	Data    []classified `json:"data"`
	Usage   readUsage    `json:"usage"`
}

// classify is POST /v1/classify: texts get classes.
func (s *Server) classify(w *reply, r *http.Request) error {
	var q classifyRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	m, err := s.model(q.Model)
	if err != nil {
		return err
	}
	switch {
	case !m.classifies():
		return &Error{Message: fmt.Sprintf("the model %q is no classifier: foundling classify train makes one", m.Name), Param: "model", Code: "model_not_supported"}
	case q.Input == nil:
		return wrong("input", "it is missing")
	}
	texts, err := q.Input.plain(m)
	if err != nil {
		return err
	}
	leave, err := s.reading(w, r, m, &q.ignored, texts)
	if err != nil {
		return err
	}
	defer leave()
	all, err := s.heads(r.Context(), m, texts)
	if err != nil {
		return err
	}
	labels := m.Bundle.Head.Labels
	out := classes{"classify-" + nonce(), "list", time.Now().Unix(), m.Name, labels, make([]classified, len(all)), w.readUsage()}
	for i, x := range all {
		probs := model.Probabilities(x)
		out.Data[i] = classified{i, labels[slices.Index(x, slices.Max(x))], probs, len(labels)}
	}
	s.read(w, out)
	return nil
}
