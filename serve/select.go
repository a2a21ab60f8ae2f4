package serve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/text/chat"
)

// choosing is the fields by which texts are chosen from candidates.
type choosing struct {
	BestOf    *int       `json:"best_of"`   // candidates for each prompt, of which n are answered
	Selector  *selector  `json:"selector"`  // which; nil: by the mean log-probability, as OpenAI's does
	Selectors []selector `json:"selectors"` // what each thinks of the choices
}

// selector is a way to choose: a name of generate/search, or an object with that and what
// it needs.
type selector struct {
	Name          string         `json:"name"`
	Model         string         `json:"model"`          // a reward model that is served, of reward
	LengthPenalty *float64       `json:"length_penalty"` // the exponent of gnmt
	Extract       string         `json:"extract"`        // what an answer is, of votes: number, choice, json, code, text, regex:EXPRESSION
	Verify        names          `json:"verify"`         // go-parse, arithmetic, json
	Schema        jsontext.Value `json:"schema"`         // JSON Schema that the text must hold a value of, of verifiers
	MinChars      int            `json:"min_chars"`      // these are rules of heuristic
	MaxChars      int            `json:"max_chars"`
	MaxRepetition float64        `json:"max_repetition"`
	Format        string         `json:"format"`
}

// names is one name or several.
type names []string

// UnmarshalJSON reads a string, a list of strings or null.
func (n *names) UnmarshalJSON(data []byte) (err error) {
	*n, err = oneOrMore(data)
	return err
}

// UnmarshalJSON reads a name or an object.
func (s *selector) UnmarshalJSON(data []byte) error {
	type plain selector
	return nameOr(data, &s.Name, (*plain)(s))
}

// build is the selector as the library has it; reward finds a model's.
func (s *selector) build(reward func(model string) (search.Score, error)) (out search.Selector, err error) {
	o := search.Options{Alpha: s.LengthPenalty, Heuristics: search.Heuristics{MinChars: s.MinChars, MaxChars: s.MaxChars, MaxRepetition: s.MaxRepetition}}
	if s.Format != "" {
		if o.Heuristics.Format, err = regexp.Compile(s.Format); err != nil {
			return out, wrong("format", err.Error())
		}
	}
	if s.Extract != "" {
		if o.Extract, err = search.ParseExtractor(s.Extract); err != nil {
			return out, wrong("extract", err.Error())
		}
	}
	var all []search.Verifier
	for _, name := range s.Verify {
		v, err := search.NamedVerifier(name)
		if err != nil {
			return out, wrong("verify", err.Error())
		}
		all = append(all, v)
	}
	if given(s.Schema) {
		v, err := search.Schema(s.Schema)
		if err != nil {
			return out, wrong("schema", err.Error())
		}
		all = append(all, v)
	}
	switch names := slices.DeleteFunc(search.Names(), func(name string) bool { return name == "pick" }); { // nobody is there to ask
	case !slices.Contains(names, s.Name):
		return out, fmt.Errorf("%q is none of %s", s.Name, commas(names))
	case s.Name == "reward" && s.Model == "":
		return out, wrong("model", "a reward needs its model: say the name of a reward model that is served here")
	case s.Name == "reward":
		if o.Reward, err = reward(s.Model); err != nil {
			return out, err
		}
	case s.Model != "":
		return out, wrong("model", "it belongs to reward")
	}
	if len(all) > 0 {
		o.Verify = search.Remember(search.All(all...))
	}
	out, err = search.Named(s.Name, o)
	switch {
	case errors.Is(err, search.ErrNoExtractor):
		return out, wrong("extract", fmt.Sprintf("%s is a vote, which needs to know what an answer is: give number, choice, json, code, text or regex:EXPRESSION", s.Name))
	case errors.Is(err, search.ErrNoVerifier):
		return out, wrong("verify", fmt.Sprintf("%s needs it, or schema: there are %s", s.Name, commas(search.Verifiers())))
	}
	return out, err
}

// ofSelector is an error of a selector that stands at field.
func ofSelector(field string, err error) error {
	if e, ok := err.(*Error); ok {
		return e.under(field)
	}
	return wrong(field, err.Error())
}

// choosers are the selectors of a request, made.
type choosers struct {
	best *search.Selector // nil: there is nothing to choose from
	more []search.Selector
}

// reward is the score of a served reward model for texts of the prompt that is chosen for.
func (s *Server) reward(j *job, name string) (search.Score, error) {
	m, err := s.model(name)
	if err != nil {
		return nil, err
	}
	if m.Bundle.Head == nil || m.classifies() {
		return nil, wrong("model", fmt.Sprintf("the model %q is no reward model", name))
	}
	return func(ctx context.Context, c *search.Candidate) (float64, error) {
		leave, err := m.queue.enter(callerOf(ctx).Name, 1)
		if err != nil {
			return 0, err
		}
		defer leave()
		ids, err := m.judged("selector", j.asked[j.choosing], c.Text)
		if err != nil {
			return 0, err
		}
		x, err := s.heads(ctx, m, [][]int32{ids})
		if err != nil {
			return 0, err
		}
		return x[0][0], nil
	}, nil
}

