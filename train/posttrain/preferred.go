package posttrain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/dataset"
)

// PreferenceTally is what became of the records of a run.
type PreferenceTally struct {
	Pairs     int           `json:"pairs"`
	Up        int           `json:"thumbs_up"`
	Down      int           `json:"thumbs_down"`
	TooLong   int           `json:"too_long"`  // left out
	Truncated int           `json:"truncated"` // answers cut and kept
	Identical int           `json:"identical"` // the same ids, some after being cut
	Empty     int           `json:"empty"`     // answers without an id to learn
	Skipped   dataset.Skips `json:"skipped"`   // rows that could not be read
	// LongerChosen is the share of pairs whose chosen answer has more tokens, ties
	// counted one half: what a rule that knows only lengths would say.
	LongerChosen float64 `json:"longer_chosen"`
}

// String is one line.
func (t *PreferenceTally) String() string {
	var s []string
	add := func(n int, what string) {
		if n > 0 {
			s = append(s, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(t.Pairs, "pairs")
	add(t.Up, "thumbs up")
	add(t.Down, "thumbs down")
	add(t.Truncated, "answers cut")
	add(t.TooLong, "too long, left out")
	add(t.Identical, "with identical answers, left out")
	add(t.Empty, "with an empty answer, left out")
	if rows := t.Skipped.String(); rows != "" {
		s = append(s, rows)
	}
	if s == nil {
		return "nothing"
	}
	return strings.Join(s, ", ")
}

// PreferenceReader turns records into Preferred.
type PreferenceReader struct {
	Writer  *Writer
	Row     int        // longest row, in tokens
	Long    LongPolicy // of longer ones
	Singles bool       // thumbs are wanted, and pairs are two of them; else thumbs are an error
	Tally   PreferenceTally

	longer float64
}

// Read adds a record; ok is false where nothing can be learned from it, which is
// counted. An error names the record.
func (r *PreferenceReader) Read(rec dataset.Record) (p Preferred, ok bool, err error) {
	switch rec.Kind {
	case dataset.Preference:
		p.Chosen, err = r.completion(rec.Prompt, rec.Chosen)
		if err == nil {
			p.Rejected, err = r.completion(rec.Prompt, rec.Rejected)
		}
	case dataset.Unpaired:
		if !r.Singles {
			return p, false, fmt.Errorf("%s: an answer with a thumb: this loss wants pairs of a chosen and a rejected answer; kto, apo_zero and sppo_hard take thumbs", rec.Source)
		}
		var c *Completion
		if c, err = r.completion(rec.Prompt, rec.Completion); *rec.Label {
			p.Chosen = c
		} else {
			p.Rejected = c
		}
	default:
		return p, false, fmt.Errorf("%s: a record of kind %s: want preferences (chosen and rejected) or thumbs", rec.Source, rec.Kind)
	}
	switch {
	case errors.Is(err, errTooLong):
		r.Tally.TooLong++
		return p, false, nil
	case errors.Is(err, errEmpty):
		r.Tally.Empty++
		return p, false, nil
	case err != nil:
		return p, false, fmt.Errorf("%s: %w", rec.Source, err)
	}
	return r.Count(p)
}

var errEmpty = errors.New("nothing to learn")

func (r *PreferenceReader) completion(prompt, answer dataset.Text) (*Completion, error) {
	e, err := r.Writer.Answer(prompt, answer)
	if err != nil {
		return nil, err
	}
	e, cut, err := r.Long.fit(e, r.Row)
	if err != nil {
		return nil, err
	}
	if cut {
		r.Tally.Truncated++
	}
	c := &Completion{Example: e}
	if c.Length() == 0 {
		return nil, errEmpty
	}
	return c, nil
}

// Count adds preferences to the tally, unless there is nothing to prefer.
func (r *PreferenceReader) Count(p Preferred) (Preferred, bool, error) {
	switch {
	case p.Chosen != nil && p.Rejected != nil:
		if slices.Equal(p.Chosen.IDs, p.Rejected.IDs) {
			r.Tally.Identical++
			return p, false, nil
		}
		r.Tally.Pairs++
		r.longer += heaviside(float64(p.Chosen.Length() - p.Rejected.Length()))
		r.Tally.LongerChosen = r.longer / float64(r.Tally.Pairs)
	case p.Chosen != nil:
		r.Tally.Up++
	default:
		r.Tally.Down++
	}
	return p, true, nil
}

// HeldOut says whether a record belongs to the share that is measured on and not
// learned: all records with the same prompt lie on one side.
func HeldOut(rec dataset.Record, share float64, seed uint64) bool {
	h := xxh3.HashStringSeed(rec.Prompt.String(), seed)
	return float64(h>>11)/(1<<53) < share
}

// Mismatch gives every preference the answers of the next one as Others, after
// its own prompt and cut at t ids.
func Mismatch(ps []Preferred, t int) {
	for i := range ps {
		next := ps[(i+1)%len(ps)]
		var prompt []int32
		ps[i].each(func(c Completion, _ bool) { prompt = c.IDs[:c.answerAt()] })
		ps[i].Others = nil
		next.each(func(c Completion, _ bool) {
			answer := c.IDs[c.answerAt():]
			n := min(len(answer), t-len(prompt))
			if n <= 0 {
				return
			}
			e := batch.Example{IDs: append(prompt[:len(prompt):len(prompt)], answer[:n]...), Train: make([]bool, len(prompt)+n)}
			for k := len(prompt); k < len(e.Train); k++ {
				e.Train[k] = true
			}
			ps[i].Others = append(ps[i].Others, Completion{Example: e})
		})
	}
}
