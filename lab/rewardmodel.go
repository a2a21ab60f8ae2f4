package lab

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// RewardOptions of the experiment; zero fields are the defaults.
type RewardOptions struct {
	Labels   int       // comparisons that each reward model learns from; 0: 32,000
	Tests    int       // held-out comparisons; 0: 4000
	Noise    []float64 // shares of labels turned round; nil: 0, 0.1, 0.2, 0.3
	Length   float64   // what one more token is worth to a biased labeller; 0: 0.3
	Position float64   // what being shown first is worth to another; 0: 1
	Seed     uint64
}

func (o *RewardOptions) defaults() {
	if o.Labels == 0 {
		o.Labels = 32_000
	}
	if o.Tests == 0 {
		o.Tests = 4000
	}
	if o.Noise == nil {
		o.Noise = []float64{0, 0.1, 0.2, 0.3}
	}
	if o.Length == 0 {
		o.Length = 0.3
	}
	if o.Position == 0 {
		o.Position = 1
	}
}

// Validate names the first impossible option.
func (o RewardOptions) Validate() error {
	o.defaults()
	if o.Labels < rewardStep || o.Tests < 2 {
		return fmt.Errorf("%d labels, %d tests: at least %d and 2", o.Labels, o.Tests, rewardStep)
	}
	for _, x := range o.Noise {
		if !(x >= 0 && x < 0.5) {
			return fmt.Errorf("noise %g: it must lie in [0, 0.5)", x)
		}
	}
	if math.IsNaN(o.Length+o.Position) || math.Abs(o.Length) > 2 || math.Abs(o.Position) > 5 {
		return errors.New("the length bias must lie in [-2, 2], that of the position in [-5, 5]")
	}
	return nil
}

// Rewarded is what one reward model learned.
type Rewarded struct {
	Labels   string        `json:"labels"` // what is wrong with them
	Noise    float64       `json:"noise"`
	Ceiling  float64       `json:"ceiling"`  // of a guess that does not see which text was shown first
	Seeing   float64       `json:"seeing"`   // of one that does
	Accuracy eval.Interval `json:"accuracy"` // on held-out labels of the same labeller
	Real     float64       `json:"real"`     // share of pairs that it orders as the reward does
	// First is the share of labels that choose the text shown first, and of the
	// reward model's scores that do.
	First      float64 `json:"labels_first"`
	ScoreFirst float64 `json:"scores_first"`
	biased     bool
	Length     float64 `json:"length"` // what one more token is worth to it, in units of the reward
}

// Share is how much of the ceiling is reached.
func (r Rewarded) Share() float64 { return r.Accuracy.Value / r.Ceiling }

// RewardResult is the experiment's.
type RewardResult struct {
	Labels   int        `json:"labels"`
	Params   int        `json:"params"`
	Length   float64    `json:"injected_length"`
	Position float64    `json:"injected_position"`
	Rows     []Rewarded `json:"rows"`
}

// RewardModels trains reward models on labels of a known reward, which are exact,
// noisy or biased, and compares them with the best that is possible. Progress may
// be nil.
func RewardModels(ctx context.Context, b tensor.Backend, o RewardOptions, progress func(done, total int)) (*RewardResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	type labels struct {
		name string
		by   labeller
	}
	var kinds []labels
	for _, x := range o.Noise {
		name := fmt.Sprintf("%g %% turned round", 100*x)
		if x == 0 {
			name = "as the reward"
		}
		kinds = append(kinds, labels{name, labeller{noise: x}})
	}
	kinds = append(kinds,
		labels{"longer preferred", labeller{length: o.Length}},
		labels{"first preferred", labeller{position: o.Position}})
	r := &RewardResult{Labels: o.Labels, Length: o.Length, Position: o.Position}
	for i, k := range kinds {
		if progress != nil {
			progress(i, len(kinds))
		}
		row, params, err := rewardModel(ctx, b, k.by, o)
		if err != nil {
			return nil, err
		}
		row.Labels, r.Params = k.name, params
		r.Rows = append(r.Rows, row)
	}
	return r, nil
}

// rewardStep is the comparisons of a step, rewardEpochs how often each is seen.
const (
	rewardStep   = 64
	rewardEpochs = 1
)

