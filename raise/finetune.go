package raise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/demo"
	"github.com/foundling-lm/foundling/text/gosrc"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/posttrain"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// ErrTooFew says that the text holds too few demonstrations to learn answering
// from; the run ends with the base model, which continues text.
var ErrTooFew = errors.New("too few demonstrations")

// FineTune teaches the base model to answer, from demonstrations in the training
// text. Where there are too few it leaves the base model as the result.
func (r *Run) FineTune(ctx context.Context) error {
	return r.stage("fine-tuning", r.Plan.Shares.SFT, func() (string, error) {
		if pretrain.Done(r.path(TunedDir)) || pretrain.Done(r.o.Out) {
			return "done before", nil
		}
		base, err := bundle.Open(r.b, r.path(BaseDir))
		if err != nil {
			return "", err
		}
		defer base.Release(r.b)
		examples, tally, err := r.examples()
		if errors.Is(err, ErrTooFew) {
			r.w.Say("%v: the model will continue text, not answer", err)
			base.Dir = r.o.Out
			return "skipped: " + err.Error(), base.Save(r.b, dtype.F32)
		} else if err != nil {
			return "", err
		}
		if err := os.MkdirAll(r.path(sftDir), 0o755); err != nil {
			return "", err
		}
		s := posttrain.SFT{
			SFTOptions: r.Plan.SFT, Dir: r.path(sftDir), Out: r.path(TunedDir), Base: base, Examples: examples,
			Overrun: r.overrun("fine-tuning", r.path(sftDir), r.Plan.Shares.SFT, &r.Plan.SFT.Train),
		}
		var last train.Metrics
		s.Progress = func(m train.Metrics) { last = m; r.w.Step("fine-tuning", m, r.Plan.SFT.Train.Schedule.End()) }
		if err := s.Run(ctx, r.b); err != nil {
			return "", err
		}
		return fmt.Sprintf("%d demonstrations (%s), %d steps, loss %.3f", examples.Stats().Examples, tally, last.Step, last.Loss), nil
	})
}

// isGo says that most of the text is Go source.
func (r *Run) isGo() (bool, error) {
	s, err := r.data.Corpus.Stats()
	return s.Kinds["go"].Bytes*2 > s.Total.Bytes, err
}

// demonstrations streams those of one side.
func (r *Run) demonstrations(docs text.Stream) (demo.Stream, error) {
	ok, err := r.isGo()
	if err != nil {
		return nil, err
	}
	a := r.Plan.Answers
	if ok {
		pool := parallel.New(r.b.Threads())
		x, err := gosrc.New(gosrc.Options{Seed: r.Plan.Seed, MaxPrompt: a.MaxPrompt, MaxResponse: a.MaxResponse, Pool: pool})
		if err != nil {
			return nil, err
		}
		return x.Demonstrations(docs), nil
	}
	x, err := demo.New(demo.Options{Seed: r.Plan.Seed, MaxPrompt: a.MaxPrompt, MaxResponse: a.MaxResponse})
	if err != nil {
		return nil, err
	}
	return x.Demonstrations(docs), nil
}

// examples are the demonstrations of the training side that do not overlap the
// held-out text, encoded and packed: as many as the plan asks for, drawn by hash.
func (r *Run) examples() (*batch.Examples, string, error) {
	held, err := demo.NewHeldOut(r.data.Sides.Documents(corpus.Validation))
	if err != nil {
		return nil, "", err
	}
	stream, err := r.demonstrations(r.data.Sides.Documents(corpus.Train))
	if err != nil {
		return nil, "", err
	}
	var all []demo.Demonstration
	dropped := map[string]int{}
	for d, err := range held.Deduplicate(stream, dropped) {
		if err != nil {
			return nil, "", err
		}
		all = append(all, d)
	}
	if !demo.Enough(len(all)) {
		return nil, "", fmt.Errorf("%w: %d found in the text, at least %d are needed", ErrTooFew, len(all), demo.MinDemonstrations)
	}
	draw(all, r.Plan.Seed)
	all = mixed(all, r.Plan.Answers.Most)
	tally := demo.Tally{}
	var ex []batch.Example
	for _, d := range all {
		e, err := posttrain.Example(r.tok, d.Messages())
		if err != nil {
			return nil, "", err
		}
		ex = append(ex, e)
		tally.Add(d)
	}
	packed, err := batch.PackExamples(ex, r.Plan.SFT.Context, batch.PackOptions{})
	if err != nil {
		return nil, "", err
	}
	if n := packed.Stats().Examples; !demo.Enough(n) {
		return nil, "", fmt.Errorf("%w: %d fit into %d tokens, at least %d are needed", ErrTooFew, n, r.Plan.SFT.Context, demo.MinDemonstrations)
	}
	return packed, tally.String(), atomicfile.WriteJSON(filepath.Join(r.o.Out, sftDir+".json"), map[string]any{"tally": tally, "dropped_overlap": dropped, "packing": packed.Stats()})
}

// mixed takes at most so many of the demonstrations, half of them of whole functions,
// which the evaluation asks for, as far as there are any; their order stays.
func mixed(all []demo.Demonstration, most int) []demo.Demonstration {
	functions := 0
	for _, d := range all {
		if d.Task == gosrc.TaskFunction {
			functions++
		}
	}
	others := len(all) - functions
	most = min(most, len(all))
	functions = max(min(functions, most/2), most-others)
	others = most - functions
	out := make([]demo.Demonstration, 0, most)
	for _, d := range all {
		left := &others
		if d.Task == gosrc.TaskFunction {
			left = &functions
		}
		if *left > 0 {
			*left--
			out = append(out, d)
		}
	}
	return out
}

// draw sorts demonstrations by a hash of where they come from.
func draw(all []demo.Demonstration, seed uint64) {
	key := func(d demo.Demonstration) uint64 {
		return xxh3.HashStringSeed(d.Task+"\x00"+d.Provenance.String()+"\x00"+d.Prompt, seed)
	}
	slices.SortStableFunc(all, func(a, b demo.Demonstration) int { return cmp.Compare(key(a), key(b)) })
}
