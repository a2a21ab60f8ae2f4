package posttrain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/text/dataset"
)

// Try is an answer that a model gave.
type Try struct {
	IDs     []int32  `json:"ids"` // the end token included, where there is one
	Text    string   `json:"text"`
	Finish  string   `json:"finish"`            // as in generate.Result
	LogProb float64  `json:"logprob"`           // of IDs, under the model that gave it
	Score   *float64 `json:"score,omitempty"`   // the greater the better; nil: none
	Skipped string   `json:"skipped,omitempty"` // why it has no score
}

// Tries are the answers to one prompt.
type Tries struct {
	Prompt  int     `json:"prompt"` // its number
	IDs     []int32 `json:"ids"`    // what the model read
	Answers []*Try  `json:"answers"`
}

// Drawer lets a model answer.
type Drawer struct {
	Engine *generate.Engine
	Writer *Writer
	N      int // answers to a prompt
	// Options of every answer. Answer k to prompt i draws from stream
	// (Options.Stream + i) N + k: it is the same whichever others are drawn.
	Options generate.Options
}

// Draw answers prompts; number is that of the first among all. Prompts that do not
// fit the context have no answers, and are counted.
func (d *Drawer) Draw(ctx context.Context, prompts []dataset.Record, number []int, progress func(done, total int)) (out []*Tries, unfit int, err error) {
	var requests []generate.Request
	for i, p := range prompts {
		t := &Tries{Prompt: number[i]}
		out = append(out, t)
		room := cmp.Or(d.Options.MaxTokens, 1)
		if t.IDs, err = d.Writer.Prompt(p.Prompt, min(room, d.Writer.z.Model.Dims().Context/2)); err != nil {
			t.IDs = nil
			unfit++
			continue
		}
		for k := range d.N {
			o := d.Options
			o.Stream = (d.Options.Stream+uint64(number[i]))*uint64(d.N) + uint64(k)
			requests = append(requests, generate.Request{Prompt: t.IDs, Options: o})
		}
	}
	ended := 0
	results, err := d.Engine.GenerateAll(ctx, requests, func(int, generate.Piece) bool {
		if ended++; progress != nil && ended%64 == 0 {
			progress(ended, len(requests)*d.Options.MaxTokens)
		}
		return true
	})
	if err != nil {
		return nil, unfit, err
	}
	for _, t := range out {
		if t.IDs == nil {
			continue
		}
		for _, r := range results[:d.N] {
			a := &Try{IDs: slices.Clone(r.IDs), Text: strings.ToValidUTF8(r.Text, "\uFFFD"), Finish: r.Finish, LogProb: total(r.LogProbs)}
			if r.StopID >= 0 {
				a.IDs, a.LogProb = append(a.IDs, r.StopID), a.LogProb+r.StopLogProb
			}
			t.Answers = append(t.Answers, a)
		}
		results = results[d.N:]
	}
	return out, unfit, nil
}

// answerChunk is the prompts that are answered between two writes of a journal.
const answerChunk = 32

// DrawAll answers all prompts, as far as the journal does not have that: name says
// what the answers depend on besides the prompts of a part and the number of its
// first. Prompts that do not fit the context have no answers.
func (d *Drawer) DrawAll(ctx context.Context, j *Journal, name func(first int, part []dataset.Record) string, prompts []dataset.Record, progress func(done int)) (tries []*Tries, err error) {
	for lo := 0; lo < len(prompts); lo += answerChunk {
		part := prompts[lo:min(lo+answerChunk, len(prompts))]
		key := name(lo, part)
		var ts []*Tries
		found, err := j.Get(key, &ts)
		if err != nil {
			return nil, err
		}
		if !found {
			numbers := make([]int, len(part))
			for i := range numbers {
				numbers[i] = lo + i
			}
			if ts, _, err = d.Draw(ctx, part, numbers, nil); err != nil {
				return nil, err
			}
			if err := j.Put(key, ts); err != nil {
				return nil, err
			}
		}
		tries = append(tries, ts...)
		progress(lo + len(part))
	}
	return tries, nil
}

// ended says whether an end token is the last of the ids.
func (a *Try) ended() bool { return a.Finish == generate.FinishStop }

// Completion is answer k as something to learn; nil where it is empty.
func (t *Tries) Completion(k int) *Completion {
	if len(t.Answers[k].IDs) == 0 {
		return nil
	}
	c := Sampled(t.IDs, t.Answers[k].IDs)
	return &c
}

// Complete is the tries without answers that were cut off or say nothing.
func (t *Tries) Complete() *Tries {
	whole := &Tries{Prompt: t.Prompt, IDs: t.IDs}
	for _, a := range t.Answers {
		if c := (search.Candidate{Finish: a.Finish}); c.Complete() && strings.TrimSpace(a.Text) != "" {
			whole.Answers = append(whole.Answers, a)
		}
	}
	return whole
}

// Best is the number of the best answer, the first among equals; -1 where none has
// a score.
func (t *Tries) Best() int { return t.extreme(1) }

// Worst is the number of the worst answer.
func (t *Tries) Worst() int { return t.extreme(-1) }

func (t *Tries) extreme(sign float64) int {
	best := -1
	for k, a := range t.Answers {
		if a.Score != nil && (best < 0 || sign**a.Score > sign**t.Answers[best].Score) {
			best = k
		}
	}
	return best
}

// Preferred is the best and the worst answer; ok is false where they have one
// score, or are the same.
func (t *Tries) Preferred() (p Preferred, ok bool) {
	best, worst := t.Best(), t.Worst()
	if best < 0 || *t.Answers[best].Score == *t.Answers[worst].Score {
		return p, false
	}
	p.Chosen, p.Rejected = t.Completion(best), t.Completion(worst)
	return p, p.Chosen != nil && p.Rejected != nil && !slices.Equal(p.Chosen.IDs, p.Rejected.IDs)
}

// errNothing reports a first round that has nothing to learn from.
func errNothing(prompts int) error {
	return fmt.Errorf("to none of %d prompts are there two answers of different score: draw more answers, at a higher temperature, or give another judge or reward", prompts)
}
