package lab

import (
	"context"
	"fmt"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// TruthOptions of the experiment; zero fields are the defaults.
type TruthOptions struct {
	Subjects int // of the world, half of them known; 0: 1000
	Steps    int // of pre-training; 0: 3000
	Tuning   int // steps of each fine-tuning; 0: 300
	Asked    int // times that each question is asked; 0: 8
	Seed     uint64
}

func (o *TruthOptions) defaults() {
	if o.Subjects == 0 {
		o.Subjects = 1000
	}
	if o.Steps == 0 {
		o.Steps = 3000
	}
	if o.Tuning == 0 {
		o.Tuning = 300
	}
	if o.Asked == 0 {
		o.Asked = 8
	}
}

// Validate names the first impossible option.
func (o TruthOptions) Validate() error {
	o.defaults()
	if o.Subjects < 40 || o.Steps < 1 || o.Tuning < 1 || o.Asked < 2 {
		return fmt.Errorf("%d subjects, %d and %d steps, %d questions: at least 40, 1, 1 and 2", o.Subjects, o.Steps, o.Tuning, o.Asked)
	}
	return nil
}

// Truthfulness is what a model says of subjects that it was not tuned on.
type Truthfulness struct {
	Name     string        `json:"name"`
	Known    eval.Interval `json:"known"`           // right answers about known subjects
	Abstains eval.Interval `json:"abstains"`        // "I don't know" about unknown ones
	Invented eval.Interval `json:"invented"`        // wrong answers about unknown ones
	Silent   eval.Interval `json:"silent"`          // "I don't know" about known ones
	Obeys    eval.Interval `json:"obeys"`           // the answer of a context that contradicts memory
	Reads    eval.Interval `json:"reads"`           // the answer of a context about an unknown subject
	Fewer    eval.Interval `json:"invented_change"` // Invented against tuning on answers alone, question by question
	invented []float64
}

// TruthResult is the experiment's.
type TruthResult struct {
	Params  int                     `json:"params"`
	Options TruthOptions            `json:"options"`
	Found   map[posttrain.Knows]int `json:"found"` // what asking the model says of the subjects to tune on
	// Right is the share of these whose state, known or unknown, is the planted one.
	Right float64        `json:"found_rightly"`
	Rows  []Truthfulness `json:"rows"`
}

// The words of the world: the signs, the values, and then the subjects. A question is
// "question subject answer", a context before it "context subject value".
const (
	truthQuestion = iota
	truthAnswer
	truthContext
	truthEnd
	truthDontKnow
	truthSigns
)

// truthValues is the number of values, one of which is true of each subject.
const truthValues = 40

// truthContextLength is the tokens that a model sees.
const truthContextLength = 8

// truthWorld is subjects with a value each. Those of even number are known: texts say
// their value. Of the others texts say one value or another.
type truthWorld struct {
	o     TruthOptions
	value []int32
}

func newTruthWorld(o TruthOptions) *truthWorld {
	w := &truthWorld{o: o}
	for i := range o.Subjects {
		w.value = append(w.value, w.draw("values", i))
	}
	return w
}

func (w *truthWorld) draw(stream string, i int) int32 {
	return truthSigns + int32(rng.Intn(w.o.Seed, rng.Stream("lab: truth: "+stream), uint64(i), truthValues))
}

// other is a value that is not the subject's.
func (w *truthWorld) other(stream string, subject int) int32 {
	v := w.draw(stream, subject)
	if v == w.value[subject] {
		v = truthSigns + (v-truthSigns+1)%truthValues
	}
	return v
}

func (w *truthWorld) known(subject int) bool { return subject%2 == 0 }

// tuned says whether a subject is tuned on; the rest are tested.
func (w *truthWorld) tuned(subject int) bool { return subject%4 < 2 }

// question asks about a subject, after a context if its value is not 0.
func (w *truthWorld) question(subject int, context int32) []int32 {
	s := truthSigns + truthValues + int32(subject)
	q := []int32{truthQuestion, s, truthAnswer}
	if context != 0 {
		q = append([]int32{truthContext, s, context}, q...)
	}
	return q
}

// example is a question with its answer, of which the answer is learned; in
// pre-training all is.
func truthExample(question []int32, answer int32, all bool) batch.Example {
	e := batch.Example{IDs: append(question[:len(question):len(question)], answer, truthEnd)}
	for i := range e.IDs {
		e.Train = append(e.Train, all || i >= len(question))
	}
	return e
}

// texts are those of pre-training: about known subjects always the same, about the
// others a value drawn anew. A quarter begin with a context that says it too, and a few
// of those about known subjects with one that says something else and is not heeded:
// such a model learns to read, and to trust its memory more.
func (w *truthWorld) texts(n int) (out []batch.Example) {
	for i := range n {
		subject := i % w.o.Subjects
		value, context := w.value[subject], int32(0)
		if !w.known(subject) {
			value = w.draw("rumours", i)
		}
		switch at := rng.Intn(w.o.Seed, rng.Stream("lab: truth: contexts"), uint64(i), 64); {
		case at < 16:
			context = value
		case at < 17 && w.known(subject):
			context = w.other(fmt.Sprint("false contexts ", i), subject)
		}
		out = append(out, truthExample(w.question(subject, context), value, true))
	}
	return out
}

// names are the words as text.
func (w *truthWorld) names() [][]byte {
	out := make([][]byte, truthSigns+truthValues+w.o.Subjects)
	for i := range out {
		out[i] = fmt.Appendf(nil, " w%d", i)
	}
	out[truthEnd] = nil
	return out
}

// TruthfulnessLab pre-trains a small model on a world of facts, of which it can know
// half, and tunes it in three ways: on answers alone, with "I don't know" for what it
// turns out not to know, and with contexts that contradict its memory besides. It
// measures all on other subjects. Progress may be nil.
func TruthfulnessLab(ctx context.Context, b tensor.Backend, o TruthOptions, progress func(what string, done, total int)) (*TruthResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	if progress == nil {
		progress = func(string, int, int) {}
	}
	w := newTruthWorld(o)
	m, err := newStudent(ctx, b, w.names(), truthEnd, truthContextLength, o.Seed)
	if err != nil {
		return nil, err
	}
	defer m.close()
	l := &truthLab{m, w}
	r := &TruthResult{Options: o, Params: model.Count(m.m)}
	tell := func(what string, of int) func(done int) error {
		return func(done int) error {
			progress(what, done, of)
			return nil
		}
	}
	err = l.train(w.texts(o.Steps*studentStep), o.Steps, truthRate, tell("pre-training", o.Steps))
	if err != nil {
		return nil, err
	}
	base := l.weights()
	states, err := l.ask(r)
	if err != nil {
		return nil, err
	}
	row, err := l.measure("base")
	if err != nil {
		return nil, err
	}
	r.Rows = append(r.Rows, *row)
	for _, way := range []struct {
		name              string
		dontKnow, counter bool
	}{{"answers", false, false}, {"answers, \"I don't know\"", true, false}, {"answers, \"I don't know\", counterfactual contexts", true, true}} {
		l.restore(base)
		err := l.train(w.demonstrations(states, way.dontKnow, way.counter), o.Tuning, truthTuningRate, tell("tuning: "+way.name, o.Tuning))
		if err != nil {
			return nil, err
		}
		if row, err = l.measure(way.name); err != nil {
			return nil, err
		}
		if len(r.Rows) > 1 {
			row.Fewer = eval.Paired(row.invented, r.Rows[1].invented)
		}
		r.Rows = append(r.Rows, *row)
	}
	return r, nil
}

// demonstrations are those of a fine-tuning about the subjects to tune on: each question
// alone, and with a context. Without dontKnow the true answer is taught to what is
// unknown, too. Contexts say what is true, of known subjects; with counter they say
// something else, of all.
func (w *truthWorld) demonstrations(states map[int]posttrain.Knows, dontKnow, counter bool) (out []batch.Example) {
	for subject := range w.value {
		state, tuned := states[subject]
		if !tuned {
			continue
		}
		answer := w.value[subject]
		switch {
		case state == posttrain.Unknown && dontKnow:
			answer = truthDontKnow
		case state != posttrain.Unknown && state != posttrain.Known && dontKnow:
			continue
		}
		for k := range truthContexts {
			out = append(out, truthExample(w.question(subject, 0), answer, false))
			switch v := w.other(fmt.Sprint("counterfactual ", k), subject); {
			case counter:
				out = append(out, truthExample(w.question(subject, v), v, false))
			case state == posttrain.Known:
				out = append(out, truthExample(w.question(subject, w.value[subject]), w.value[subject], false))
			}
		}
	}
	return out
}

// truthContexts is the examples of a subject with a context, counterfactual ones each
// with a value drawn anew.
const truthContexts = 8

// The learning rates of pre-training and tuning.
const truthRate, truthTuningRate = 4e-3, 4e-4

// truthLab is the experiment with its model.
type truthLab struct {
	*student
	w *truthWorld
}

// ask finds out what the model knows of the subjects to tune on.
func (l *truthLab) ask(r *TruthResult) (map[int]posttrain.Knows, error) {
	var questions [][]int32
	var of []int
	for subject := range l.w.value {
		if l.w.tuned(subject) {
			questions, of = append(questions, l.w.question(subject, 0)), append(of, subject)
		}
	}
	all, err := l.replies(questions, l.w.o.Asked, 1, 1)
	if err != nil {
		return nil, err
	}
	names, states := l.w.names(), map[int]posttrain.Knows{}
	r.Found = map[posttrain.Knows]int{}
	for i, subject := range of {
		f := posttrain.Fact{Answer: string(names[l.w.value[subject]])}
		k := posttrain.KnowledgeOptions{}.Of(&f, tries(all[i*l.w.o.Asked:(i+1)*l.w.o.Asked])).State
		states[subject] = k
		r.Found[k]++
		if l.w.known(subject) && k == posttrain.Known || !l.w.known(subject) && k == posttrain.Unknown {
			r.Right += 1 / float64(len(of))
		}
	}
	return states, nil
}

// tries are answers as the finding of knowledge takes them.
func tries(results []*generate.Result) (out []*posttrain.Try) {
	for _, r := range results {
		t := &posttrain.Try{IDs: r.IDs, Text: r.Text}
		for _, x := range r.LogProbs {
			t.LogProb += x
		}
		out = append(out, t)
	}
	return out
}

// measure asks about the subjects that were not tuned on, each question once, and
// takes the most probable answer.
func (l *truthLab) measure(name string) (*Truthfulness, error) {
	var questions [][]int32
	var subjects []int
	for subject := range l.w.value {
		if !l.w.tuned(subject) {
			questions = append(questions, l.w.question(subject, 0), l.w.question(subject, l.w.other("test contexts", subject)))
			subjects = append(subjects, subject)
		}
	}
	said, err := l.first(questions)
	if err != nil {
		return nil, err
	}
	var known, right, silent, obeys, unknown, abstains, invented, reads int
	t := &Truthfulness{Name: name}
	count := func(n *int, is bool) {
		if is {
			*n++
		}
	}
	for i, subject := range subjects {
		plain, read := said[2*i], said[2*i+1] == l.w.other("test contexts", subject)
		if l.w.known(subject) {
			known++
			count(&right, plain == l.w.value[subject])
			count(&silent, plain == truthDontKnow)
			count(&obeys, read)
			continue
		}
		unknown++
		wrong := plain != truthDontKnow && plain != l.w.value[subject]
		count(&abstains, plain == truthDontKnow)
		count(&invented, wrong)
		count(&reads, read)
		x := 0.0
		if wrong {
			x = 1
		}
		t.invented = append(t.invented, x)
	}
	t.Known, t.Silent, t.Obeys = eval.Wilson(right, known, eval.Z95), eval.Wilson(silent, known, eval.Z95), eval.Wilson(obeys, known, eval.Z95)
	t.Abstains, t.Invented, t.Reads = eval.Wilson(abstains, unknown, eval.Z95), eval.Wilson(invented, unknown, eval.Z95), eval.Wilson(reads, unknown, eval.Z95)
	return t, nil
}
