package raise

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/gosrc"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/posttrain"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// PreferPlan is learning from the verifier's preferences.
type PreferPlan struct {
	Prompts     int           `json:"prompts"` // functions of the training side
	Samples     int           `json:"samples"` // bodies of each
	Temperature float64       `json:"temperature"`
	Pairs       int           `json:"pairs"`  // of a step
	Places      int           `json:"places"` // tokens of a micro-batch, at most
	Beta        float64       `json:"beta"`   // DPO's
	NLL         float64       `json:"nll"`    // weight of the likelihood of the chosen (RPO)
	Epochs      float64       `json:"epochs"` // readings of the pairs, at most
	Reward      train.Options `json:"reward"` // steps: at most
	Train       train.Options `json:"train"`  // steps: at most
}

// Pair is a line of preferences.jsonl: the best and the worst body of one function.
type Pair struct {
	Name           string  `json:"name"`
	Prompt         string  `json:"prompt"`
	Chosen         string  `json:"chosen"`
	Rejected       string  `json:"rejected"`
	ChosenReward   float64 `json:"chosen_reward"` // the verifier's
	RejectedReward float64 `json:"rejected_reward"`
	PromptIDs      []int32 `json:"prompt_ids"`
	ChosenIDs      []int32 `json:"chosen_ids"`
	RejectedIDs    []int32 `json:"rejected_ids"`
}

// Preferences is what was drawn and compared.
type Preferences struct {
	Prompts int     `json:"prompts"`
	Samples int     `json:"samples"` // of each
	Pairs   int     `json:"pairs"`   // of which one body was better than another
	Mean    float64 `json:"mean_reward"`
	Best    float64 `json:"best_reward"` // mean over prompts
	Skipped string  `json:"skipped,omitempty"`
}

// leastPairs is how many pairs it takes to learn from them.
const leastPairs = 8

