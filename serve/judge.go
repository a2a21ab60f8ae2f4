package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/trust"
	"github.com/foundling-lm/foundling/text/chat"
)

// judgement is what is known of a text besides what OpenAI's answers say: the field
// "foundling" of a choice.
type judgement struct {
	Confidence *measured       `json:"confidence,omitempty"`
	Decision   *trust.Decision `json:"decision,omitempty"` // of the policy
	Again      int             `json:"again,omitempty"`    // texts that were written again for this one
}

// measured is what was measured of a text. Spans count bytes.
type measured struct {
	trust.Confidence
	Signals    map[trust.Signal]float64 `json:"signals"`                // those that were asked for
	Mass       *float64                 `json:"p_true_mass,omitempty"`  // probability that the model says yes or no at all
	Samples    []sampleText             `json:"samples,omitempty"`      // texts that were compared with
	Unmeasured map[trust.Signal]string  `json:"not_measured,omitempty"` // why
}

type sampleText struct {
	Text string `json:"text"`
	Same bool   `json:"same"` // it says what the text says
}

// Streams of random numbers of texts that are drawn for comparison, and of those that
// are written again; those of the texts themselves count from 0.
const (
	sampleStream = 1 << 40
	againStream  = 1 << 48
)

// trusts makes ready what is judged.
func (j *job) trusts(f *writing, most int) (err error) {
	if j.judge, err = f.judge(); err != nil || j.judge == nil {
		return err
	}
	field := "confidence"
	if f.Confidence == nil {
		field = "policy"
	}
	switch n := len(j.prompts); {
	case f.onlyPrompt:
		return wrong(field, "no text is written: max_tokens must be 1 or more")
	case n*(j.judge.samples+j.drawn) > most:
		return wrong(field, fmt.Sprintf("%d beside %d texts for each of %d prompts are more than the %d texts that a request may ask for", j.judge.samples, j.drawn, n, most))
	case j.judge.withholds() && (f.constrained() || f.calling != nil && f.calling.may != nil):
		return wrong("policy", "words in place of a text would not fit the format or the call that was asked for: the action warn goes with them")
	}
	j.buffered = j.buffered || j.judge.withholds()
	return nil
}

// places are the texts that are written at a time.
func (j *job) places() int {
	if j.judge == nil {
		return len(j.requests)
	}
	return max(len(j.requests), len(j.prompts)*j.judge.samples)
}

// again is the request of text i, once more in another stream.
func (j *job) again(i int, stream uint64) generate.Request {
	r := j.requests[i]
	r.Stream += stream
	r.Sample.Seed = j.options.Sample.Seed // of a text that was found, its own
	if s := &r.Sample; s.Temperature == 0 || j.judge.given {
		s.Temperature = j.judge.temperature
	}
	return r
}

// judged measures the texts and does what the policy says. Texts that are not shown are
// left over.
func (j *job) judged(ctx context.Context, texts []*text) ([]*text, error) {
	if j.judge == nil {
		return texts, nil
	}
	samples, err := j.draw(ctx)
	if err != nil {
		return nil, err
	}
	per := len(texts) / len(j.prompts)
	out := slices.Clone(texts)
	open := make([]int, len(texts)) // those that are not decided on
	for i := range open {
		open[i] = i
	}
	for again := 0; len(open) > 0; again++ {
		if again > 0 {
			if err := j.rewrite(ctx, out, open, again); err != nil {
				return nil, err
			}
		}
		var next []int
		for _, i := range open {
			p := i / per
			m, err := j.measure(ctx, p, out[i], samples[p])
			if err != nil {
				return nil, err
			}
			known := &judgement{Confidence: m, Again: again}
			out[i].known = known
			if !j.judge.acts {
				continue
			}
			known.Decision = new(j.judge.policy.Decide(&m.Confidence, again))
			switch known.Decision.Action {
			case trust.Regenerate:
				next = append(next, i)
			case trust.Abstain:
				j.left = append(j.left, out[i])
				out[i] = instead(out[i], j.judge.say)
			}
		}
		open = next
	}
	return out, nil
}

// instead is what is said in place of a text.
func instead(t *text, say string) *text {
	r := &generate.Result{Text: say, Cached: t.Cached, Finish: generate.FinishStop, StopID: -1}
	known := *t.known
	known.Confidence = withoutText(known.Confidence)
	return &text{Result: r, pieces: []generate.Piece{{ID: -1, Text: say}}, known: &known}
}

// withoutText is what may be told of a text that is not shown: figures, and no spans.
func withoutText(m *measured) *measured {
	out := *m
	out.SelfCheck, out.Claims, out.Samples = nil, nil, nil
	return &out
}

// draw writes the texts to compare with, of each prompt.
func (j *job) draw(ctx context.Context) ([][]*generate.Result, error) {
	out := make([][]*generate.Result, len(j.prompts))
	n := j.judge.samples
	if n == 0 {
		return out, nil
	}
	per := len(j.requests) / len(j.prompts)
	var requests []generate.Request
	for p := range j.prompts {
		for k := range n {
			requests = append(requests, j.again(p*per, sampleStream+uint64(k)))
		}
	}
	results, err := j.model.Engine.GenerateAll(ctx, requests, nil)
	if err != nil {
		return nil, asError(err, false)
	}
	for i, r := range results {
		out[i/n] = append(out[i/n], r)
		j.left = append(j.left, &text{Result: r})
	}
	return out, nil
}

