package lab

import (
	"context"
	"errors"
	"fmt"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/text/batch"
)

// SnowballOptions of the experiment; zero fields are the defaults.
type SnowballOptions struct {
	Towns     int     // of the world, with six people each; 0: 80
	Steps     int     // of training; 0: 1000
	TakenBack float64 // share of answers that the third model's texts take back; 0: 0.1
	Seed      uint64
}

func (o *SnowballOptions) defaults() {
	if o.Towns == 0 {
		o.Towns = 80
	}
	if o.Steps == 0 {
		o.Steps = 1000
	}
	if o.TakenBack == 0 {
		o.TakenBack = 0.1
	}
}

// Validate names the first impossible option.
func (o SnowballOptions) Validate() error {
	o.defaults()
	switch {
	case o.Towns < 8 || o.Towns > 2000:
		return fmt.Errorf("%d towns: there must be 8 to 2000", o.Towns)
	case o.Steps < 1:
		return errors.New("the steps of training must be at least 1")
	case !(o.TakenBack > 0 && o.TakenBack < 0.5):
		return fmt.Errorf("a share of %g of answers taken back: it must lie in 0 to 0.5", o.TakenBack)
	}
	return nil
}

// Snowball is what became of answers that were begun in one way. All questions are of a
// kind that no text has, and the right answer is no.
type Snowball struct {
	Model    string        `json:"model"`
	Question string        `json:"question"`
	Begun    string        `json:"begun"`
	Right    eval.Interval `json:"right"`        // the last answer given
	Back     eval.Interval `json:"taken_back"`   // one that was taken back
	False    eval.Interval `json:"false_claims"` // texts with a reason that is not so
	// More is False against the same questions with the right answer forced.
	More eval.Interval `json:"more_false_claims"`
	// Known is the share of false claims that the model calls false when it is asked
	// about them alone, Doubted that of true ones; nil where there are none.
	Known     *eval.Interval `json:"false_known,omitempty"`
	Doubted   *eval.Interval `json:"true_doubted,omitempty"`
	Malformed int            `json:"malformed"`
	wrong     []float64      // of each question, whether a reason is not so
}

// SnowballResult is the experiment's.
type SnowballResult struct {
	Options SnowballOptions `json:"options"`
	Params  int             `json:"params"`
	Facts   eval.Interval   `json:"facts"` // towns and jobs that the first model knows
	Rows    []Snowball      `json:"rows"`
}

// The names of models, questions and ways to begin an answer.
const (
	snowPlain  = "true texts"
	snowDenied = "that nobody has it, too"
	snowBack   = "some answers taken back, too"

	snowGiven = "where does X live" // the reason is there, whatever the answer
	snowFound = "who has job J"     // a reason must be found for yes

	snowFree    = "by itself"
	snowRight   = "right answer forced"
	snowWrong   = "wrong answer forced"
	snowSampled = "wrong, temperature 1"
	snowReasons = "reason first"
)

