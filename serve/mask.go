package serve

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// maskRequest is the body of /v1/mask: a prompt, the answer so far and what it must be.
type maskRequest struct {
	Model          string          `json:"model"`
	Prompt         *string         `json:"prompt"`
	Messages       []message       `json:"messages"`
	Text           *string         `json:"text"`           // the answer so far; nil: none
	CompletionIDs  []int32         `json:"completion_ids"` // the same as the ids that were written
	ResponseFormat *responseFormat `json:"response_format"`
	Grammar        string          `json:"grammar"`
	Regex          string          `json:"regex"`
	Choices        []string        `json:"choices"`
	Top            *int            `json:"top"` // tokens listed; nil: 20
}

// maskAnswer says how the answer so far fits, and what may follow it.
type maskAnswer struct {
	Model         string      `json:"model"`
	CompletionIDs []int32     `json:"completion_ids"`
	Text          string      `json:"text"` // the answer so far
	Valid         bool        `json:"valid_so_far"`
	Fits          int         `json:"fits_bytes"` // of the answer, from its beginning
	Complete      bool        `json:"complete"`   // it may end here
	Error         *string     `json:"error"`      // why it does not fit
	Minimum       int         `json:"minimum_tokens"`
	Vocabulary    int         `json:"vocabulary"`
	Allowed       int         `json:"allowed_count"`
	Mass          float64     `json:"allowed_mass"` // what the model gives to the allowed tokens
	Tokens        []maskToken `json:"tokens"`       // the most probable of all, and the most probable of those allowed
	Notes         []string    `json:"notes"`        // what of a schema has no effect
}

// maskToken is a token that the model might write next.
type maskToken struct {
	ID int32 `json:"id"`
	tokenLogProb
	Allowed bool    `json:"allowed"`
	Ends    bool    `json:"ends"`  // the answer ends with it
	Share   float64 `json:"share"` // its probability once those that are not allowed are gone
}

const (
	defaultMaskTop = 20
	maxMaskTop     = 200
)

// mask is POST /v1/mask: which tokens a format lets come next, and what the model makes
// of them.
func (s *Server) mask(w *reply, r *http.Request) error {
	var q maskRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	m, err := s.model(q.Model)
	if err != nil {
		return err
	}
	prompt, err := s.given(m, "prompt", q.Prompt, q.Messages)
	if err != nil {
		return err
	}
	context := m.Bundle.Model.Dims().Context
	if len(prompt) >= context {
		return noRoom(givenBy("prompt", q.Messages), len(prompt), context)
	}
	top := defaultMaskTop
	if q.Top != nil {
		if top = *q.Top; top < 1 || top > maxMaskTop {
			return wrong("top", fmt.Sprintf("%d lies outside 1 to %d", top, maxMaskTop))
		}
	}
	leave, err := m.queue.enter(callerOf(r.Context()).Name, 1)
	if err != nil {
		return err
	}
	defer leave()
	g, err := m.compile(q.format())
	switch {
	case err != nil:
		return err
	case g == nil:
		return wrong("response_format", "nothing says what the answer must be: give it, grammar, regex or choices")
	}
	d := foundling.Decoding{Grammar: g}
	o := m.Options(d)
	if prompt, err = m.Begin(prompt, d, &o); err != nil {
		return asError(err, true)
	}
	ids, text, err := q.answer(m, prompt, o.StopIDs)
	if err != nil {
		return err
	}
	if n := len(prompt) + len(ids); n >= context {
		field := "text"
		if q.Text == nil {
			field = "completion_ids"
		}
		return noRoom(field, n, context)
	}
	a := &maskAnswer{Model: m.Name, CompletionIDs: ids, Text: text, Minimum: g.Minimum(), Vocabulary: m.Bundle.Model.Dims().Vocab, Tokens: []maskToken{}, Notes: append([]string{}, g.Notes...)}
	if err := q.fit(a, text); err != nil {
		return err
	}
	if a.Valid {
		if err := s.follow(r, m, a, o, slices.Concat(prompt, ids), top); err != nil {
			return err
		}
	}
	w.model = m.Name
	writeJSON(w, http.StatusOK, a)
	return nil
}

// format is what the answer must be, as requests for text say it.
func (q *maskRequest) format() *writing {
	f := &writing{ResponseFormat: q.ResponseFormat}
	f.More.Grammar, f.Regex, f.Choices = q.Grammar, q.Regex, q.Choices
	return f
}

// answer is the answer so far as ids and as text, without an end token.
func (q *maskRequest) answer(m *served, prompt []int32, ends []int32) (ids []int32, text string, err error) {
	tok := m.Bundle.Tokenizer
	switch {
	case q.Text != nil && q.CompletionIDs != nil:
		return nil, "", wrong("text", "give it or completion_ids")
	case q.Text != nil:
		ids, err = spell(tok, prompt, *q.Text)
		return ids, *q.Text, err
	}
	if err := within("completion_ids", q.CompletionIDs, m.Bundle.Model.Dims().Vocab); err != nil {
		return nil, "", err
	}
	ids = append([]int32{}, q.CompletionIDs...)
	if n := len(ids); n > 0 && slices.Contains(ends, ids[n-1]) {
		ids = ids[:n-1]
	}
	stream := tok.NewStreamAfter(prompt)
	var read []byte
	for _, id := range ids {
		read = stream.Append(read, id)
	}
	return ids, string(stream.Flush(read)), nil
}