// Compare draws bodies of functions of the training side from the fine-tuned
// model, has the verifier grade them, and keeps the best and the worst of each.
func (r *Run) Compare(ctx context.Context) error {
	return r.stage("preferences", r.Plan.Shares.Compare, func() (string, error) {
		if found, err := atomicfile.ReadJSON(r.path(preferencesFile), &r.preferences); err != nil || found {
			return r.preferences.String(), err
		}
		pairs, err := r.compare(ctx)
		if err != nil {
			return "", err
		}
		if r.preferences.Skipped == "" {
			r.preferences.Pairs = len(pairs)
			if len(pairs) < leastPairs {
				r.preferences.Skipped = fmt.Sprintf("the verifier prefers one body in %d of %d functions, at least %d are needed", len(pairs), r.preferences.Prompts, leastPairs)
			}
		}
		err = atomicfile.Write(r.path(pairsFile), func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			for _, p := range pairs {
				if err := enc.Encode(p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return "", err
		}
		return r.preferences.String(), atomicfile.WriteJSON(r.path(preferencesFile), r.preferences)
	})
}

// String says what was compared.
func (p *Preferences) String() string {
	if p.Skipped != "" {
		return "skipped: " + p.Skipped
	}
	return fmt.Sprintf("%d pairs from %d bodies of each of %d functions; mean reward %.3f, of the best %.3f", p.Pairs, p.Samples, p.Prompts, p.Mean, p.Best)
}

func (r *Run) compare(ctx context.Context) ([]Pair, error) {
	p, x := r.Plan.Prefer, &r.preferences
	z, checker, err := r.tuned()
	if err != nil {
		return nil, err
	}
	if z == nil {
		x.Skipped = "there is no fine-tuned model"
		return nil, nil
	}
	defer z.Release(r.b)
	switch ok, err := r.isGo(); {
	case err != nil:
		return nil, err
	case !ok:
		x.Skipped = "the text is not Go, and only Go has a verifier here"
		return nil, nil
	case checker == nil:
		x.Skipped = "there is no Go toolchain to type-check with"
		return nil, nil
	}
	a := r.Plan.Answers
	prompts, err := gosrc.Prompts(r.data.Sides.Documents(corpus.Train), gosrc.Options{Seed: r.Plan.Seed + 2, MaxPrompt: a.MaxPrompt, MaxResponse: a.MaxResponse},
		p.Prompts, func(f gosrc.FunctionPrompt) bool { return checker.Checkable(ctx, f) })
	if err != nil {
		return nil, err
	}
	all, err := r.write(ctx, z, checker, prompts, drawing{"preferences", p.Samples, p.Temperature, 0.95})
	if err != nil {
		return nil, err
	}
	x.Prompts, x.Samples = len(prompts), p.Samples
	var pairs []Pair
	for i, bodies := range all {
		best, worst := 0, 0
		for k := range bodies {
			reward := bodies[k].grade.Reward()
			x.Mean += reward / float64(len(prompts)*p.Samples)
			if reward > bodies[best].grade.Reward() {
				best = k
			}
			if reward < bodies[worst].grade.Reward() {
				worst = k
			}
		}
		good, bad := &bodies[best], &bodies[worst]
		x.Best += good.grade.Reward() / float64(len(prompts))
		if good.grade.Reward() > bad.grade.Reward() {
			pairs = append(pairs, Pair{
				prompts[i].Name, prompts[i].Prompt, prompts[i].Head() + good.out.Text, prompts[i].Head() + bad.out.Text,
				good.grade.Reward(), bad.grade.Reward(), good.prompt, good.answer(), bad.answer(),
			})
		}
	}
	return pairs, nil
}

// tuned is the fine-tuned model, nil for none, and the checker, nil for none.
func (r *Run) tuned() (*bundle.Bundle, *gosrc.Checker, error) {
	if !posttrain.Done(r.path(TunedDir)) {
		return nil, nil, nil
	}
	z, err := bundle.Open(r.b, r.path(TunedDir))
	if err != nil {
		return nil, nil, err
	}
	c, err := r.checker()
	return z, c, err
}

// pairs reads preferences.jsonl.
func (r *Run) pairs() ([]Pair, error) {
	data, err := os.ReadFile(r.path(pairsFile))
	if err != nil {
		return nil, err
	}
	var out []Pair
	for line := range bytes.Lines(data) {
		var p Pair
		if err := json.Unmarshal(line, &p); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", r.path(pairsFile), len(out)+1, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// steps bounds planned steps by the epochs of so many pairs.
func (p *PreferPlan) steps(o train.Options, pairs int) train.Options {
	s := &o.Schedule
	if most := max(1, int(p.Epochs*float64(pairs)/float64(p.Pairs))); s.Steps > most {
		s.Steps = most
	}
	s.Warmup, s.Cooldown = max(1, s.Steps/10), max(1, s.Steps*9/10)
	return o
}

// Judge is what a reward model of the preferences is worth.
type Judge struct {
	Steps    int           `json:"steps"`
	Loss     float64       `json:"loss"`
	Accuracy eval.Interval `json:"accuracy"` // on pairs that it has not learned
}

// heldPairs is the share of the pairs that the reward model is measured on.
const heldPairs = 0.1

// TrainJudge learns a reward model from the preferences.
func (r *Run) TrainJudge(ctx context.Context) error {
	return r.stage("reward model", r.Plan.Shares.Judge, func() (string, error) {
		if r.preferences.Skipped != "" {
			return "skipped: " + r.preferences.Skipped, nil
		}
		p, dir := r.Plan.Prefer, r.path(judgeDir)
		if found, err := atomicfile.ReadJSON(r.path(judgeFile), &r.judge); err != nil || found {
			return r.judge.String(), err
		}
		pairs, err := r.pairs()
		if err != nil {
			return "", err
		}
		z, _, err := r.tuned()
		if err != nil {
			return "", err
		}
		defer z.Release(r.b)
		head := model.NewHead(r.b, z.Model, 1)
		defer model.Release(r.b, head.Params())
		head.Init(r.b, r.Plan.Seed)
		var learned, held []posttrain.Judgement
		for i, x := range pairs {
			j := posttrain.Judgement{Texts: [][]int32{append(x.PromptIDs[:len(x.PromptIDs):len(x.PromptIDs)], x.ChosenIDs...), append(x.PromptIDs[:len(x.PromptIDs):len(x.PromptIDs)], x.RejectedIDs...)}}
			if float64(i%10) < 10*heldPairs {
				held = append(held, j)
			} else {
				learned = append(learned, j)
			}
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		h := posttrain.Heads{Model: z.Model, Head: head, Loss: posttrain.BradleyTerry, Centring: 0.01, Row: r.Plan.Pretrain.Context, Places: p.Places}
		next := posttrain.Order(learned, p.Pairs, r.Plan.Seed)
		var last train.Metrics
		o := p.steps(p.Reward, len(learned))
		j := posttrain.Job{
			Dir: dir, Out: dir, Base: z, More: head.Params(), Context: r.Plan.Pretrain.Context, Train: o,
			Source:   func(step int) ([]train.Micro, error) { return h.Micro(next(step)), nil },
			Progress: func(m train.Metrics) { last = m; r.w.Step("reward model", m, o.Schedule.End()) },
			Write:    func(z *bundle.Bundle) error { z.Head = head; return z.Save(r.b, dtype.F32) },
		}
		if err := j.Run(ctx, r.b); err != nil {
			return "", err
		}
		r.judge = Judge{Steps: last.Step, Loss: last.Loss}
		if r.judge.Accuracy, err = r.accuracy(ctx, z, head, held); err != nil {
			return "", err
		}
		return r.judge.String(), atomicfile.WriteJSON(r.path(judgeFile), r.judge)
	})
}

// String says how good the reward model is.
func (j *Judge) String() string {
	return fmt.Sprintf("%d steps, loss %.3f, right about %.0f %% of %d held-out pairs", j.Steps, j.Loss, 100*j.Accuracy.Value, j.Accuracy.N)
}

func (r *Run) accuracy(ctx context.Context, z *bundle.Bundle, head *model.Head, held []posttrain.Judgement) (eval.Interval, error) {
	e := generate.New(r.b, z.Model, nil)
	defer e.Close()
	var texts [][]int32
	for _, j := range held {
		texts = append(texts, j.Texts...)
	}
	scores, err := e.HeadScores(ctx, head, texts, nil)
	if err != nil {
		return eval.Interval{}, err
	}
	right := 0
	for i := range held {
		if scores[2*i][0][0] > scores[2*i+1][0][0] {
			right++
		}
	}
	return eval.Wilson(right, len(held), eval.Z95), nil
}

// Prefer learns to write what the verifier prefers (DPO beside the likelihood of
// the chosen) and leaves the result of the run.
func (r *Run) Prefer(ctx context.Context) error {
	return r.stage("preference tuning", r.Plan.Shares.Prefer, func() (string, error) {
		if pretrain.Done(r.o.Out) {
			return "done before", nil
		}
		z, _, err := r.tuned()
		if err != nil {
			return "", err
		}
		defer z.Release(r.b)
		if r.preferences.Skipped != "" {
			what := "skipped: " + r.preferences.Skipped
			z.Dir = r.o.Out
			return what, z.Save(r.b, dtype.F32)
		}
		last, err := r.prefer(ctx, z)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d steps, loss %.3f, margin %.2f, the chosen is likelier than before against the rejected in %.0f %%",
			last.Step, last.Loss, last.Extra[posttrain.RewardsMargins], 100*last.Extra[posttrain.RewardsAccuracy]), nil
	})
}

func (r *Run) prefer(ctx context.Context, z *bundle.Bundle) (last train.Metrics, err error) {
	p, dir := r.Plan.Prefer, r.path(preferDir)
	pairs, err := r.pairs()
	if err != nil {
		return last, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return last, err
	}
	loss, err := objective.NewPreference("rpo", objective.PreferenceOptions{Beta: p.Beta, NLL: p.NLL})
	if err != nil {
		return last, err
	}
	var data []posttrain.Preferred
	for _, x := range pairs {
		good, bad := posttrain.Sampled(x.PromptIDs, x.ChosenIDs), posttrain.Sampled(x.PromptIDs, x.RejectedIDs)
		data = append(data, posttrain.Preferred{Chosen: &good, Rejected: &bad})
	}
	row := r.Plan.Pretrain.Context
	scorer := posttrain.NewScorer(r.b, z.Model, nil)
	defer scorer.Close()
	// The policy is its own reference before the first step.
	journal, err := posttrain.OpenJournal(filepath.Join(dir, posttrain.ReferenceFile))
	if err != nil {
		return last, err
	}
	defer journal.Close()
	if err := posttrain.PrecomputeReference(ctx, journal, scorer, data, row, p.Places, nil); err != nil {
		return last, err
	}
	method := posttrain.Preferences{
		Losses: []posttrain.WeightedLoss{{Preference: loss, Weight: 1}},
		Policy: z.Model, Scorer: scorer, Row: row, Places: p.Places,
	}
	o := p.steps(p.Train, len(data))
	j := posttrain.Job{
		Dir: dir, Out: r.o.Out, Base: z, Context: row, Train: o, Source: method.Shuffled(data, p.Pairs, r.Plan.Seed),
		Progress: func(m train.Metrics) { last = m; r.w.Step("preference tuning", m, o.Schedule.End()) },
	}
	return last, j.Run(ctx, r.b)
}

// divergence estimates the divergence of one model from another in nats a body, over
// bodies that the first one draws from its whole distribution (k1 of Schulman's note).
func (r *Run) divergence(ctx context.Context, z, from *bundle.Bundle, checker *gosrc.Checker, prompts []gosrc.FunctionPrompt) (eval.Interval, error) {
	all, err := r.write(ctx, z, checker, prompts, drawing{"divergence", 1, 1, 1})
	if err != nil {
		return eval.Interval{}, err
	}
	var cs []posttrain.Completion
	for _, bodies := range all {
		cs = append(cs, posttrain.Sampled(bodies[0].prompt, bodies[0].answer()))
	}
	sums := func(z *bundle.Bundle) []float64 {
		s := posttrain.NewScorer(r.b, z.Model, nil)
		defer s.Close()
		return s.LogProbs(cs, r.Plan.Pretrain.Context, r.Plan.Prefer.Places)
	}
	return eval.Paired(sums(z), sums(from)), nil
}
