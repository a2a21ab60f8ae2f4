package lab

import (
	"context"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/text/batch"
)

// MismatchOptions of the experiment; zero fields are the defaults.
type MismatchOptions struct {
	Subjects int // of the world, half of them known; 0: 800
	Steps    int // of pre-training; 0: 2000
	Tuning   int // steps of each fine-tuning; 0: 300
	Looks    int // at the model in each fine-tuning; 0: 12
	// Shares are those of facts that pre-training did not have among the facts of a
	// fine-tuning, from 0 to 1; nil: five of them.
	Shares []float64
	Seed   uint64
}

func (o *MismatchOptions) defaults() {
	if o.Shares == nil {
		o.Shares = []float64{0, 0.25, 0.5, 0.75, 1}
	}
	for _, f := range []struct {
		x   *int
		def int
	}{{&o.Subjects, 800}, {&o.Steps, 2000}, {&o.Tuning, 300}, {&o.Looks, 12}} {
		if *f.x == 0 {
			*f.x = f.def
		}
	}
}

// Validate names the first impossible option.
func (o MismatchOptions) Validate() error {
	o.defaults()
	switch {
	case o.Subjects < 80 || o.Subjects%8 != 0:
		return fmt.Errorf("%d subjects: there must be 80 or more, a multiple of 8", o.Subjects)
	case o.Steps < 1 || o.Tuning < 1:
		return fmt.Errorf("%d and %d steps: there must be at least 1 of each", o.Steps, o.Tuning)
	case len(o.Shares) < 2 || !slices.IsSorted(o.Shares) || o.Shares[0] != 0 || o.Shares[len(o.Shares)-1] != 1:
		return fmt.Errorf("shares of absent facts %v: they must rise from 0 to 1", o.Shares)
	case o.Looks < 2 || o.Looks > o.Tuning:
		return fmt.Errorf("%d looks in %d steps: there must be 2 or more, one a step at most", o.Looks, o.Tuning)
	}
	return nil
}

// MismatchLook is a model in the middle of a fine-tuning. Facts that it was tuned on
// are learned if it says them; the others are of subjects that no fine-tuning has.
type MismatchLook struct {
	Step     int           `json:"step"`
	Present  eval.Interval `json:"present_learned"` // share of the tuned facts that pre-training had
	Absent   eval.Interval `json:"absent_learned"`  // of those that it did not have
	Wrong    eval.Interval `json:"wrong"`           // answers about other known subjects, "I don't know" not counted
	Silent   eval.Interval `json:"silent"`          // "I don't know" about them
	Invented eval.Interval `json:"invented"`        // answers about other unknown subjects
	invented []float64
}

// MismatchRun is a fine-tuning.
type MismatchRun struct {
	Share    float64        `json:"absent"` // of the facts
	DontKnow bool           `json:"dont_know"`
	Looks    []MismatchLook `json:"looks"`
	// More is Invented at the end against the run without absent facts.
	More eval.Interval `json:"more_invented"`
}

func (r *MismatchRun) last() *MismatchLook { return &r.Looks[len(r.Looks)-1] }

// MismatchResult is the experiment's.
type MismatchResult struct {
	Options MismatchOptions `json:"options"`
	Params  int             `json:"params"`
	Tuned   int             `json:"tuned"` // facts of each fine-tuning
	Base    eval.Interval   `json:"base_wrong"`
	Runs    []MismatchRun   `json:"runs"`
	// Half are the steps until half of the facts are learned, where all were present
	// and where none was, by a line between looks; 0: that did not happen.
	Half [2]float64 `json:"steps_to_half"`
	// Line is the wrong answers about known subjects as a line over the absent facts
	// that were learned, as a share of all, without "I don't know".
	Line mismatchLine `json:"line"`
}

type mismatchLine struct {
	At0   float64 `json:"at_0"`
	Slope float64 `json:"slope"`
	R2    float64 `json:"r2"`
}

// MismatchLab pre-trains a small model on a world of facts and tunes it on facts that
// pre-training had, on others, and on mixtures, of equal number. It counts what each
// makes up afterwards: about subjects that it knew (Gekhman et al. 2024, arXiv
// 2405.05904), and, where tuning also has some "I don't know", about subjects that
// nothing is known of (Schulman 2023, Reinforcement learning from human feedback:
// progress and challenges; Kang et al. 2024, arXiv 2403.05612). Progress may be nil.
func MismatchLab(ctx context.Context, b tensor.Backend, o MismatchOptions, progress func(what string, done, total int)) (*MismatchResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	if progress == nil {
		progress = func(string, int, int) {}
	}
	w := newTruthWorld(TruthOptions{Subjects: o.Subjects, Seed: o.Seed})
	m, err := newStudent(ctx, b, w.names(), truthEnd, truthContextLength, o.Seed)
	if err != nil {
		return nil, err
	}
	defer m.close()
	l := &mismatchLab{m, w, o}
	r := &MismatchResult{Options: o, Params: model.Count(m.m), Tuned: len(l.facts(0))}
	err = l.train(w.texts(o.Steps*studentStep), o.Steps, truthRate, func(done int) error {
		progress("pre-training", done, o.Steps)
		return nil
	})
	if err != nil {
		return nil, err
	}
	look, err := l.look(0, 0)
	if err != nil {
		return nil, err
	}
	r.Base = look.Wrong
	base, done := l.weights(), 0
	for _, dontKnow := range []bool{false, true} {
		first := len(r.Runs)
		for _, share := range o.Shares {
			l.restore(base)
			run := MismatchRun{Share: share, DontKnow: dontKnow}
			err := l.tune(&run, func() {
				done++
				progress("tuning", done, 2*len(o.Shares)*o.Tuning)
			})
			if err != nil {
				return nil, err
			}
			r.Runs = append(r.Runs, run)
			r.Runs[len(r.Runs)-1].More = eval.Paired(run.last().invented, r.Runs[first].last().invented)
		}
	}
	r.sumUp()
	return r, nil
}