// spell is text behind a prompt as the tokenizer writes it, or where that puts a space
// before it that does not belong there, in the longest tokens.
func spell(tok *tokenizer.Tokenizer, prompt []int32, text string) ([]int32, error) {
	ids := tok.EncodeAfter(slices.Clone(prompt), text)[len(prompt):]
	var read []byte
	for _, id := range ids {
		read = tok.AppendToken(read, id)
	}
	if string(read) == text || string(read) == " "+text && tok.BlankAfter(prompt) {
		return ids, nil
	}
	ids = []int32{}
	for at := 0; at < len(text); {
		n := min(len(text)-at, maxSpelled)
		id, ok := tok.TokenID(text[at : at+n])
		for ; !ok && n > 1; id, ok = tok.TokenID(text[at : at+n]) {
			n--
		}
		if !ok {
			return nil, wrong("text", fmt.Sprintf("the vocabulary cannot spell its byte %d: give completion_ids", at))
		}
		ids, at = append(ids, id), at+n
	}
	return ids, nil
}

// maxSpelled is the longest token that spell looks for, in bytes.
const maxSpelled = 64

// fit reads the answer so far byte by byte.
func (q *maskRequest) fit(a *maskAnswer, text string) error {
	source, field, err := q.format().format()
	if err != nil {
		return err
	}
	l, err := source.Compile()
	if err != nil {
		return wrong(field, err.Error())
	}
	at := l.Start
	for a.Fits = range len(text) {
		to := at.Next(text[a.Fits])
		if to == nil {
			a.Error = new(fmt.Sprintf("byte %d does not fit: instead of %s it might go on with %s", a.Fits, excerpt(text[a.Fits:]), excerpt(string(at.Shortest()))))
			return nil
		}
		at = to
	}
	a.Fits, a.Valid, a.Complete = len(text), true, at.Accepting()
	return nil
}

// excerpt is the beginning of a text, quoted.
func excerpt(text string) string {
	if text == "" {
		return "the end"
	}
	const most = 32
	if len(text) > most {
		text = text[:most] + "..."
	}
	return strconv.Quote(strings.ToValidUTF8(text, "\uFFFD"))
}

// follow finds the tokens that may come next, and what the model makes of them.
func (s *Server) follow(r *http.Request, m *served, a *maskAnswer, o generate.Options, ids []int32, top int) error {
	c := o.Constraint.Fork()
	for i, id := range a.CompletionIDs {
		if err := c.Accept(id); err != nil {
			a.Valid, a.Complete, a.Error = false, false, new(fmt.Sprintf("token %d does not fit: %v", i, err))
			return nil
		}
	}
	mask, err := c.Mask(0)
	if err != nil {
		return asError(err, true)
	}
	b, err := m.Engine.Branch(r.Context(), ids, 0)
	if err != nil {
		return s.failed(r.Context(), err, true)
	}
	defer b.Close()
	return m.Engine.Next(r.Context(), []*generate.Branch{b}, func(_ int, logits []float32) {
		a.list(m, logits, mask, o.StopIDs, top)
	})
}

// list puts tokens in: the most probable ones, and the most probable ones that may come.
func (a *maskAnswer) list(m *served, logits []float32, mask []uint64, ends []int32, top int) {
	allowed := func(id int32) bool { return mask[id/64]>>(id%64)&1 != 0 }
	only := slices.Clone(logits)
	for id := range only {
		if allowed(int32(id)) {
			a.Allowed++
		} else {
			only[id] = float32(math.Inf(-1))
		}
	}
	all, may := sample.TopN(logits, top), sample.TopN(only, min(top, a.Allowed))
	mass := math.Inf(-1) // its logarithm
	if len(may) > 0 {
		mass = sample.LogProb(logits, may[0].ID) - may[0].LogProb
	}
	a.Mass = math.Exp(mass)
	listed := map[int32]bool{}
	add := func(id int32, logProb float64) {
		if listed[id] {
			return
		}
		listed[id] = true
		t := maskToken{ID: id, tokenLogProb: m.tokenLogProb(id, logProb), Allowed: allowed(id), Ends: slices.Contains(ends, id)}
		if t.Allowed {
			t.Share = math.Exp(logProb - mass)
		}
		a.Tokens = append(a.Tokens, t)
	}
	for _, t := range all {
		add(t.ID, t.LogProb)
	}
	for _, t := range may {
		add(t.ID, t.LogProb+mass)
	}
}
