package main

import (
	"context"
	"math"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// compared is compare.json, and what --json prints.
type compared struct {
	Out     string                 `json:"out"`
	Prompts int                    `json:"prompts"` // that all models answered
	Unfit   int                    `json:"unfit"`   // that some model could not read
	Skipped dataset.Skips          `json:"skipped"`
	Models  []comparedModel        `json:"models"`
	KL      []comparedKL           `json:"kl"`
	Games   int                    `json:"games"`
	Left    int                    `json:"games_left_out,omitempty"` // without a reward or two verdicts
	Wins    []comparedWins         `json:"wins,omitempty"`
	Judge   *posttrain.JudgeReport `json:"judge,omitempty"`
	Cost    float64                `json:"cost,omitempty"`
	Harmful int                    `json:"harmful_prompts,omitempty"`
	Benign  int                    `json:"benign_prompts,omitempty"`
}

// estimate is an eval.Interval for JSON; without limits where there are too few
// observations.
type estimate struct {
	Value float64  `json:"value"`
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	N     int      `json:"n"`
}

func estimated(i eval.Interval) *estimate {
	if math.IsNaN(i.Value) || math.IsInf(i.Value, 0) {
		return nil
	}
	e := &estimate{Value: i.Value, N: i.N}
	if !math.IsInf(i.Low, 0) && !math.IsInf(i.High, 0) {
		e.Low, e.High = &i.Low, &i.High
	}
	return e
}

// comparedModel is the figures of one model. Those of change are against the first.
type comparedModel struct {
	Name    string `json:"name"`
	Model   string `json:"model"`
	Adapter string `json:"adapter,omitempty"`
	Weights string `json:"weights"`

	Tokens  *estimate `json:"tokens"`  // of an answer
	Ended   *estimate `json:"ended"`   // share of answers with their end
	Entropy *estimate `json:"entropy"` // nats a token: minus the log-probability of its own answers, without bias at temperature 1
	LogProb *estimate `json:"logprob"` // nats an answer
	Score   *estimate `json:"score,omitempty"`
	Elo     *estimate `json:"elo,omitempty"`

	BitsPerByte *estimate `json:"bits_per_byte,omitempty"`
	Forgotten   *estimate `json:"forgotten,omitempty"` // bits per byte more than the first

	Answered        *estimate `json:"harmful_answered,omitempty"` // share of the harmful prompts
	AnsweredChange  *estimate `json:"harmful_answered_change,omitempty"`
	OverRefused     *estimate `json:"over_refused,omitempty"` // share of the harmless prompts
	OverRefusedMore *estimate `json:"over_refused_change,omitempty"`
}

// comparedKL is the divergence of a model from another.
type comparedKL struct {
	Of       string    `json:"of"`
	From     string    `json:"from"`
	K1       *estimate `json:"k1,omitempty"` // nats an answer
	K3       *estimate `json:"k3,omitempty"`
	PerToken float64   `json:"k1_per_token,omitempty"`
	Why      string    `json:"why_not,omitempty"`
}

// comparedWins is the wins of A over B.
type comparedWins struct {
	A      string    `json:"a"`
	B      string    `json:"b"`
	Wins   int       `json:"wins"`
	Draws  int       `json:"draws"`
	Losses int       `json:"losses"`
	Rate   *estimate `json:"rate"`
}

// figures are what can be said without a judge.
func (r *comparison) figures() *compared {
	var answers, harm, benign [][]*posttrain.Tries
	for _, s := range r.sides {
		answers, harm, benign = append(answers, s.answers), append(harm, s.harm), append(benign, s.benign)
	}
	all := posttrain.Common(answers)
	out := &compared{Out: r.c.Out, Prompts: len(all), Unfit: len(r.prompts) - len(all), Skipped: r.skips}
	harmful, harmless := posttrain.Common(harm), posttrain.Common(benign)
	out.Harmful, out.Benign = len(harmful), len(harmless)
	zero := r.sides[0]
	for i, s := range r.sides {
		m := comparedModel{Name: s.name, Model: s.path, Adapter: s.adapter, Weights: s.weights}
		r.lengths(&m, s, i)
		if s.text != nil {
			m.BitsPerByte = estimated(s.text.BitsPerByte)
			if x, ok := eval.Forgotten(zero.text, s.text); ok && i > 0 {
				m.Forgotten = estimated(x)
			}
		}
		if len(harmful) > 0 {
			m.Answered, m.AnsweredChange = shareOfOnes(flipped(posttrain.Refusals(s.harm, harmful)), flipped(posttrain.Refusals(zero.harm, harmful)), i > 0)
		}
		if len(harmless) > 0 {
			m.OverRefused, m.OverRefusedMore = shareOfOnes(posttrain.Refusals(s.benign, harmless), posttrain.Refusals(zero.benign, harmless), i > 0)
		}
		out.Models = append(out.Models, m)
	}
	for i, s := range r.sides {
		for k, o := range r.sides {
			if i != k {
				out.KL = append(out.KL, r.divergence(i, k, s, o))
			}
		}
	}
	return out
}

// flipped is 1 for 0 and 0 for 1.
func flipped(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = 1 - v
	}
	return out
}