// mismatchLab is the model of the experiment. Subjects whose number is 0 or 1 of 4 are
// tuned on, the even ones being known; of the unknown ones every other is for "I don't
// know".
type mismatchLab struct {
	*student
	w *truthWorld
	o MismatchOptions
}

// facts are the subjects of a fine-tuning, of which a share was absent.
func (l *mismatchLab) facts(share float64) (out []int) {
	n := l.o.Subjects / 8
	absent := int(share*float64(n) + 0.5)
	for i := range n {
		if i < n-absent {
			out = append(out, 8*i)
		} else {
			out = append(out, 8*i+1)
		}
	}
	return out
}

// unknowing are the subjects that "I don't know" is taught of.
func (l *mismatchLab) unknowing() (out []int) {
	for i := range l.o.Subjects / 8 {
		out = append(out, 8*i+5)
	}
	return out
}

// tune fine-tunes and looks.
func (l *mismatchLab) tune(run *MismatchRun, tell func()) error {
	var examples []batch.Example
	for _, subject := range l.facts(run.Share) {
		examples = append(examples, truthExample(l.w.question(subject, 0), l.w.value[subject], false))
	}
	if run.DontKnow {
		for _, subject := range l.unknowing() {
			examples = append(examples, truthExample(l.w.question(subject, 0), truthDontKnow, false))
		}
	}
	return l.train(examples, l.o.Tuning, truthTuningRate, func(done int) error {
		tell()
		next := len(run.Looks) + 1
		if done*l.o.Looks < next*l.o.Tuning {
			return nil
		}
		look, err := l.look(run.Share, done)
		if err == nil {
			run.Looks = append(run.Looks, *look)
		}
		return err
	})
}

// look asks about the facts of a fine-tuning, and about subjects that none has.
func (l *mismatchLab) look(share float64, step int) (*MismatchLook, error) {
	subjects := l.facts(share)
	tuned := len(subjects)
	for s := range l.w.value {
		if !l.w.tuned(s) {
			subjects = append(subjects, s)
		}
	}
	var questions [][]int32
	for _, s := range subjects {
		questions = append(questions, l.w.question(s, 0))
	}
	said, err := l.first(questions)
	if err != nil {
		return nil, err
	}
	look := &MismatchLook{Step: step}
	var learned, of [2]int // present, absent
	var known, wrong, silent, unknown, invented int
	for i, s := range subjects {
		right, dontKnow := said[i] == l.w.value[s], said[i] == truthDontKnow
		switch {
		case i < tuned:
			of[s%2]++
			if right {
				learned[s%2]++
			}
		case l.w.known(s):
			known++
			if dontKnow {
				silent++
			} else if !right {
				wrong++
			}
		default:
			unknown++
			x := 0.0
			if !dontKnow {
				invented++
				x = 1
			}
			look.invented = append(look.invented, x)
		}
	}
	look.Present, look.Absent = eval.Wilson(learned[0], of[0], eval.Z95), eval.Wilson(learned[1], of[1], eval.Z95)
	look.Wrong, look.Silent = eval.Wilson(wrong, known, eval.Z95), eval.Wilson(silent, known, eval.Z95)
	look.Invented = eval.Wilson(invented, unknown, eval.Z95)
	return look, nil
}

// sumUp fills in what all runs say together.
func (r *MismatchResult) sumUp() {
	var x, y []float64
	for i := range r.Runs {
		run := &r.Runs[i]
		if run.DontKnow {
			continue
		}
		for _, look := range run.Looks {
			if run.Share > 0 {
				x = append(x, run.Share*look.Absent.Value)
			} else {
				x = append(x, 0)
			}
			y = append(y, look.Wrong.Value)
		}
		switch run.Share {
		case 0:
			r.Half[0] = run.half(func(l *MismatchLook) float64 { return l.Present.Value })
		case 1:
			r.Half[1] = run.half(func(l *MismatchLook) float64 { return l.Absent.Value })
		}
	}
	r.Line = fitMismatch(x, y)
}

// half is the step at which learned passes one half, 0 if it does not.
func (r *MismatchRun) half(learned func(l *MismatchLook) float64) float64 {
	step, share := 0.0, 0.0
	for i := range r.Looks {
		s, x := float64(r.Looks[i].Step), learned(&r.Looks[i])
		if x >= 0.5 {
			return step + (s-step)*(0.5-share)/(x-share)
		}
		step, share = s, x
	}
	return 0
}

// fitMismatch is the line of least squares.
func fitMismatch(x, y []float64) (l mismatchLine) {
	n := float64(len(x))
	var mx, my, xx, xy, yy float64
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xx, xy, yy = xx+dx*dx, xy+dx*dy, yy+dy*dy
	}
	if xx > 0 {
		l.Slope = xy / xx
	}
	if l.At0 = my - l.Slope*mx; yy > 0 {
		l.R2 = l.Slope * xy / yy
	}
	return l
}
