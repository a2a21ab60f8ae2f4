package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// rewardFlags are the options of a reward model's run.
type rewardFlags struct {
	headFlags
	Centre *float64 `json:"centre,omitempty" help:"Pull of the mean score of a pair to 0, which preferences leave open (default 0.01)." placeholder:"X"`
}

type rewardCmd struct {
	rewardFlags
	postCmd
}

// Help is shown below the flags.
func (c *rewardCmd) Help() string {
	return `What is learned follows from the data: chosen and rejected answers (Bradley-Terry,
with margins where the data have them), answers with scores (regression), or answers
in steps that are right or wrong (a process reward model). The report measures on
held-out prompts: accuracy beside what the labels allow and beside the rule that the
longer answer is better, calibration, what a token more is worth, and answers made
worse on purpose.

Examples:

    foundling reward --model run1 --data pairs.jsonl --out judge
    foundling reward --model run1 --data hh.jsonl.gz --folds 5 --epochs 1 --out judge
    foundling reward --model run1 --lora 16 --data steps.jsonl --out verifier
    echo '{"prompt":"2+2?","completion":"4"}' | foundling score --model judge --jsonl`
}

// rewardRun trains a reward model in its directory.
type rewardRun struct {
	headRun
	z *bundle.Bundle
	x rewardResult
}

// rewardResult is reward.json.
type rewardResult struct {
	Out        string                   `json:"out"`
	Loss       posttrain.HeadLoss       `json:"loss"`
	Steps      int                      `json:"steps"`
	Data       posttrain.JudgementTally `json:"data"`
	HeldOut    int                      `json:"held_out"`
	Folds      int                      `json:"folds,omitempty"`
	Pairs      *eval.RewardReport       `json:"pairs,omitempty"`
	LabelLimit *float64                 `json:"label_limit,omitempty"` // accuracy that repeated labels of the data allow
	Probes     []probed                 `json:"probes,omitempty"`
	Scores     *fitted                  `json:"scores,omitempty"`
	Process    *processed               `json:"process,omitempty"`
}

// rewardFile is the report's figures.
const (
	rewardFile = "reward.json"
	rewardPage = "reward.html"
)

// Run is the command.
func (c *rewardCmd) Run(ctx context.Context) error {
	r := &rewardRun{headRun: headRun{f: &c.headFlags, kinds: []dataset.Kind{dataset.Preference, dataset.Scored, dataset.Stepwise}}}
	defaults := headDefaults(1)
	defaults.Centre = 0.01
	return r.run(ctx, &c.postCmd, postMethod[headOptions]{
		command: "reward", flags: &c.postFlags, given: &c.rewardFlags, rate: headRate, defaults: defaults,
		frame: func(o *headOptions) *postOptions { return &o.postOptions }, resolve: r.resolve, scorers: true,
		stages: []func(context.Context) error{r.read, r.fit, r.judge, r.report},
	})
}

// judge measures on what was held out.
func (r *rewardRun) judge(ctx context.Context) (err error) {
	if r.z, err = r.measure(ctx); err != nil {
		return err
	}
	x := &r.x
	x.Out, x.Loss, x.Data, x.Folds = r.c.Out, r.Options.Loss, r.tally, r.Options.Folds
	held := r.held()
	x.HeldOut = len(held)
	last, err := r.last()
	if err != nil {
		return err
	}
	x.Steps = last.Step
	switch x.Loss {
	case posttrain.BradleyTerry:
		var pairs []eval.Judged
		for _, i := range held {
			s, t := r.judged[i], r.items[i].Texts
			pairs = append(pairs, eval.Judged{Chosen: s[0][0], Rejected: s[1][0], ChosenLength: len(t[0]), RejectLength: len(t[1])})
		}
		report := eval.NewRewardReport(pairs)
		x.Pairs = &report
		if limit := eval.LabelCeiling(r.votes()); !math.IsNaN(limit) {
			x.LabelLimit = &limit
		}
		if x.Probes, err = r.probe(ctx, held); err != nil {
			return err
		}
	case posttrain.Regression:
		x.Scores = r.fitted(held)
	case posttrain.Process:
		x.Process = r.processed(held)
	}
	return atomicfile.WriteJSON(filepath.Join(r.c.Out, rewardFile), x)
}

// votes counts, for pairs that were judged more than once, how often each side won.
func (r *rewardRun) votes() [][2]int {
	at := map[[3]string]int{}
	var votes [][2]int
	for _, x := range r.items {
		prompt, a, b, side := x.rec.Prompt.String(), x.rec.Chosen.String(), x.rec.Rejected.String(), 0
		if b < a {
			a, b, side = b, a, 1
		}
		key := [3]string{prompt, a, b}
		k, ok := at[key]
		if !ok {
			k = len(votes)
			at[key], votes = k, append(votes, [2]int{})
		}
		votes[k][side]++
	}
	return votes
}

