package main

import (
	"math"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
)

// logProbs is the answer to --logprobs, in the shape of OpenAI's interface with
// the ids, and with the numbers after the chain beside those of the model.
type logProbs struct {
	Content []tokenLogProb `json:"content"`
	Prompt  []tokenLogProb `json:"prompt"` // of the tokens after the first
}

type tokenLogProb struct {
	likelyToken
	Top   []likelyToken `json:"top_logprobs"`
	Chain *float64      `json:"chain_logprob"` // null: the chain leaves the token out
	After []likelyToken `json:"chain_top_logprobs"`
}

type likelyToken struct {
	Token   string   `json:"token"`
	ID      int32    `json:"id"`
	LogProb *float64 `json:"logprob"` // null: -Inf or no number
	Bytes   []int    `json:"bytes"`
}

// number is x where JSON can hold it.
func number(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func likely(m *foundling.Model, id int32, logProb float64) likelyToken {
	t := likelyToken{Token: tokenLabel(m, id), ID: id, LogProb: number(logProb), Bytes: []int{}}
	if m.Bundle.Tokenizer != nil {
		text := tokenText(m, id)
		t.Token = text
		for _, b := range []byte(text) {
			t.Bytes = append(t.Bytes, int(b))
		}
	}
	return t
}

func likelies(m *foundling.Model, ts []sample.Token) []likelyToken {
	out := make([]likelyToken, len(ts))
	for i, t := range ts {
		out[i] = likely(m, t.ID, t.LogProb)
	}
	return out
}

// newLogProbs lists ids with what they were chosen from.
func newLogProbs(m *foundling.Model, ids []int32, logProbs []float64, details []*generate.Detail) []tokenLogProb {
	out := make([]tokenLogProb, len(details))
	for i, d := range details {
		own := logProbs[i]
		for _, t := range d.Top { // summed in float64, unlike own: one token, one number
			if t.ID == ids[i] {
				own = t.LogProb
			}
		}
		out[i] = tokenLogProb{likely(m, ids[i], own), likelies(m, d.Top), number(d.LogProb), likelies(m, d.Chain)}
	}
	return out
}
