package posttrain

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train"
)

// Online makes the preferences of a run while it goes on: in every round the
// policy answers some prompts, the answers are graded, and the best and the worst
// to each prompt are learned from for some steps (Guo et al. 2024, arXiv
// 2402.04792; Xu et al. 2023, arXiv 2312.16682, in rounds).
type Online struct {
	*Preferences
	Writer  *Writer
	Open    func() (*generate.Engine, error) // on the policy: for a round, since its weights change
	Options generate.Options                 // of answers
	N       int                              // answers to a prompt
	Prompts []dataset.Record
	Round   int // prompts of a round
	Steps   int // of a round
	Batch   int // preferences of a step
	Seed    uint64
	Grade   Grade
	Dir     string // of the run
	// Report is told of every round, once it is made or read again.
	Report func(*Round)
	// Progress shows what a round is doing.
	Progress func(stage string, done, total int)

	current *Round
}

// Round is one round: a file in the run's directory, written before the first step
// that depends on it.
type Round struct {
	Number int      `json:"number"` // from 0
	Tries  []*Tries `json:"tries"`
	Unfit  int      `json:"unfit"` // prompts that did not fit the context

	Mean  float64 `json:"mean"`  // score of all answers
	Best  float64 `json:"best"`  // mean of the best of each prompt
	KL    float64 `json:"kl"`    // mean log-ratio of answers to the reference, nats: an estimate of the divergence at temperature 1
	Pairs int     `json:"pairs"` // prompts with a best and a worst answer

	// References are the log-probabilities of the chosen and the rejected answer of
	// each pair under the reference.
	References [][2]float64 `json:"references,omitempty"`

	preferred []Preferred
	next      func(step int) []Preferred // of a step of the round
}

// Figures of rounds in metrics.jsonl.
const (
	RoundNumber = "round/number" // from 1
	RoundMean   = "round/score"
	RoundBest   = "round/best"
	RoundKL     = "round/kl"
	RoundPairs  = "round/pairs"
)

// RoundsDir holds the rounds in a run directory.
const RoundsDir = "rounds"

func roundPath(dir string, n int) string {
	return filepath.Join(dir, RoundsDir, fmt.Sprintf("%06d.json", n))
}

// ReadRound reads a round of a run directory (from 0); nil where there is none.
func ReadRound(dir string, n int) (*Round, error) {
	r := &Round{}
	found, err := atomicfile.ReadJSON(roundPath(dir, n), r)
	if err != nil || !found {
		return nil, err
	}
	return r, nil
}

// Source is the steps of the run, as train.Run has it.
func (o *Online) Source(ctx context.Context) func(step int) ([]train.Micro, error) {
	return func(step int) ([]train.Micro, error) {
		n := step / o.Steps
		if o.current == nil || o.current.Number != n {
			r, err := o.round(ctx, n, step%o.Steps == 0)
			if err != nil {
				return nil, err
			}
			if o.current = r; o.Report != nil {
				o.Report(r)
			}
		}
		micro := o.Micro(o.current.next(step % o.Steps))
		if len(micro) == 0 {
			micro = []train.Micro{noMicro{}}
		}
		micro[0] = &roundMicro{micro[0], o.current}
		return micro, nil
	}
}

// noMicro has nothing to learn.
type noMicro struct{}

func (noMicro) Size() (units, places int)               { return 0, 0 }
func (noMicro) Forward(*op.Pass, train.Forward) float64 { return 0 }

// roundMicro notes the figures of its round with those of a step.
type roundMicro struct {
	train.Micro
	r *Round
}

func (m *roundMicro) Forward(p *op.Pass, f train.Forward) float64 {
	for name, x := range map[string]float64{
		RoundNumber: float64(m.r.Number + 1), RoundMean: m.r.Mean, RoundBest: m.r.Best, RoundKL: m.r.KL, RoundPairs: float64(m.r.Pairs),
	} {
		f.Note(name, x, 1)
	}
	return m.Micro.Forward(p, f)
}

