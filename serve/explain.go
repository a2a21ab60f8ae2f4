package serve

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
)

// explainRequest is the body of /v1/explain: a request for a text, the ids that were
// written for it so far, and which of them to look at.
type explainRequest struct {
	Messages            []message `json:"messages"`
	Prompt              *prompts  `json:"prompt"`
	CompletionIDs       []int32   `json:"completion_ids"`
	Position            *int      `json:"position"` // in CompletionIDs; nil: behind them, the token that is next
	Choice              int       `json:"choice"`   // which of n texts it was
	Top                 *int      `json:"top"`      // candidates that are shown; nil: 20
	MaxTokens           *int      `json:"max_tokens"`
	MaxCompletionTokens *int      `json:"max_completion_tokens"`
	writing
}

// Limits of /v1/explain.
const (
	defaultExplained = 20
	maxExplained     = 200
)

// explained are the fields of writing that say what a token is chosen from; of the
// others an answer says that they were ignored.
var explained = map[string]bool{
	"model": true, "seed": true, "temperature": true, "top_p": true, "frequency_penalty": true, "presence_penalty": true, "logit_bias": true,
	"top_k": true, "min_p": true, "typical_p": true, "repeat_penalty": true, "repeat_last_n": true,
	"dry_multiplier": true, "dry_base": true, "dry_allowed_length": true, "dry_penalty_last_n": true, "dry_sequence_breakers": true,
	"xtc_probability": true, "xtc_threshold": true, "dynatemp_range": true, "dynatemp_exponent": true,
	"mirostat": true, "mirostat_tau": true, "mirostat_eta": true, "samplers": true,
	"min_tokens": true, "response_format": true, "grammar": true, "regex": true, "choices": true,
}

// only clears the fields that an endpoint does not read and returns the names of those
// that the request has.
func (f *writing) only(read map[string]bool) (names []string) {
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name := field.Tag.Get("json")
			switch {
			case field.Type == reflect.TypeFor[ignored]():
			case field.Anonymous:
				walk(v.Field(i))
			case !read[name] && !v.Field(i).IsZero():
				names = append(names, name)
				v.Field(i).SetZero()
			}
		}
	}
	walk(reflect.ValueOf(f).Elem())
	return append(names, f.names()...)
}

// place is where the request looks: its prompt and how many ids behind that.
func (s *Server) place(m *served, q *explainRequest) (j *job, position int, err error) {
	var ids []int32
	chat := q.Messages != nil
	switch {
	case chat == (q.Prompt != nil):
		return nil, 0, wrong("messages", "give them or prompt")
	case chat:
		ids, err = s.ask(m, q.Messages)
	default:
		var all [][]int32
		if all, err = q.Prompt.encode(m); err == nil && len(all) != 1 {
			err = wrong("prompt", fmt.Sprintf("%d prompts, one can be explained", len(all)))
		}
		if err == nil {
			ids = all[0]
		}
	}
	if err != nil {
		return nil, 0, err
	}
	n := chatRequest{MaxTokens: q.MaxTokens, MaxCompletionTokens: q.MaxCompletionTokens}
	limit, err := n.limit()
	if err != nil {
		return nil, 0, err
	}
	var stops []int32
	if chat {
		stops = m.Bundle.Stops()
	}
	if j, err = s.job(m, &q.writing, "", [][]int32{ids}, limit, 0, stops); err != nil && chat {
		return nil, 0, ofMessages(err)
	} else if err != nil {
		return nil, 0, err
	}
	if err := within("completion_ids", q.CompletionIDs, m.Bundle.Model.Dims().Vocab); err != nil {
		return nil, 0, err
	}
	position = len(q.CompletionIDs)
	if q.Position != nil {
		if position = *q.Position; position < 0 || position > len(q.CompletionIDs) {
			return nil, 0, wrong("position", fmt.Sprintf("%d lies outside 0 to %d, the number of completion_ids", position, len(q.CompletionIDs)))
		}
	}
	return j, position, nil
}

// explain is POST /v1/explain: what each step of the sampling chain does to the
// candidates of one token.
func (s *Server) explain(w *reply, r *http.Request) error {
	var q explainRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	m, err := s.writer(&q.writing)
	if err != nil {
		return err
	}
	top := defaultExplained
	if q.Top != nil {
		if top = *q.Top; top < 1 || top > maxExplained {
			return wrong("top", fmt.Sprintf("%d lies outside 1 to %d", top, maxExplained))
		}
	}
	if q.Choice < 0 || q.Choice >= s.o.MaxTexts {
		return wrong("choice", fmt.Sprintf("%d lies outside 0 to %d", q.Choice, s.o.MaxTexts-1))
	}
	names := q.only(explained)
	j, position, err := s.place(m, &q)
	if err != nil {
		return err
	}
	leave, err := m.queue.enter(callerOf(r.Context()).Name, 1)
	if err != nil {
		return err
	}
	defer leave()
	request := j.requests[0]
	request.Stream += uint64(q.Choice)
	text := slices.Concat(request.Prompt, q.CompletionIDs[:position])
	w.model, w.usage = m.Name, usage{Prompt: len(text)}
	chosen := int32(-1)
	if position < len(q.CompletionIDs) {
		chosen = q.CompletionIDs[position]
	}
	x, err := m.explain(r.Context(), text, len(request.Prompt), request.Options, chosen, top)
	if err != nil {
		e := s.failed(r.Context(), err, true)
		if e.Code == "invalid_value" && e.Param == "" {
			e.Param = "completion_ids"
		}
		return e
	}
	x.Position = position
	s.wrote(w)
	if len(names) > 0 {
		w.Header().Set("Foundling-Ignored", strings.Join(names, ", "))
	}
	writeJSON(w, http.StatusOK, x)
	return nil
}

