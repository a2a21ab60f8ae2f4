package posttrain

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/generate/search"
)

// Answer is a completion to be rewarded.
type Answer struct {
	Prompt *Prompt
	search.Candidate
}

// Score is a reward, or why there is none.
type Score struct {
	Value float64 `json:"value"`
	Skip  string  `json:"skip,omitempty"`
}

// Reward scores answers: as many scores as answers, in order. An error ends the
// run; what concerns one answer is a Score with Skip.
type Reward func(ctx context.Context, answers []Answer) ([]Score, error)

// Term is one of the rewards whose weighted sum is the score of a completion.
type Term struct {
	Name   string
	Weight float64
	Reward Reward
	// Outside says that the answers cannot be computed again: they are journalled.
	Outside bool
	Batch   int // answers that it is asked for at a time; 0: all
}

// One is a Reward of a function that scores each answer by itself.
func One(f func(ctx context.Context, a *Answer) (float64, error)) Reward {
	return func(ctx context.Context, answers []Answer) ([]Score, error) {
		out := make([]Score, len(answers))
		for i := range answers {
			x, err := f(ctx, &answers[i])
			if err != nil {
				return nil, err
			}
			out[i].Value = x
		}
		return out, nil
	}
}

// Verified is a verifier's grade as a reward. Where it gives no verdict the answer
// is skipped.
func Verified(v search.Verifier) Reward {
	return func(ctx context.Context, answers []Answer) ([]Score, error) {
		out := make([]Score, len(answers))
		for i := range answers {
			x, err := v(ctx, &answers[i].Candidate)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if out[i].Value = x.Score; err != nil {
				out[i] = Score{Skip: err.Error()}
			}
		}
		return out, nil
	}
}

// reward gives the samples of a rollout their scores. What was asked outside
// before a crash comes from the journal beside the rollout.
func (p *policyRun) reward(ctx context.Context, r *Rollout) (err error) {
	answers := make([]Answer, len(r.Samples))
	for i, s := range r.Samples {
		q := &p.Prompts[s.Prompt]
		ids := s.IDs
		if s.Ended {
			ids = ids[:len(ids)-1]
		}
		answers[i] = Answer{Prompt: q, Candidate: search.Candidate{Text: s.Text, IDs: ids, Finish: s.Finish}}
		s.Score, s.Parts, s.Skip = 0, make([]float64, len(p.Rewards)), ""
	}
	if err := os.MkdirAll(filepath.Join(p.Dir, rolloutDir), 0o755); err != nil {
		return err
	}
	var j *Journal
	if slices.ContainsFunc(p.Rewards, func(t Term) bool { return t.Outside }) {
		if j, err = OpenJournal(answersPath(p.Dir, r.Number)); err != nil {
			return err
		}
		defer j.Close()
	}
	for k, t := range p.Rewards {
		scores, err := p.ask(ctx, j, k, answers)
		if err != nil {
			return fmt.Errorf("reward %s: %w", t.Name, err)
		}
		for i, x := range scores {
			r.Samples[i].add(k, t, x)
		}
	}
	return p.enough(r)
}

// maxReward bounds what is believed: a larger one would drown all others, and
// break the gradient.
const maxReward = 1e9

// add takes in the score of a term.
func (s *Sample) add(k int, t Term, x Score) {
	switch {
	case x.Skip != "":
		s.Skip = t.Name + ": " + x.Skip
	case !(math.Abs(x.Value) <= maxReward):
		s.Skip = fmt.Sprintf("%s: a reward of %g", t.Name, x.Value)
	default:
		s.Parts[k] = x.Value
		s.Score += t.Weight * x.Value
	}
}

// ask asks a term for the scores of all answers.
func (p *policyRun) ask(ctx context.Context, j *Journal, k int, answers []Answer) ([]Score, error) {
	t := p.Rewards[k]
	return t.scores(ctx, j, answers, func(done int) {
		p.tell("reward", k*len(answers)+done, len(p.Rewards)*len(answers))
	})
}

// key names the question for the scores of answers, of which the first has the
// given number: other answers there are another question.
func (t Term) key(first int, answers []Answer) (string, error) {
	data, err := json.Marshal(Show(answers))
	return fmt.Sprintf("%s/%d/%x", t.Name, first, xxh3.Hash128(data).Bytes()), err
}

// scores are those of all answers; the journal has what came from outside.
func (t Term) scores(ctx context.Context, j *Journal, answers []Answer, tell func(done int)) ([]Score, error) {
	size := t.Batch
	if size == 0 {
		size = len(answers)
	}
	out := make([]Score, 0, len(answers))
	for lo := 0; lo < len(answers); lo += size {
		tell(lo)
		part := answers[lo:min(lo+size, len(answers))]
		scores, err := t.part(ctx, j, lo, part)
		if err != nil {
			return nil, err
		}
		out = append(out, scores...)
	}
	return out, nil
}

// part is scores for answers that are asked for together.
func (t Term) part(ctx context.Context, j *Journal, first int, answers []Answer) (scores []Score, err error) {
	var key string
	if t.Outside {
		if key, err = t.key(first, answers); err != nil {
			return nil, err
		}
		if known, err := j.Get(key, &scores); err != nil || known && len(scores) == len(answers) {
			return scores, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if scores, err = t.Reward(ctx, answers); err != nil {
		return nil, err
	}
	if len(scores) != len(answers) {
		return nil, fmt.Errorf("%d scores for %d answers", len(scores), len(answers))
	}
	for i, x := range scores {
		if math.IsNaN(x.Value) || math.IsInf(x.Value, 0) { // JSON has none
			scores[i] = Score{Skip: fmt.Sprintf("a reward of %g", x.Value)}
		}
	}
	if !t.Outside {
		return scores, nil
	}
	keep := j.Put
	if !slices.ContainsFunc(scores, func(s Score) bool { return s.Skip == "" }) {
		keep = j.Hold // the service failed, and is asked again when the run goes on, until that is settled
	}
	return scores, keep(key, scores)
}

// enough refuses a rollout of which too many samples have no reward.
func (p *policyRun) enough(r *Rollout) error {
	n, why := 0, map[string]int{}
	for _, s := range r.Samples {
		if s.Skip != "" {
			n++
			why[s.Skip]++
		}
	}
	if float64(n) <= p.MaxSkipped*float64(len(r.Samples)) {
		return nil
	}
	reasons := slices.SortedFunc(maps.Keys(why), func(a, b string) int {
		if why[a] != why[b] {
			return why[b] - why[a]
		}
		return strings.Compare(a, b)
	})
	list := ""
	for _, s := range reasons[:min(3, len(reasons))] {
		list += fmt.Sprintf("\n  %d: %s", why[s], s)
	}
	return fmt.Errorf("%d of %d completions have no reward, at most a share of %g may lack it:%s\nrepair the reward; the same command then goes on from the last checkpoint", n, len(r.Samples), p.MaxSkipped, list)
}