// rewardModel trains one and looks at it.
func rewardModel(ctx context.Context, b tensor.Backend, by labeller, o RewardOptions) (Rewarded, int, error) {
	m, err := zoo.FromShape(b, zoo.Shape{Family: "gpt2", Layers: 1, Width: 32, Heads: 2, Vocab: words, Context: longest + 1})
	if err != nil {
		return Rewarded{}, 0, err
	}
	defer model.Release(b, m.Params())
	m.Init(b, o.Seed)
	head := model.NewHead(b, m, 1)
	defer model.Release(b, head.Params())
	head.Init(b, o.Seed)
	if err := teach(ctx, b, m, head, by.label(o.Labels, o.Seed, "train"), o.Seed); err != nil {
		return Rewarded{}, 0, err
	}
	tests := by.label(o.Tests, o.Seed, "test")
	scores, err := scoreTexts(ctx, b, m, head, tests)
	if err != nil {
		return Rewarded{}, 0, err
	}
	r := Rewarded{Noise: by.noise, biased: by.length != 0 || by.position != 0, Ceiling: by.ceiling(tests, true), Seeing: by.ceiling(tests, false)}
	right := 0
	var real, length, score []float64
	for i, c := range tests {
		s := scores[2*i : 2*i+2]
		if c.second == (s[1] > s[0]) {
			right++
		}
		if (c.reward[0] > c.reward[1]) == (s[0] > s[1]) {
			r.Real += 1 / float64(len(tests))
		}
		if !c.second {
			r.First += 1 / float64(len(tests))
		}
		if s[0] > s[1] {
			r.ScoreFirst += 1 / float64(len(tests))
		}
		for k := range s {
			real, length, score = append(real, c.reward[k]), append(length, float64(len(c.texts[k]))), append(score, s[k])
		}
	}
	r.Accuracy = eval.Wilson(right, len(tests), eval.Z95)
	r.Length = exchange(score, real, length)
	return r, model.Count(m) + head.W.Len(), nil
}

// teach trains model and head on comparisons.
func teach(ctx context.Context, b tensor.Backend, m model.Model, head *model.Head, cs []comparison, seed uint64) error {
	items := make([]posttrain.Judgement, len(cs))
	for i, c := range cs {
		items[i].Texts = [][]int32{c.texts[0], c.texts[1]}
		if c.second {
			items[i].Texts[0], items[i].Texts[1] = c.texts[1], c.texts[0]
		}
	}
	steps := rewardEpochs * len(cs) / rewardStep
	t, err := train.New(b, append(m.Params()[:len(m.Params()):len(m.Params())], head.Params()...), m.Unembedding(), train.Options{
		Optimizer: optim.Options{Name: "adamw", WeightDecay: 0.01},
		Schedule:  optim.Schedule{Kind: "cosine", Peak: 4e-3, Warmup: steps / 20, Steps: steps},
	})
	if err != nil {
		return err
	}
	defer t.Close()
	h := posttrain.Heads{Model: m, Head: head, Loss: posttrain.BradleyTerry, Centring: 1e-3, Row: longest + 1, Places: 1 << 13}
	next := posttrain.Order(items, rewardStep, seed)
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := t.StepOn(h.Micro(next(step))); err != nil {
			return err
		}
	}
	return nil
}

// scoreTexts are the scores of both texts of each comparison.
func scoreTexts(ctx context.Context, b tensor.Backend, m model.Model, head *model.Head, cs []comparison) ([]float64, error) {
	texts := make([][]int32, 0, 2*len(cs))
	for _, c := range cs {
		texts = append(texts, c.texts[0], c.texts[1])
	}
	e := generate.New(b, m, make([][]byte, words))
	defer e.Close()
	all, err := e.HeadScores(ctx, head, texts, nil)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(texts))
	for i, x := range all {
		out[i] = x[0][0]
	}
	return out, nil
}

// exchange fits score = a reward + c length + a constant by least squares and
// returns c/a: what a token is worth in reward.
func exchange(score, reward, length []float64) float64 {
	ms, mr, ml := mean(score), mean(reward), mean(length)
	var rr, rl, ll, rs, ls float64
	for i := range score {
		s, r, l := score[i]-ms, reward[i]-mr, length[i]-ml
		rr, rl, ll, rs, ls = rr+r*r, rl+r*l, ll+l*l, rs+r*s, ls+l*s
	}
	return (ls*rr - rs*rl) / (rs*ll - ls*rl)
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
}