// probed is how often the model prefers an answer to a worse one.
type probed struct {
	Name string        `json:"name"`
	What string        `json:"what"`
	Wins eval.Interval `json:"wins"`
}

// probedAnswers is how many answers are made worse.
const probedAnswers = 200

// probe makes chosen answers worse and scores both.
func (r *rewardRun) probe(ctx context.Context, held []int) ([]probed, error) {
	w, err := posttrain.NewWriter(r.z)
	if err != nil {
		return nil, err
	}
	held = held[:min(len(held), probedAnswers)]
	e := generate.New(r.b, r.z.Model, nil)
	defer e.Close()
	score := func(texts [][]int32) ([][][]float64, error) { return e.HeadScores(ctx, r.z.Head, texts, nil) }
	var own [][]int32
	for _, i := range held {
		ids, err := w.AnswerText(r.items[i].rec.Prompt, r.items[i].rec.Chosen, r.Options.Context)
		if err != nil {
			return nil, err
		}
		own = append(own, ids)
	}
	scores, err := score(own)
	if err != nil {
		return nil, err
	}
	var out []probed
	for _, p := range eval.Probes() {
		var texts [][]int32
		for k, i := range held {
			rec, other := r.items[i].rec, r.items[held[(k+1)%len(held)]].rec
			worse := dataset.Text{Plain: p.Change(rec.Chosen.String(), other.Chosen.String(), uint64(i))}
			ids, err := w.AnswerText(rec.Prompt, worse, r.Options.Context)
			if err != nil {
				return nil, err
			}
			texts = append(texts, ids)
		}
		worse, err := score(texts)
		if err != nil {
			return nil, err
		}
		wins := 0
		for k := range held {
			if scores[k][0][0] > worse[k][0][0] {
				wins++
			}
		}
		out = append(out, probed{p.Name, p.What, eval.Wilson(wins, len(held), eval.Z95)})
	}
	return out, nil
}

// fitted is how a regression does.
type fitted struct {
	RMSE        float64 `json:"rmse"`
	Deviation   float64 `json:"deviation"`   // of the scores: the error of always saying the mean
	Explained   float64 `json:"explained"`   // share of the variance, R squared
	Correlation float64 `json:"correlation"` // Pearson's
}

func (r *rewardRun) fitted(held []int) *fitted {
	var x, y []float64
	for _, i := range held {
		x, y = append(x, r.judged[i][0][0]), append(y, r.items[i].Score)
	}
	f := &fitted{}
	var mx, my, sxx, syy, sxy, squares float64
	n := float64(len(x))
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	for i := range x {
		sxx, syy, sxy = sxx+(x[i]-mx)*(x[i]-mx), syy+(y[i]-my)*(y[i]-my), sxy+(x[i]-mx)*(y[i]-my)
		squares += (x[i] - y[i]) * (x[i] - y[i])
	}
	f.RMSE, f.Deviation = math.Sqrt(squares/n), math.Sqrt(syy/n)
	if syy > 0 {
		f.Explained = 1 - squares/syy
	}
	if sxx > 0 && syy > 0 {
		f.Correlation = sxy / math.Sqrt(sxx*syy)
	}
	return f
}

// processed is how a process reward model does.
type processed struct {
	Steps      eval.Interval `json:"steps"`       // judged right
	Majority   float64       `json:"majority"`    // share of the more frequent label
	FirstError eval.Interval `json:"first_error"` // answers whose first wrong step, or whose lack of one, is found
}

func (r *rewardRun) processed(held []int) *processed {
	var steps, good, found, wrong int
	for _, i := range held {
		first := func(right func(k int) bool) int {
			for k := range r.items[i].Right {
				if !right(k) {
					return k
				}
			}
			return -1
		}
		said := func(k int) bool { return r.judged[i][k][0] > 0 }
		for k, right := range r.items[i].Right {
			steps++
			if said(k) == right {
				good++
			}
			if !right {
				wrong++
			}
		}
		if first(said) == first(func(k int) bool { return r.items[i].Right[k] }) {
			found++
		}
	}
	return &processed{
		Steps:    eval.Wilson(good, steps, eval.Z95),
		Majority: float64(max(wrong, steps-wrong)) / float64(max(1, steps)), FirstError: eval.Wilson(found, len(held), eval.Z95),
	}
}

// report prints what was measured and writes the page.
func (r *rewardRun) report(context.Context) error {
	path := filepath.Join(r.c.Out, rewardPage)
	if err := r.x.page().WriteFile(path); err != nil {
		return err
	}
	if r.c.JSON {
		return printJSON(r.x)
	}
	for _, line := range r.x.lines() {
		fmt.Println(line)
	}
	fmt.Printf("report: %s\nnext: foundling score --model %s --jsonl, or --reward model:%s for ppo and grpo\n", path, quoted(r.c.Out), quoted(r.c.Out))
	return nil
}
