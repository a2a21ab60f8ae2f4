package serve

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
)

// tokenLogProb is a token of a chat's answer. The probability is the model's, before
// the sampling chain and any grammar.
type tokenLogProb struct {
	Token   string  `json:"token"`
	LogProb float64 `json:"logprob"`
	Bytes   []int   `json:"bytes"` // OpenAI's lists numbers; null: a special token
}

type topLogProb struct {
	tokenLogProb
	Top []tokenLogProb `json:"top_logprobs"`
}

// chatLogProbs is those of an answer or a part of it.
type chatLogProbs struct {
	Content []topLogProb `json:"content"`
	Refusal *struct{}    `json:"refusal"` // always null
}

// unlikely is what stands for a probability of 0: JSON has no infinite numbers.
const unlikely = -9999

func (m *served) tokenLogProb(id int32, logProb float64) tokenLogProb {
	if !(logProb >= unlikely) {
		logProb = unlikely
	}
	if text, special := m.Bundle.Tokenizer.Special(id); special {
		return tokenLogProb{Token: text, LogProb: logProb}
	}
	b := m.Bundle.Tokenizer.AppendToken(nil, id)
	t := tokenLogProb{Token: string(b), LogProb: logProb, Bytes: make([]int, len(b))}
	for i, c := range b {
		t.Bytes[i] = int(c)
	}
	return t
}

func (m *served) chatLogProb(id int32, logProb float64, d *generate.Detail) topLogProb {
	t := topLogProb{tokenLogProb: m.tokenLogProb(id, logProb), Top: []tokenLogProb{}}
	for _, x := range listed(d, id, logProb) {
		t.Top = append(t.Top, m.tokenLogProb(x.ID, x.LogProb))
	}
	return t
}

// listed are the most probable tokens of a detail. The one that was written has the number
// that stands beside it: the two sums behind them are not in one order, and differ in their
// last bits.
func listed(d *generate.Detail, id int32, logProb float64) []sample.Token {
	if d == nil {
		return nil
	}
	top := slices.Clone(d.Top)
	for i := range top {
		if top[i].ID == id {
			top[i].LogProb = logProb
		}
	}
	return top
}

// textLogProbs is those of a text completion. Offsets count characters from where the
// prompt begins.
type textLogProbs struct {
	Tokens  []string             `json:"tokens"`
	Token   []*float64           `json:"token_logprobs"` // null: nothing is before the token
	Top     []map[string]float64 `json:"top_logprobs"`
	Offsets []int                `json:"text_offset"`

	at int // characters so far
}

// name is a token in a text completion: bytes that are no text are spelled.
func (m *served) name(id int32) string {
	t := m.tokenLogProb(id, 0)
	if utf8.ValidString(t.Token) {
		return t.Token
	}
	s := "bytes:"
	for _, c := range t.Bytes {
		s += fmt.Sprintf(`\x%02x`, c)
	}
	return s
}

// add puts a token in.
func (l *textLogProbs) add(m *served, id int32, logProb float64, d *generate.Detail) {
	top := map[string]float64{}
	for _, x := range listed(d, id, logProb) {
		top[m.name(x.ID)] = math.Max(x.LogProb, unlikely)
	}
	l.put(m, id, new(math.Max(logProb, unlikely)), top)
}

func (l *textLogProbs) put(m *served, id int32, logProb *float64, top map[string]float64) {
	l.Tokens, l.Token, l.Offsets = append(l.Tokens, m.name(id)), append(l.Token, logProb), append(l.Offsets, max(0, l.at))
	l.Top = append(l.Top, top)
	for _, c := range m.Bundle.Tokenizer.AppendToken(nil, id) {
		if c&0xC0 != 0x80 { // each character has one such byte
			l.at++
		}
	}
}