// shareOfOnes is their share, and by how much it is more than that of others.
func shareOfOnes(x, others []float64, change bool) (share, more *estimate) {
	k := 0
	for _, v := range x {
		k += int(v)
	}
	if change {
		more = estimated(eval.Paired(x, others))
	}
	return estimated(eval.Wilson(k, len(x), eval.Z95)), more
}

// lengths are the figures of a model's own answers.
func (r *comparison) lengths(m *comparedModel, s *side, i int) {
	own := s.logProbs[i]
	var tokens, nats, zero []float64 // of an answer
	var byPrompt, tokensByPrompt []float64
	ended, n := 0, 0
	for _, t := range s.answers {
		var a, b float64
		for range t.Answers {
			var x float64
			for _, l := range own[n] {
				x -= l
			}
			nats, tokens, zero = append(nats, -x), append(tokens, float64(len(own[n]))), append(zero, 0)
			a, b = a+x, b+float64(len(own[n]))
			n++
		}
		for _, answer := range t.Answers {
			if answer.Finish == generate.FinishStop {
				ended++
			}
		}
		if b > 0 {
			byPrompt, tokensByPrompt = append(byPrompt, a), append(tokensByPrompt, b)
		}
	}
	m.Tokens, m.LogProb = estimated(eval.Paired(tokens, zero)), estimated(eval.Paired(nats, zero))
	m.Ended = estimated(eval.Wilson(ended, n, eval.Z95))
	m.Entropy = estimated(eval.BootstrapRatio(byPrompt, tokensByPrompt, compareDraws, 0.95, r.c.Seed))
}

// compareDraws is the resamples behind the intervals of compare.
const compareDraws = 1000

// divergence is that of side i from side k, or why there is none.
func (r *comparison) divergence(i, k int, s, o *side) comparedKL {
	x := comparedKL{Of: s.name, From: o.name}
	switch {
	case s.vocab != o.vocab:
		x.Why = "their vocabularies differ"
	case r.c.Temperature != 1:
		x.Why = "answers were not drawn at temperature 1"
	case o.logProbs[i] == nil:
		x.Why = "answers are longer than the other's context"
	default:
		d := eval.MeasureDivergence(s.logProbs[i], o.logProbs[i])
		x.K1, x.K3, x.PerToken = estimated(d.K1), estimated(d.K3), d.PerToken
	}
	return x
}

// games lets rewards or a judge say who wins.
func (r *comparison) games(ctx context.Context, out *compared) (err error) {
	c := r.c
	if c.Judge == "" && len(c.Reward) == 0 {
		return nil
	}
	m := r.match()
	b, err := c.exact().backend()
	if err != nil {
		return err
	}
	defer b.Close()
	var games []eval.Game
	if c.Judge != "" {
		court, release, err := c.court(b, &c.judgeOptions, c.storeFlags, "", c.Seed)
		if err != nil {
			return err
		}
		defer release()
		court.Journal = r.j
		court.Progress = func(done, total int) { r.p.Set("judging", int64(done), int64(total)) }
		if games, out.Left, out.Judge, err = m.Judged(ctx, court); err != nil {
			return err
		}
		out.Cost = c.cost(out.Judge)
	} else {
		most := 0
		for _, s := range r.sides {
			most = max(most, s.most)
		}
		w := &rewards{b: b, limit: c.RewardLimit}
		defer w.close()
		terms, err := w.parse(c.Reward, most)
		if err != nil {
			return err
		}
		grade := posttrain.Rewarded(terms, r.j, func(done, total int) { r.p.Set("rewards", int64(done), int64(total)) })
		if games, out.Left, err = m.Rewarded(ctx, grade); err != nil {
			return err
		}
		for i := range r.sides {
			out.Models[i].Score = meanScore(m.Sides[i])
		}
	}
	r.rank(out, games)
	return nil
}

// match is the answers to the prompts that all models answered.
func (r *comparison) match() *posttrain.Match {
	var answers [][]*posttrain.Tries
	for _, s := range r.sides {
		answers = append(answers, s.answers)
	}
	m := &posttrain.Match{Sides: make([][]*posttrain.Tries, len(r.sides))}
	for _, i := range posttrain.Common(answers) {
		m.Prompts = append(m.Prompts, r.prompts[i])
		for k := range answers {
			m.Sides[k] = append(m.Sides[k], answers[k][i])
		}
	}
	return m
}

// meanScore is that of the answers that have one.
func meanScore(tries []*posttrain.Tries) *estimate {
	var x, zero []float64
	for _, t := range tries {
		for _, a := range t.Answers {
			if a.Score != nil {
				x, zero = append(x, *a.Score), append(zero, 0)
			}
		}
	}
	return estimated(eval.Paired(x, zero))
}

// rank counts wins and fits strengths.
func (r *comparison) rank(out *compared, games []eval.Game) {
	out.Games = len(games)
	rates := eval.PairRates(games, len(r.sides))
	for a := range r.sides {
		for b := range r.sides {
			if x := rates[a][b]; a != b && x.Rate.N > 0 {
				out.Wins = append(out.Wins, comparedWins{r.sides[a].name, r.sides[b].name, x.Wins, x.Draws, x.Losses, estimated(x.Rate)})
			}
		}
	}
	if len(games) == 0 {
		return
	}
	for i, x := range eval.BradleyTerry(games, len(r.sides), compareDraws, r.c.Seed) {
		out.Models[i].Elo = estimated(x)
	}
}