// rewrite puts new texts in the places at.
func (j *job) rewrite(ctx context.Context, texts []*text, at []int, again int) error {
	var requests []generate.Request
	for _, i := range at {
		requests = append(requests, j.again(j.request(i), againStream*uint64(again)))
	}
	pieces := make([][]generate.Piece, len(at))
	results, err := j.model.Engine.GenerateAll(ctx, requests, func(k int, p generate.Piece) bool {
		pieces[k] = append(pieces[k], p)
		return true
	})
	if err != nil {
		return asError(err, false)
	}
	for k, i := range at {
		j.left = append(j.left, texts[i])
		texts[i] = &text{Result: results[k], pieces: pieces[k]}
	}
	return nil
}

// request is that of a text of the answer.
func (j *job) request(i int) int {
	per := len(j.requests) / len(j.prompts)
	return i/j.n*per + i%j.n
}

// measure measures a text of prompt p.
func (j *job) measure(ctx context.Context, p int, t *text, samples []*generate.Result) (*measured, error) {
	g := j.judge
	m := &measured{Signals: map[trust.Signal]float64{}, Unmeasured: map[trust.Signal]string{}}
	skip := func(why string, signals ...trust.Signal) {
		for _, s := range signals {
			if g.needs(s) {
				m.Unmeasured[s] = why
			}
		}
	}
	var err error
	if g.needs(fromTokens...) {
		if m.Tokens, err = j.readTokens(ctx, p, t); err != nil {
			if ctx.Err() != nil {
				return nil, asError(err, false)
			}
			skip(err.Error(), fromTokens...)
		}
	}
	others := make([]string, len(samples))
	for i, r := range samples {
		others[i] = r.Text
	}
	if g.needs(sampled...) {
		m.compare(t.Text, others, g.overlap)
		if m.SelfCheck == nil {
			skip("the text has no sentence", trust.Inconsistency, trust.MeanUnusualness)
		}
	}
	if g.needs(trust.LeastGrounding) {
		ground := trust.Ground
		if finish(t) == "length" {
			ground = trust.GroundCut
		}
		if m.Claims = ground(t.Text, g.context); m.Claims == nil {
			skip("the text has no sentence", trust.LeastGrounding)
		}
	}
	if g.needs(trust.Truth) {
		truth, mass, err := j.truth(ctx, p, t.Text, others)
		switch {
		case err == nil:
			m.PTrue, m.Mass = &truth, &mass
		case ctx.Err() != nil:
			return nil, asError(err, false)
		default:
			skip(err.Error(), trust.Truth)
		}
	}
	for _, s := range g.signals {
		if x, ok := m.Value(s); ok {
			m.Signals[s] = x
		}
	}
	return m, nil
}

// compare measures the text beside others.
func (m *measured) compare(text string, others []string, overlap float64) {
	clusters := trust.ByOverlap(append([]string{text}, others...), 1, overlap)
	m.Agreement = new(trust.Agreement(clusters, 0))
	m.SemanticEntropy = new(trust.SemanticEntropy(clusters, nil))
	m.SelfCheck = trust.SelfCheck(text, others, 1)
	for i, o := range others {
		m.Samples = append(m.Samples, sampleText{o, slices.Contains(clusters[0], i+1)})
	}
}

// readTokens reads the tokens of a text, with the one that ended it.
func (j *job) readTokens(ctx context.Context, p int, t *text) (*trust.Tokens, error) {
	prompt := j.requests[p*len(j.requests)/len(j.prompts)].Prompt
	ids := slices.Concat(prompt, t.IDs)
	if t.StopID >= 0 && len(ids) < j.model.Bundle.Model.Dims().Context {
		ids = append(ids, t.StopID)
	}
	if len(ids) == len(prompt) {
		return nil, errors.New("the text has no token")
	}
	return trust.ReadTokens(ctx, j.model.Engine, ids, len(prompt))
}

// truth asks the model whether a text is true.
func (j *job) truth(ctx context.Context, p int, text string, others []string) (truth, mass float64, err error) {
	ids, err := j.doubt(p, text, others)
	if err != nil {
		return 0, 0, err
	}
	yes, no, err := j.model.verdicts()
	if err != nil {
		return 0, 0, err
	}
	return trust.PTrue(ctx, j.model.Engine, ids, yes, no)
}

// doubting asks about answers in the conversation that they belong to.
func (s *Server) doubting(m *served, msgs []message, tools []chat.Tool) func(p int, text string, others []string) ([]int32, error) {
	return func(_ int, text string, others []string) ([]int32, error) {
		return s.askTools(m, slices.Concat(msgs, []message{said("assistant", text), said("user", trust.TruthFollowUp(others))}), tools)
	}
}

// verdicts are the first tokens of yes and of no, as a model may write them.
func (m *served) verdicts() (yes, no []int32, err error) {
	first := func(words ...string) (out []int32) {
		for _, w := range words {
			if ids := m.Bundle.Tokenizer.Encode(w); len(ids) > 0 && !slices.Contains(out, ids[0]) {
				out = append(out, ids[0])
			}
		}
		return out
	}
	yes, no = first("Yes", " Yes", "yes", " yes"), first("No", " No", "no", " no")
	both := func(id int32) bool { return slices.Contains(yes, id) && slices.Contains(no, id) }
	shared := slices.DeleteFunc(slices.Clone(yes), func(id int32) bool { return !both(id) })
	drop := func(id int32) bool { return slices.Contains(shared, id) }
	yes, no = slices.DeleteFunc(yes, drop), slices.DeleteFunc(no, drop)
	if len(yes) == 0 || len(no) == 0 {
		return nil, nil, fmt.Errorf("the vocabulary does not tell yes from no by one token")
	}
	return yes, no, nil
}
