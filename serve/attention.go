package serve

import (
	"fmt"
	"math"
	"net/http"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/tensor/op"
)

// attentionRequest is the body of /v1/attention: a text, or messages in the model's chat
// format up to where the answer begins.
type attentionRequest struct {
	Model    string    `json:"model"`
	Text     *string   `json:"text"`
	Messages []message `json:"messages"`
	Layer    *int      `json:"layer"` // from 0; nil: all
	Head     *int      `json:"head"`  // from 0; nil: all
}

// attentionAnswer is what heads look at.
type attentionAnswer struct {
	Model   string          `json:"model"`
	IDs     []int32         `json:"ids"`
	Tokens  []string        `json:"tokens"`
	Layers  int             `json:"layers"`
	Heads   int             `json:"heads"`
	Weights []attentionHead `json:"weights"`
}

// attentionHead is one query head. Row t has t+1 shares: those of token t and of what is
// before it. It sums to 1, to four decimals.
type attentionHead struct {
	Layer   int         `json:"layer"`
	Head    int         `json:"head"`
	Weights [][]float64 `json:"weights"`
}

// Bounds of one look: others wait while it is taken, and all of it is in one answer.
const (
	maxAttentionTokens  = 512
	maxAttentionWeights = 3 << 20 // heads x tokens^2
)

// attention is POST /v1/attention: what the heads of a model look at in a text.
func (s *Server) attention(w *reply, r *http.Request) error {
	var q attentionRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	m, err := s.model(q.Model)
	if err != nil {
		return err
	}
	ids, err := s.given(m, "text", q.Text, q.Messages)
	if err != nil {
		return err
	}
	d := m.Bundle.Model.Dims()
	if err := q.check(d.Layers, d.Heads, len(ids), min(maxAttentionTokens, d.Context)); err != nil {
		return err
	}
	leave, err := m.queue.enter(callerOf(r.Context()).Name, 1)
	if err != nil {
		return err
	}
	defer leave()
	var layers []eval.AttentionLayer
	m.Engine.Between(func(p *op.Pass) {
		layers, err = eval.ObserveAttention(p, m.Bundle.Model, ids, q.wanted)
	})
	if err != nil {
		return wrong("text", err.Error())
	}
	w.model = m.Name
	a := attentionAnswer{Model: m.Name, IDs: ids, Layers: d.Layers, Heads: d.Heads}
	for _, id := range ids {
		a.Tokens = append(a.Tokens, m.name(id))
	}
	for l, heads := range layers {
		for h, x := range heads {
			if q.wanted(l, h) {
				a.Weights = append(a.Weights, attentionHead{l, h, triangle(x.Weights)})
			}
		}
	}
	writeJSON(w, http.StatusOK, a)
	return nil
}

// given is a text or a conversation as the ids that the model reads; field is the name
// of the text.
func (s *Server) given(m *served, field string, text *string, messages []message) ([]int32, error) {
	if (text == nil) == (messages == nil) {
		return nil, wrong(field, "give it or messages")
	}
	if messages != nil {
		return s.ask(m, messages)
	}
	ids, err := m.Bundle.TextPrompt(*text)
	if err != nil {
		return nil, wrong(field, err.Error())
	}
	return ids, nil
}

// givenBy is the field of a text or a conversation.
func givenBy(field string, messages []message) string {
	if messages != nil {
		return "messages"
	}
	return field
}

func (q *attentionRequest) wanted(layer, head int) bool {
	return (q.Layer == nil || *q.Layer == layer) && (q.Head == nil || *q.Head == head)
}

func (q *attentionRequest) check(layers, heads, tokens, most int) error {
	outside := func(field string, x *int, n int) error {
		if x != nil && (*x < 0 || *x >= n) {
			return wrong(field, fmt.Sprintf("%d: the model has 0 to %d", *x, n-1))
		}
		return nil
	}
	if err := outside("layer", q.Layer, layers); err != nil {
		return err
	}
	if err := outside("head", q.Head, heads); err != nil {
		return err
	}
	field := givenBy("text", q.Messages)
	if tokens == 0 || tokens > most {
		e := wrong(field, fmt.Sprintf("%d tokens, between 1 and %d can be looked at", tokens, most))
		if tokens > 0 {
			e.Code = "context_length_exceeded"
		}
		return e
	}
	if q.Layer != nil {
		layers = 1
	}
	if q.Head != nil {
		heads = 1
	}
	if n := layers * heads * tokens * tokens; n > maxAttentionWeights {
		e := wrong(field, fmt.Sprintf("%d heads of %d tokens have %d weights, an answer holds %d: name a layer and a head, or give a shorter one", layers*heads, tokens, n, maxAttentionWeights))
		e.Code = "too_many_weights"
		return e
	}
	return nil
}

// triangle is what a row can see of its matrix, rounded.
func triangle(weights [][]float64) [][]float64 {
	out := make([][]float64, len(weights))
	for t, row := range weights {
		out[t] = make([]float64, t+1)
		for i, x := range row[:t+1] {
			out[t][i] = math.Round(x*1e4) / 1e4
		}
	}
	return out
}