// asks keeps what texts answer, for who judges them.
func (j *job) asks(conversations ...[]chat.Message) {
	for _, msgs := range conversations {
		if chat.UsesTools(msgs) {
			msgs = chat.WithTools(msgs, nil)
		}
		j.asked = append(j.asked, msgs)
	}
}

// candidates is how many texts are drawn for each prompt, and who looks at them.
func (f *writing) candidates(reward func(model string) (search.Score, error)) (drawn int, c choosers, err error) {
	n := f.texts()
	drawn = n
	switch {
	case f.BestOf != nil && *f.BestOf < n:
		return 0, c, wrong("best_of", fmt.Sprintf("%d is less than n, which is %d", *f.BestOf, n))
	case f.BestOf != nil:
		drawn = *f.BestOf
	case f.Selector != nil:
		return 0, c, wrong("selector", "it needs best_of, the texts to choose from: selectors says what others think of n texts")
	}
	if f.BestOf != nil && (drawn > n || f.Selector != nil) {
		best := search.MeanLogProb()
		if f.Selector != nil {
			if best, err = f.Selector.build(reward); err != nil {
				return 0, c, ofSelector("selector", err)
			}
		}
		c.best = &best
	}
	for i := range f.Selectors {
		s, err := f.Selectors[i].build(reward)
		if err != nil {
			return 0, c, ofSelector(fmt.Sprintf("selectors[%d]", i), err)
		}
		c.more = append(c.more, s)
	}
	return drawn, c, nil
}

// selection is what a selector thinks of texts.
type selection struct {
	Prompt   int        `json:"prompt"` // the number of the prompt
	Selector string     `json:"selector"`
	Of       string     `json:"of"`               // candidates or choices
	Choice   int        `json:"choice"`           // the number of the best of them; -1: none is fit
	Scores   []*float64 `json:"scores,omitempty"` // the greatest is best; null: not fit
	Chosen   []int      `json:"chosen,omitempty"` // of candidates: those of the choices, in order
	Answer   string     `json:"answer,omitempty"` // what they agree on, of votes
	Why      string     `json:"why"`
}

// notes is what an answer says besides what OpenAI's do.
type notes struct {
	Selections []selection `json:"selections,omitempty"`
	Memory     []factInfo  `json:"memory,omitempty"` // facts that the prompt holds
	*judgement             // of the text of a response; choices have their own
}

// choose takes the best candidates of each prompt, and asks the other selectors about
// them.
func (j *job) choose(ctx context.Context, texts []*text) ([]*text, error) {
	if j.choosers.best == nil && len(j.choosers.more) == 0 {
		return texts, nil
	}
	var out []*text
	if j.notes == nil {
		j.notes = &notes{}
	}
	for p := range j.prompts {
		j.choosing = p
		of := texts[p*j.drawn : (p+1)*j.drawn]
		if s := j.choosers.best; s != nil {
			x, order, err := selected(ctx, s, of)
			if err != nil {
				return nil, err
			}
			x.Prompt, x.Of, x.Chosen = p, "candidates", order[:j.n]
			j.notes.Selections = append(j.notes.Selections, x)
			best := make([]*text, j.n)
			for i, k := range order {
				if i < j.n {
					best[i] = of[k]
				} else {
					j.left = append(j.left, of[k])
				}
			}
			of = best
		}
		for i := range j.choosers.more {
			x, _, err := selected(ctx, &j.choosers.more[i], of)
			if err != nil {
				return nil, err
			}
			x.Prompt, x.Of = p, "choices"
			j.notes.Selections = append(j.notes.Selections, x)
		}
		out = append(out, of...)
	}
	return out, nil
}

// selected is the view of one selector, and the texts from the best to the worst.
func selected(ctx context.Context, s *search.Selector, of []*text) (selection, []int, error) {
	candidates := make([]search.Candidate, len(of))
	order := make([]int, len(of))
	for i, t := range of {
		candidates[i], order[i] = search.FromResult(t.Result), i
	}
	c, err := s.Select(ctx, candidates)
	if err != nil {
		return selection{}, nil, err
	}
	x := selection{Selector: s.Name, Choice: c.Index, Answer: c.Answer, Why: c.Why}
	score := func(i int) float64 {
		if i >= len(c.Scores) || math.IsNaN(c.Scores[i]) {
			return math.Inf(-1)
		}
		return c.Scores[i]
	}
	for i := range c.Scores {
		if math.IsNaN(c.Scores[i]) || math.IsInf(c.Scores[i], 0) {
			x.Scores = append(x.Scores, nil)
		} else {
			x.Scores = append(x.Scores, &c.Scores[i])
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case a == b:
			return 0
		case a == c.Index:
			return -1
		case b == c.Index, score(a) < score(b):
			return 1
		case score(a) > score(b):
			return -1
		}
		return 0
	})
	return x, order, nil
}