// round reads round n, or makes it with the weights as they are, which must be
// those of its first step.
func (o *Online) round(ctx context.Context, n int, first bool) (*Round, error) {
	path := roundPath(o.Dir, n)
	r, err := ReadRound(o.Dir, n)
	switch {
	case err != nil:
		return nil, err
	case r != nil:
		return r, o.prefer(r)
	case !first:
		return nil, fmt.Errorf("%s is missing, and the run has gone on from it: begin again in another --out", path)
	}
	r = &Round{Number: n}
	if err := o.draw(ctx, r); err != nil {
		return nil, err
	}
	if err := o.prefer(r); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return r, atomicfile.WriteJSON(path, r)
}

// numbers are those of the prompts of each round of so many.
func (o *Online) numbers(size int) func(round int) []int {
	all := make([]int, len(o.Prompts))
	for i := range all {
		all[i] = i
	}
	return Order(all, size, o.Seed)
}

// draw answers and grades.
func (o *Online) draw(ctx context.Context, r *Round) error {
	prompts := make([]dataset.Record, min(o.Round, len(o.Prompts)))
	numbers := make([]int, len(prompts))
	for i, n := range o.numbers(len(prompts))(r.Number) {
		numbers[i], prompts[i] = n, o.Prompts[n]
	}
	e, err := o.Open()
	if err != nil {
		return err
	}
	d := &Drawer{Engine: e, Writer: o.Writer, N: o.N, Options: o.Options}
	d.Options.Stream += uint64(r.Number) * uint64(len(o.Prompts))
	r.Tries, r.Unfit, err = d.Draw(ctx, prompts, numbers, o.stage("answers"))
	e.Close()
	if err != nil {
		return err
	}
	if err := o.Grade(ctx, prompts, r.Tries); err != nil {
		return err
	}
	scored, groups := 0, 0
	for _, t := range r.Tries {
		for _, a := range t.Answers {
			if a.Score != nil {
				r.Mean += *a.Score
				scored++
			}
		}
		if k := t.Best(); k >= 0 {
			r.Best += *t.Answers[k].Score
			groups++
		}
	}
	r.Mean, r.Best = r.Mean/float64(max(1, scored)), r.Best/float64(max(1, groups))
	o.divergence(r)
	return nil
}

// divergence estimates that of the policy from the reference on the answers.
func (o *Online) divergence(r *Round) {
	if o.Reference == nil {
		return
	}
	var cs []Completion
	var policy []float64
	for _, t := range r.Tries {
		for k, a := range t.Answers {
			if c := t.Completion(k); c != nil {
				cs, policy = append(cs, *c), append(policy, a.LogProb)
			}
		}
	}
	for i, x := range o.Reference.LogProbs(cs, o.Row, o.Places) {
		r.KL += (policy[i] - x) / float64(len(cs))
	}
}

// prefer makes preferences of the graded answers.
func (o *Online) prefer(r *Round) error {
	r.preferred = nil
	for _, t := range r.Tries {
		if p, ok := t.Preferred(); ok {
			r.preferred = append(r.preferred, p)
		}
	}
	if r.Pairs = len(r.preferred); r.Pairs == 0 {
		if r.Number == 0 {
			return errNothing(len(r.Tries))
		}
		r.next = func(int) []Preferred { return nil } // its steps change nothing
		return nil
	}
	r.next = Order(r.preferred, min(o.Batch, r.Pairs), o.Seed+uint64(r.Number))
	if o.needs(needsBaseline) {
		Mismatch(r.preferred, o.Row+1)
	}
	return o.refer(r)
}

// refer computes the log-probabilities under the reference, or takes those of the
// file.
func (o *Online) refer(r *Round) error {
	if !o.needs(needsReference) {
		return nil
	}
	if r.References == nil {
		var cs []Completion
		for _, p := range r.preferred {
			cs = append(cs, *p.Chosen, *p.Rejected)
		}
		for x := o.Reference.LogProbs(cs, o.Row, o.Places); len(x) > 0; x = x[2:] {
			r.References = append(r.References, [2]float64{x[0], x[1]})
		}
	}
	if len(r.References) != len(r.preferred) {
		return fmt.Errorf("%s: %d pairs and %d references: begin again in another --out", roundPath(o.Dir, r.Number), len(r.preferred), len(r.References))
	}
	for i, p := range r.preferred {
		p.Chosen.Reference, p.Rejected.Reference = &r.References[i][0], &r.References[i][1]
	}
	return nil
}

func (o *Online) stage(name string) func(done, total int) {
	return func(done, total int) {
		if o.Progress != nil {
			o.Progress(name, done, total)
		}
	}
}
