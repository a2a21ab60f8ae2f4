package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/foundling-lm/foundling/train/posttrain"
)

// answerFlags say how prompts are answered, and who grades the answers.
type answerFlags struct {
	N           *int     `json:"n,omitempty" name:"n" help:"Answers to a prompt (default: dpo --online 4, rlaif 2, rejection sampling 8)." placeholder:"N"`
	MaxTokens   *int     `json:"max-tokens,omitempty" name:"max-tokens" help:"Tokens of an answer, at most (default: half the context, at most 256)." placeholder:"N"`
	Temperature *float64 `json:"temperature,omitempty" help:"Of answers (default 1)." placeholder:"X"`
	Reward      []string `json:"reward,omitempty" sep:"none" help:"What an answer is worth, instead of a judge: a weighted sum as 0.7*verifier:go-parse+0.3*ended; repeat it to add more. Kinds: ${rewards}." placeholder:"SPEC"`
	judgeOptions
}

// answerOptions are answerFlags with every field known.
type answerOptions struct {
	N           int      `json:"n,omitempty"`
	MaxTokens   int      `json:"max-tokens,omitempty"`
	Temperature float64  `json:"temperature,omitempty"`
	Reward      []string `json:"reward,omitempty"`
	judgeOptions
}

// given says whether a flag is set.
func (f *answerFlags) given() bool {
	return f.N != nil || f.MaxTokens != nil || f.Temperature != nil || f.Reward != nil || f.judgeOptions != judgeOptions{}
}

// absolutePaths makes the paths of judge and constitution independent of the
// working directory.
func (f *answerFlags) absolutePaths() (err error) {
	if f.Constitution != "" {
		if f.Constitution, err = filepath.Abs(f.Constitution); err != nil {
			return err
		}
	}
	if _, no := os.Stat(f.Judge); no == nil && f.Judge != "self" && !f.remote() {
		f.Judge, err = filepath.Abs(f.Judge)
	}
	return err
}

// resolve fills in and checks what is left open; n is the default of --n.
func (o *answerOptions) resolve(n, context int, store storeFlags) error {
	if o.N == 0 {
		o.N = n
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = min(256, context/2)
	}
	if o.Temperature == 0 {
		o.Temperature = 1
	}
	switch {
	case (o.Judge == "") == (len(o.Reward) == 0):
		return errors.New("who grades the answers? give --judge or --reward, one of them")
	case o.Judge == "" && (o.JudgeName != "" || o.Constitution != "" || o.Decide != ""):
		return errors.New("--judge-name, --constitution and --decide are of --judge")
	case o.JudgeName != "" && !o.remote():
		return errors.New("--judge-name is of a service: --judge is no address")
	case o.N < 2:
		return fmt.Errorf("--n is %d: to choose there must be 2 answers at least", o.N)
	case o.MaxTokens < 1 || o.MaxTokens >= context:
		return fmt.Errorf("--max-tokens is %d: it must be positive and leave room for a prompt in the context of %d", o.MaxTokens, context)
	case !(o.Temperature > 0):
		return fmt.Errorf("--temperature is %g: answers must differ, give more than 0", o.Temperature)
	}
	if err := checkRewards(o.Reward, o.MaxTokens); err != nil {
		return fmt.Errorf("--reward: %w", err)
	}
	return o.check(store)
}

// graded is a grader with what must be closed after it.
type graded struct {
	grade posttrain.Grade
	court *posttrain.Court // nil: rewards
	// settle makes final what never came: it is asked for again before that, when a
	// run goes on, but not once records were made without it.
	settle func() error
	close  func()
}

// answersFile is the journal of what judges and rewards from outside said.
const answersFile = "answers.jsonl"

// grader grades answers by --judge or --reward.
func (r *dpoRun) grader() (*graded, error) {
	o := &r.Options
	j, err := posttrain.OpenJournal(filepath.Join(r.c.Out, answersFile))
	if err != nil {
		return nil, err
	}
	closing := func() { _ = j.Close() }
	if o.Judge == "" {
		w := &rewards{b: r.b, limit: r.j.RewardLimit}
		terms, err := w.parse(o.Reward, o.MaxTokens)
		if err != nil {
			w.close()
			closing()
			return nil, err
		}
		return &graded{posttrain.Rewarded(terms, j, nil), nil, j.Settle, func() {
			w.close()
			closing()
		}}, nil
	}
	c, release, err := r.j.court(r.b, &o.judgeOptions, r.c.storeFlags, o.Model, o.Seed)
	if err != nil {
		closing()
		return nil, err
	}
	c.Journal = j
	grade := posttrain.Tournament(c, func(x *posttrain.JudgeReport) { r.judged = r.judged.Add(x) })
	c.Progress = func(done, total int) { r.p.note(fmt.Sprintf("judged %d of %d pairs", done, total)) }
	return &graded{grade, c, j.Settle, func() {
		release()
		closing()
	}}, nil
}