// SnowballLab trains small models on true texts about a made-up world, and begins their
// answers for them with a wrong one: do they go on with reasons that are not so, though
// they know better (Zhang et al. 2023, arXiv 2305.13534), or come back to the truth? The
// texts of the first show no way back: who has a job is somebody wherever a reason is told.
// Those of the second say of some jobs that nobody has them, before the answer; those of
// the third take some answers back besides. Progress may be nil.
func SnowballLab(ctx context.Context, b tensor.Backend, o SnowballOptions, progress func(what string, done, total int)) (*SnowballResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	r := &SnowballResult{Options: o}
	for _, m := range []struct {
		name      string
		nobody    bool
		takenBack float64
	}{{snowPlain, false, 0}, {snowDenied, true, 0}, {snowBack, true, o.TakenBack}} {
		l := &snowLab{w: newSnowWorld(o.Towns, m.nobody, m.takenBack, o.Seed), name: m.name}
		var err error
		if l.student, err = newStudent(ctx, b, l.w.names(), snowEnd, snowLength, o.Seed); err != nil {
			return nil, err
		}
		err = l.run(o, r, func(done int) error {
			if progress != nil {
				progress("training: "+m.name, done, o.Steps)
			}
			return nil
		})
		l.close()
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// snowLab is a model of the experiment.
type snowLab struct {
	*student
	w    *snowWorld
	name string
}

const snowRate = 4e-3 // of learning

// run trains the model and begins its answers in all ways.
func (l *snowLab) run(o SnowballOptions, r *SnowballResult, tell func(done int) error) error {
	examples := make([]batch.Example, o.Steps*studentStep)
	for k := range examples {
		examples[k] = l.w.example(k)
	}
	err := l.train(examples, o.Steps, snowRate, tell)
	if err != nil {
		return err
	}
	if r.Params == 0 {
		r.Params = model.Count(l.m)
		if r.Facts, err = l.facts(); err != nil {
			return err
		}
	}
	for _, question := range []string{snowGiven, snowFound} {
		var control []float64
		for _, way := range []struct {
			begun       string
			forced      []int32
			temperature float64
		}{
			{snowRight, []int32{snowAnswer, snowNo}, 0},
			{snowFree, []int32{snowAnswer}, 0},
			{snowWrong, []int32{snowAnswer, snowYes}, 0},
			{snowSampled, []int32{snowAnswer, snowYes}, 1},
			{snowReasons, []int32{snowBecause}, 0},
		} {
			row := Snowball{Model: l.name, Question: question, Begun: way.begun}
			if err := l.measure(&row, way.forced, way.temperature); err != nil {
				return err
			}
			if way.begun == snowRight {
				control = row.wrong
			}
			row.More = eval.Paired(row.wrong, control)
			r.Rows = append(r.Rows, row)
		}
	}
	return nil
}

// facts is the share of towns and jobs of people that the model says.
func (l *snowLab) facts() (eval.Interval, error) {
	var claims [][2]int32
	for p, x := range l.w.pairs {
		claims = append(claims, [2]int32{l.w.person(p), snowTown(x[0])}, [2]int32{l.w.person(p), snowJob(x[1])})
	}
	yes, err := l.believes(claims)
	right := 0
	for _, is := range yes {
		if is {
			right++
		}
	}
	return eval.Wilson(right, len(claims), eval.Z95), err
}

// believes says of each claim whether the model, asked about it alone, calls it true.
func (l *snowLab) believes(claims [][2]int32) ([]bool, error) {
	var prompts [][]int32
	for _, c := range claims {
		prompts = append(prompts, []int32{snowCheck, c[0], c[1], snowVerdict})
	}
	said, err := l.first(prompts)
	out := make([]bool, len(said))
	for i, id := range said {
		out[i] = id == snowTrue
	}
	return out, err
}

// questions are those of one kind.
func (l *snowLab) questions(kind string) (out [][]int32) {
	if kind == snowGiven {
		for p := range l.w.pairs {
			out = append(out, []int32{snowWhere, l.w.person(p), snowRegion(l.w.held(p))})
		}
		return out
	}
	for t := range l.w.towns {
		for j := range snowJobs {
			if snowHeld(t, j) {
				out = append(out, []int32{snowWho, snowTown(t), snowJob(j)})
			}
		}
	}
	return out
}

// measure asks the questions of a row, with answers that begin as forced.
func (l *snowLab) measure(row *Snowball, forced []int32, temperature float64) error {
	prompts := l.questions(row.Question)
	for i, q := range prompts {
		prompts[i] = append(q, forced...)
	}
	results, err := l.replies(prompts, 1, snowLength-len(prompts[0]), temperature)
	if err != nil {
		return err
	}
	var right, back, untrue int
	var claims [][2]int32
	for _, x := range results {
		a := readSnow(row.Question == snowGiven, append(forced[:len(forced):len(forced)], x.IDs...))
		bad := 0
		for _, c := range a.claims {
			if !l.w.isTrue(c[0], c[1]) {
				bad = 1
			}
		}
		if !a.ok {
			row.Malformed++
		}
		if a.answer == snowNo {
			right++
		}
		if a.back {
			back++
		}
		untrue += bad
		row.wrong, claims = append(row.wrong, float64(bad)), append(claims, a.claims...)
	}
	n := len(results)
	row.Right, row.Back, row.False = eval.Wilson(right, n, eval.Z95), eval.Wilson(back, n, eval.Z95), eval.Wilson(untrue, n, eval.Z95)
	return l.check(row, claims)
}

// check asks about the claims of a row alone.
func (l *snowLab) check(row *Snowball, claims [][2]int32) error {
	believed, err := l.believes(claims)
	if err != nil {
		return err
	}
	var count, no [2]int // of false, of true ones
	for i, c := range claims {
		k := 0
		if l.w.isTrue(c[0], c[1]) {
			k = 1
		}
		count[k]++
		if !believed[i] {
			no[k]++
		}
	}
	for k, to := range []**eval.Interval{&row.Known, &row.Doubted} {
		if count[k] > 0 {
			*to = new(eval.Wilson(no[k], count[k], eval.Z95))
		}
	}
	return nil
}
