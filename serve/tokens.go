package serve

import (
	"fmt"
	"net/http"
)

// tokenizeRequest is the body of /tokenize: a prompt, or messages in the model's chat
// format.
type tokenizeRequest struct {
	Model    string    `json:"model"`
	Prompt   *string   `json:"prompt"`
	Messages []message `json:"messages"`
}

type tokenized struct {
	Tokens  []int32 `json:"tokens"`
	Count   int     `json:"count"`
	Context int     `json:"max_model_len"`
}

// tokenize is POST /tokenize: the ids that the model would read.
func (s *Server) tokenize(w *reply, r *http.Request) error {
	var q tokenizeRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	m, err := s.model(q.Model)
	if err != nil {
		return err
	}
	var ids []int32
	switch {
	case (q.Prompt == nil) == (q.Messages == nil):
		return wrong("prompt", "give it or messages")
	case q.Prompt != nil:
		if ids, err = m.Bundle.TextPrompt(*q.Prompt); err != nil {
			return wrong("prompt", err.Error())
		}
	default:
		if ids, err = s.ask(m, q.Messages); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, tokenized{ids, len(ids), m.Bundle.Model.Dims().Context})
	return nil
}

// detokenizeRequest is the body of /detokenize.
type detokenizeRequest struct {
	Model  string  `json:"model"`
	Tokens []int32 `json:"tokens"`
}

// detokenize is POST /detokenize: the text of ids, special tokens by their names.
func (s *Server) detokenize(w *reply, r *http.Request) error {
	var q detokenizeRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	m, err := s.model(q.Model)
	if err != nil {
		return err
	}
	for i, id := range q.Tokens {
		if n := m.Bundle.Model.Dims().Vocab; id < 0 || int(id) >= n {
			return wrong("tokens", fmt.Sprintf("id %d at place %d is outside the vocabulary of %d", id, i, n))
		}
	}
	writeJSON(w, http.StatusOK, map[string]string{"prompt": m.Bundle.Tokenizer.DecodeSpecial(q.Tokens)})
	return nil
}
