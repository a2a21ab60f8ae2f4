package posttrain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/dataset"
)

// JudgementTally is what became of the records of a run.
type JudgementTally struct {
	Judgements int           `json:"judgements"`
	Identical  int           `json:"identical"` // pairs of the same ids, some after being cut
	TooLong    int           `json:"too_long"`  // left out
	Truncated  int           `json:"truncated"` // cut and kept
	Empty      int           `json:"empty"`     // without an answer
	Skipped    dataset.Skips `json:"skipped"`   // rows that could not be read
}

// String is one line.
func (t *JudgementTally) String() string {
	s := []string{fmt.Sprintf("%d judgements", t.Judgements)}
	for _, c := range []struct {
		n    int
		what string
	}{
		{t.Truncated, "texts cut"}, {t.TooLong, "too long, left out"},
		{t.Identical, "with identical answers, left out"}, {t.Empty, "with an empty answer, left out"},
	} {
		if c.n > 0 {
			s = append(s, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if rows := t.Skipped.String(); rows != "" {
		s = append(s, rows)
	}
	return strings.Join(s, ", ")
}

// LossOf is the loss that records of a kind are for, "" for none.
func LossOf(kind dataset.Kind) HeadLoss {
	return map[dataset.Kind]HeadLoss{
		dataset.Preference: BradleyTerry, dataset.Scored: Regression, dataset.Stepwise: Process, dataset.Classified: Classes,
	}[kind]
}

// KindOf is the kind of records that a loss learns from.
func (l HeadLoss) KindOf() dataset.Kind {
	for _, k := range dataset.Kinds() {
		if LossOf(k) == l {
			return k
		}
	}
	panic("posttrain: head loss " + string(l))
}

// JudgementReader turns records into Judgements.
type JudgementReader struct {
	Writer *Writer
	Loss   HeadLoss
	Row    int        // longest text, in tokens
	Long   LongPolicy // of longer ones
	Labels []string   // of the classes
	Tally  JudgementTally
}

// Read adds a record; ok is false where nothing can be learned from it, which is
// counted. An error names the record.
func (r *JudgementReader) Read(rec dataset.Record) (j Judgement, ok bool, err error) {
	if LossOf(rec.Kind) != r.Loss {
		return j, false, fmt.Errorf("%s: a record of kind %s: %s wants %s", rec.Source, rec.Kind, r.Loss, r.Loss.KindOf())
	}
	switch r.Loss {
	case BradleyTerry:
		if rec.Margin != nil {
			j.Margin = *rec.Margin
		}
		if err = r.text(&j, rec.Prompt, rec.Chosen); err == nil {
			err = r.text(&j, rec.Prompt, rec.Rejected)
		}
	case Regression:
		j.Score = *rec.Score
		err = r.text(&j, rec.Prompt, rec.Completion)
	case Process:
		err = r.steps(&j, rec)
	case Classes:
		if j.Class = slices.Index(r.Labels, rec.Class); j.Class < 0 {
			return j, false, fmt.Errorf("%s: class %q is not among %q", rec.Source, rec.Class, r.Labels)
		}
		err = r.class(&j, rec.Prompt)
	}
	switch {
	case errors.Is(err, errTooLong):
		r.Tally.TooLong++
		return j, false, nil
	case errors.Is(err, errEmpty):
		r.Tally.Empty++
		return j, false, nil
	case err != nil:
		return j, false, fmt.Errorf("%s: %w", rec.Source, err)
	case r.Loss == BradleyTerry && slices.Equal(j.Texts[0], j.Texts[1]):
		r.Tally.Identical++
		return j, false, nil
	}
	r.Tally.Judgements++
	return j, true, nil
}

// text adds a prompt with its answer, up to the end token.
func (r *JudgementReader) text(j *Judgement, prompt, answer dataset.Text) error {
	e, err := r.Writer.Answer(prompt, answer)
	if err != nil {
		return err
	}
	e, cut, err := r.Long.fit(e, r.Row-1)
	if err != nil {
		return err
	}
	if cut {
		r.Tally.Truncated++
	}
	if (Completion{Example: e}).Length() == 0 {
		return errEmpty
	}
	j.Texts = append(j.Texts, e.IDs)
	return nil
}

// steps adds a prompt with an answer in steps, a line each.
func (r *JudgementReader) steps(j *Judgement, rec dataset.Record) error {
	ids, err := r.Writer.Prompt(rec.Prompt, 0)
	if err != nil {
		return err
	}
	tok := r.Writer.z.Tokenizer
	for _, s := range rec.Steps {
		before := len(ids)
		if ids = tok.EncodeAppend(ids, s.Text+"\n"); len(ids) == before {
			return errEmpty
		}
		j.At, j.Right = append(j.At, len(ids)-1), append(j.Right, s.Right)
	}
	if over := len(ids) - r.Row; over > 0 {
		switch {
		case r.Long == RefuseLong:
			return fmt.Errorf("prompt and steps take %d tokens, %d fit: shorten them, or give --too-long drop or truncate-left", len(ids), r.Row)
		case r.Long == TruncateRight && j.At[0] < r.Row: // whole steps go
			n := len(j.At)
			for j.At[n-1] >= r.Row {
				n--
			}
			ids, j.At, j.Right = ids[:j.At[n-1]+1], j.At[:n], j.Right[:n]
		case r.Long == TruncateLeft && j.At[0] > over:
			ids = ids[over:]
			for k := range j.At {
				j.At[k] -= over
			}
		default:
			return errTooLong
		}
		r.Tally.Truncated++
	}
	j.Texts = [][]int32{ids}
	return nil
}

// class adds a text without a frame.
func (r *JudgementReader) class(j *Judgement, text dataset.Text) error {
	ids := r.Writer.ClassText(text)
	if len(ids) == 0 {
		return errEmpty
	}
	if len(ids) > r.Row {
		switch r.Long {
		case RefuseLong:
			return fmt.Errorf("the text takes %d tokens, %d fit: shorten it, or give --too-long drop or truncate-left", len(ids), r.Row)
		case TruncateLeft:
			ids = ids[len(ids)-r.Row:]
		case TruncateRight:
			ids = ids[:r.Row]
		default:
			return errTooLong
		}
		r.Tally.Truncated++
	}
	j.Texts = [][]int32{ids}
	return nil
}

// ClassText is the ids of a text that a classifier reads.
func (w *Writer) ClassText(text dataset.Text) []int32 {
	return w.z.Tokenizer.EncodeAppend(slices.Clone(w.z.Start()), text.String())
}

// AnswerText is the ids of a prompt and its answer that a reward model reads, cut
// on the left to row tokens.
func (w *Writer) AnswerText(prompt, answer dataset.Text, row int) ([]int32, error) {
	e, err := w.Answer(prompt, answer)
	if err != nil {
		return nil, err
	}
	if n := len(e.IDs); n > row {
		e = batch.Example{IDs: e.IDs[n-row:], Train: e.Train[n-row:]}
	}
	return e.IDs, nil
}
