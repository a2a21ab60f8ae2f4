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
	Pieces   bool      `json:"pieces"` // tell the bytes of each
	Tools    []tool    `json:"tools"`  // with messages
}

type tokenized struct {
	Tokens  []int32 `json:"tokens"`
	Count   int     `json:"count"`
	Context int     `json:"max_model_len"`
	Pieces  []piece `json:"pieces,omitempty"`
}

// piece is a token's text. Bytes of several may be one character.
type piece struct {
	Token   string `json:"token"`
	Bytes   []int  `json:"bytes"`
	Special bool   `json:"special"`
}

func (m *served) pieces(ids []int32) []piece {
	out := make([]piece, len(ids))
	for i, id := range ids {
		t := m.tokenLogProb(id, 0)
		out[i] = piece{Token: t.Token, Bytes: t.Bytes, Special: t.Bytes == nil}
	}
	return out
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
	case q.Prompt != nil && q.Tools != nil:
		return wrong("tools", "they need messages")
	case q.Prompt != nil:
		if ids, err = m.Bundle.TextPrompt(*q.Prompt); err != nil {
			return wrong("prompt", err.Error())
		}
	default:
		c, err := (&tools{Tools: q.Tools}).read(m)
		if err != nil {
			return err
		}
		if ids, err = s.askTools(m, q.Messages, c.tools); err != nil {
			return err
		}
	}
	a := tokenized{Tokens: ids, Count: len(ids), Context: m.Bundle.Model.Dims().Context}
	if q.Pieces {
		a.Pieces = m.pieces(ids)
	}
	writeJSON(w, http.StatusOK, a)
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
	if err := within("tokens", q.Tokens, m.Bundle.Model.Dims().Vocab); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"prompt": m.Bundle.Tokenizer.DecodeSpecial(q.Tokens)})
	return nil
}

// within says whether ids are of the vocabulary; field is where they were given.
func within(field string, ids []int32, vocab int) error {
	for i, id := range ids {
		if id < 0 || int(id) >= vocab {
			return wrong(field, fmt.Sprintf("id %d at place %d is outside the vocabulary of %d", id, i, vocab))
		}
	}
	return nil
}
