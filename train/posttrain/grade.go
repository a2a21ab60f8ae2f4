package posttrain

import (
	"context"
	"fmt"

	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/text/dataset"
)

// Grade scores the answers to prompts. An error ends the run; what concerns one
// answer is a Try without a score.
type Grade func(ctx context.Context, prompts []dataset.Record, tries []*Tries) error

// Rewarded grades answers by the weighted sum of rewards; what came from outside is
// in the journal.
func Rewarded(terms []Term, j *Journal, progress func(done, total int)) Grade {
	return func(ctx context.Context, prompts []dataset.Record, tries []*Tries) error {
		var all []*Try
		var answers []Answer
		for i, t := range tries {
			q := asPrompt(prompts[i], t.IDs)
			for _, a := range t.Answers {
				ids := a.IDs
				if a.ended() {
					ids = ids[:len(ids)-1]
				}
				all = append(all, a)
				answers = append(answers, Answer{Prompt: q, Candidate: search.Candidate{Text: a.Text, IDs: ids, Finish: a.Finish}})
			}
		}
		for _, a := range all {
			a.Score, a.Skipped = new(float64), ""
		}
		for k, t := range terms {
			scores, err := t.scores(ctx, j, answers, func(done int) {
				if progress != nil {
					progress(k*len(answers)+done, len(terms)*len(answers))
				}
			})
			if err != nil {
				return fmt.Errorf("reward %s: %w", t.Name, err)
			}
			for i, s := range scores {
				if s.Skip != "" {
					all[i].Score, all[i].Skipped = nil, t.Name+": "+s.Skip
				} else if all[i].Score != nil {
					*all[i].Score += t.Weight * s.Value
				}
			}
		}
		return nil
	}
}

// asPrompt is what rewards are told of a record.
func asPrompt(r dataset.Record, ids []int32) *Prompt {
	given, reference := PromptOf(r)
	return &Prompt{IDs: ids, Given: given, Reference: reference}
}

// Tournament grades answers by a court: all pairs of answers to a prompt are
// compared, and an answer's score is the mean probability of winning.
func Tournament(c *Court, report func(*JudgeReport)) Grade {
	return func(ctx context.Context, prompts []dataset.Record, tries []*Tries) error {
		var cs []Comparison
		var pairs [][2]*Try
		for i, t := range tries {
			for k, a := range t.Answers {
				for _, b := range t.Answers[k+1:] {
					if a.Text == b.Text {
						continue
					}
					cs = append(cs, Comparison{
						Prompt: prompts[i].Prompt, Source: prompts[i].Source, First: dataset.Text{Plain: a.Text}, Second: dataset.Text{Plain: b.Text},
					})
					pairs = append(pairs, [2]*Try{a, b})
				}
			}
		}
		opinions, r, err := c.Compare(ctx, cs)
		if err != nil {
			return err
		}
		if report != nil {
			report(r)
		}
		won, n := map[*Try]float64{}, map[*Try]float64{}
		for i, p := range pairs {
			x := 0.5
			if opinions[i].Decided() {
				x = opinions[i].First
			}
			won[p[0]], won[p[1]] = won[p[0]]+x, won[p[1]]+1-x
			n[p[0]]++
			n[p[1]]++
		}
		for _, t := range tries {
			for _, a := range t.Answers {
				x := 0.5
				if n[a] > 0 {
					x = won[a] / n[a]
				}
				a.Score = &x
			}
		}
		return nil
	}
}