// explanation is the answer of /v1/explain.
type explanation struct {
	Model    string            `json:"model"`
	Position int               `json:"position"`
	Prompt   int               `json:"prompt_tokens"`
	Chosen   *chosenToken      `json:"chosen"`  // null: no token has been yet
	Forced   bool              `json:"forced"`  // a format leaves no choice
	Entropy  float64           `json:"entropy"` // of the model's probabilities, nats
	Settings explainedSettings `json:"settings"`
	Steps    []explainedStep   `json:"steps"`
	Final    []finalToken      `json:"final"` // what is drawn from, the most probable first
}

type chosenToken struct {
	ID int32 `json:"id"`
	tokenLogProb
	Rank int `json:"rank"` // for the model, from 1
}

// explainedSettings are those in force, the model's own where a request has none.
type explainedSettings struct {
	Temperature float64  `json:"temperature"`
	TopK        int      `json:"top_k"` // 0: all
	TopP        float64  `json:"top_p"`
	MinP        float64  `json:"min_p"`
	TypicalP    float64  `json:"typical_p"`
	Samplers    []string `json:"samplers"`
}

// explainedStep is the candidates behind a step of the chain. The first has those of the
// model, before anything was done.
type explainedStep struct {
	Name    string          `json:"name"`
	Note    string          `json:"note,omitempty"`
	Kept    int             `json:"kept"`
	Removed int             `json:"removed"`
	Mass    float64         `json:"removed_mass"` // their probability before the step
	Entropy float64         `json:"entropy"`      // of what is left, nats
	Tokens  []explainedItem `json:"tokens"`       // in the order of the model's probabilities
}

type explainedItem struct {
	ID          int32   `json:"id"`
	Token       string  `json:"token"`
	Bytes       []int   `json:"bytes"`
	Probability float64 `json:"probability"`
	Rank        int     `json:"rank"` // from 1; 0: it is no candidate
	Kept        bool    `json:"kept"`
}

type finalToken struct {
	ID          int32   `json:"id"`
	Token       string  `json:"token"`
	Bytes       []int   `json:"bytes"`
	Probability float64 `json:"probability"`
}

// explain looks at the token behind text, the first prompt ids of which were given.
func (m *served) explain(ctx context.Context, text []int32, prompt int, o generate.Options, chosen int32, top int) (*explanation, error) {
	var x *explanation
	err := m.Engine.ReplayFrom(ctx, text, prompt, len(text), o, func(r generate.Replayed) {
		final := r.Sampler.Distribution(r.Logits, r.At)
		final = final[:min(top, len(final))]
		x = &explanation{Model: m.Name, Prompt: prompt, Forced: r.Forced, Final: make([]finalToken, len(final))}
		var watch []int32
		for _, t := range append(sample.TopN(r.Logits, top), final...) {
			if !slices.Contains(watch, t.ID) {
				watch = append(watch, t.ID)
			}
		}
		if chosen >= 0 && !slices.Contains(watch, chosen) {
			watch = append(watch, chosen)
		}
		x.Settings, x.Steps = settingsOf(r.Sampler.Options()), m.steps(r, chosen, watch)
		x.Entropy = x.Steps[0].Entropy
		for i, t := range final {
			token := m.tokenLogProb(t.ID, t.LogProb)
			x.Final[i] = finalToken{t.ID, token.Token, token.Bytes, math.Exp(t.LogProb)}
		}
		if chosen >= 0 {
			i := slices.IndexFunc(x.Steps[0].Tokens, func(t explainedItem) bool { return t.ID == chosen })
			x.Chosen = &chosenToken{chosen, m.tokenLogProb(chosen, sample.LogProb(r.Logits, chosen)), x.Steps[0].Tokens[i].Rank}
		}
	})
	return x, err
}

// steps are those of the chain, behind the model's own candidates.
func (m *served) steps(r generate.Replayed, chosen int32, watch []int32) []explainedStep {
	reports := r.Sampler.Explain(r.Logits, r.At, chosen, watch)
	model := reports[0].Before
	order := make([]int, len(watch))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		before, after := model.Ranks[a], model.Ranks[b]
		switch {
		case before == 0 || after == 0:
			return after - before // those without a rank are last
		}
		return before - after
	})
	step := func(name, note string, z sample.Snapshot) explainedStep {
		x := explainedStep{Name: name, Note: note, Kept: z.Candidates, Entropy: z.Entropy}
		for _, i := range order {
			token := m.tokenLogProb(watch[i], 0)
			x.Tokens = append(x.Tokens, explainedItem{watch[i], token.Token, token.Bytes, z.Probs[i], z.Ranks[i], z.Ranks[i] > 0})
		}
		return x
	}
	out := []explainedStep{step("logits", "", model)}
	for _, report := range reports {
		if report.Step == "mask" && r.At.Mask == nil {
			continue
		}
		x := step(report.Step, report.Note, report.After)
		x.Removed, x.Mass = report.Before.Candidates-report.After.Candidates, report.Removed
		out = append(out, x)
	}
	return out
}

func settingsOf(o sample.Options) explainedSettings {
	o = o.Filled()
	return explainedSettings{o.Temperature, o.TopK, o.TopP, o.MinP, o.TypicalP, o.Samplers}
}
