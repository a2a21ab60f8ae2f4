package serve

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/serve/store"
)

// usual are questions of many kinds. What their hidden states have in common says nothing
// about any of them: without it taken away all texts look alike to a model of language
// (Ethayarajh 2019, arXiv 1909.00512; Mu and Viswanath 2018, arXiv 1702.01417).
var usual = []string{
	"What is the capital of France?", "Write a poem about the sea.", "How do I sort a list in Go?", "Tell me a story about a dog.",
	"Explain how a battery works.", "What is 17 times 23?", "Translate good morning into Spanish.", "Who wrote this book?",
	"Give me a recipe for soup.", "Why is the sky blue?", "Fix the error in this function.", "List three large rivers.",
	"What should I say to a friend who is sad?", "When did the war end?", "Make this sentence shorter.", "Is it safe to eat this mushroom?",
}

// likenesses turns texts into vectors of length 1 whose products say how alike they are.
type likenesses struct {
	mu     sync.Mutex
	centre []float64 // nil: not yet computed
}

// vectors are those of texts. A text that is too long for the model, or has no ids, has
// none.
func (m *served) vectors(ctx context.Context, texts []string) ([][]float32, error) {
	l := &m.likenesses
	l.mu.Lock()
	centre := l.centre
	l.mu.Unlock()
	if centre == nil {
		some, err := m.embed(ctx, usual)
		if err != nil {
			return nil, err
		}
		centre = make([]float64, m.Bundle.Model.Dims().Width)
		for _, v := range some {
			for i, x := range v {
				centre[i] += float64(x) / float64(len(some))
			}
		}
		l.mu.Lock()
		l.centre = centre
		l.mu.Unlock()
	}
	vectors, err := m.embed(ctx, texts)
	for _, v := range vectors {
		for i, c := range centre[:len(v)] {
			v[i] -= float32(c)
		}
		unit(v)
	}
	return vectors, err
}

// embed is the mean of the hidden states of each text, scaled to length 1; nil for texts
// without one.
func (m *served) embed(ctx context.Context, texts []string) ([][]float32, error) {
	var ids [][]int32
	var at []int
	for i, text := range texts {
		x, err := m.Bundle.TextPrompt(text)
		if err != nil {
			return nil, err
		}
		if len(x) > 0 && len(x) <= m.Bundle.Model.Dims().Context {
			ids, at = append(ids, x), append(at, i)
		}
	}
	out := make([][]float32, len(texts))
	if len(ids) == 0 {
		return out, nil
	}
	vectors, err := m.Engine.Embed(ctx, ids, generate.PoolMean)
	if err != nil {
		return nil, err
	}
	for k, v := range vectors {
		if n := dot(v, v); n > 0 && finite(n) {
			unit(v)
			out[at[k]] = v
		}
	}
	return out, nil
}

// locate gives an answer the vector of its question, and the scope of all else that was
// asked. It gives none where the request is not one question.
func (s *Server) locate(ctx context.Context, a *store.Answer, body []byte, j *job) error {
	question, rest, err := asked(body)
	if err != nil || question == "" || len(j.prompts) != 1 {
		return err
	}
	vectors, err := j.model.vectors(ctx, []string{question})
	if err != nil || vectors[0] == nil {
		return err
	}
	scope, err := j.scope(body, rest)
	if err != nil {
		return err
	}
	a.Vector, a.Scope = vectors[0], scope
	return nil
}

// asked is the question of a request, the text of the last message or the prompt, and
// what is around it: the messages before. The question is "" where it is no text.
func asked(body []byte) (question string, rest []byte, err error) {
	fields, err := members(body)
	if err != nil {
		return "", nil, err
	}
	if p := fields["prompt"]; p.Kind() == '"' {
		return question, nil, unmarshal(p, &question)
	}
	if fields["messages"].Kind() != '[' {
		return "", nil, nil
	}
	var messages []map[string]jsontext.Value
	if err := unmarshal(fields["messages"], &messages); err != nil || len(messages) == 0 {
		return "", nil, err
	}
	last := messages[len(messages)-1]
	if last["content"].Kind() != '"' {
		return "", nil, nil
	}
	if err := unmarshal(last["content"], &question); err != nil {
		return "", nil, err
	}
	last["content"] = jsontext.Value(`""`)
	for _, m := range messages {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			v := m[name].Clone()
			if err := v.Canonicalize(); err != nil {
				return "", nil, err
			}
			rest = appendText(appendText(rest, name), string(v))
		}
		rest = append(rest, ';')
	}
	return question, rest, nil
}
