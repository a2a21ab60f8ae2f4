package lab

import (
	"context"
	"fmt"
	"strings"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/generate/trust"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

// knowledge is what the training data tells of a subject.
type knowledge int

const (
	sure    knowledge = iota // the truth, nearly always
	doubt                    // the truth half of the time
	guess                    // every answer equally often
	mistake                  // one wrong answer, nearly always
)

// fact is a subject, where it really is, and what the data says: the place said with
// share most, all others equally often.
type fact struct {
	kind        knowledge
	truth, said int
	most        float64
}

// trustPlaces is how many answers there are.
const trustPlaces = 12

// The ids: these, then wordings, places, subjects.
const (
	trustBOS = iota
	trustEnd
	trustAsk
	trustYes
	trustNo
	trustWording
)

// wordings are ways to say where a subject lives.
var wordings = []func(subject, place string) string{
	func(s, p string) string { return "The home of " + s + " is " + p + "." },
	func(s, p string) string { return s + " lives in " + p + "." },
	func(s, p string) string { return "In " + p + " lives " + s + "." },
}

type trustWorld struct {
	facts []fact
	seed  uint64
}

// newTrustWorld makes facts: of 20, 8 sure, 4 in doubt, 5 unknown and 3 mistaken.
func newTrustWorld(n int, seed uint64) *trustWorld {
	w := &trustWorld{make([]fact, n), seed}
	stream := rng.Stream("lab: trust facts")
	for i := range w.facts {
		x := rng.Block(seed, stream, uint64(i))
		f := &w.facts[i]
		f.truth = int(x[0] % trustPlaces)
		f.said = f.truth
		switch k := i % 20; {
		case k < 8:
			f.kind, f.most = sure, 0.95
		case k < 12:
			f.kind, f.most = doubt, 0.5
		case k < 17:
			f.kind, f.most = guess, 1./trustPlaces
		default:
			f.kind, f.most = mistake, 0.95
			f.said = (f.truth + 1 + int(x[1]%(trustPlaces-1))) % trustPlaces
		}
	}
	return w
}

// share is how often the data says place of a subject; 0 for no place.
func (w *trustWorld) share(subject, place int) float64 {
	f := &w.facts[subject]
	switch place {
	case -1:
		return 0
	case f.said:
		return f.most
	}
	return (1 - f.most) / (trustPlaces - 1)
}

// draw is a place as the data says it, from a number in [0, 1).
func (w *trustWorld) draw(subject int, u float64) int {
	f := &w.facts[subject]
	if u < f.most {
		return f.said
	}
	k := min(int((u-f.most)/(1-f.most)*(trustPlaces-1)), trustPlaces-2)
	if k >= f.said {
		k++
	}
	return k
}

// expected is the share of right answers of one who answers as the data does, and the
// AUROC of the share that the data gives an answer.
func (w *trustWorld) expected() (right, auroc float64) {
	type part struct{ score, right, wrong float64 }
	byShare := map[float64]*part{}
	for i := range w.facts {
		for p := range trustPlaces {
			s := w.share(i, p)
			if byShare[s] == nil {
				byShare[s] = &part{score: s}
			}
			if p == w.facts[i].truth {
				byShare[s].right += s / float64(len(w.facts))
			} else {
				byShare[s].wrong += s / float64(len(w.facts))
			}
		}
	}
	var wrong float64
	for _, a := range byShare {
		right, wrong = right+a.right, wrong+a.wrong
		for _, b := range byShare {
			switch {
			case a.score < b.score:
				auroc += a.wrong * b.right
			case a.score == b.score:
				auroc += a.wrong * b.right / 2
			}
		}
	}
	return right, auroc / right / wrong
}

func (w *trustWorld) vocab() int { return trustWording + len(wordings) + trustPlaces + len(w.facts) }

func wordingID(k int) int32 { return int32(trustWording + k) }
func placeID(p int) int32   { return int32(trustWording + len(wordings) + p) }
func subjectID(s int) int32 { return int32(trustWording + len(wordings) + trustPlaces + s) }

// example is text k of training: a sentence, or a sentence and whether it is so, which
// is whether the data says it another time.
func (w *trustWorld) example(k uint64) batch.Example {
	x, y := rng.Block(w.seed, rng.Stream("lab: trust texts"), k), rng.Block(w.seed, rng.Stream("lab: trust questions"), k)
	unit := func(v uint32) float64 { return float64(v) / (1 << 32) }
	s := int(uint64(x[0]) * uint64(len(w.facts)) >> 32)
	place := w.draw(s, unit(x[1]))
	ids := []int32{trustBOS, subjectID(s), wordingID(int(x[2] % uint32(len(wordings))))}
	if x[3]%2 == 0 {
		return batch.Example{IDs: append(ids, placeID(place), trustEnd), Train: []bool{false, false, true, true, true}}
	}
	asked := place
	if y[0]%2 == 0 {
		asked = int(y[1] % trustPlaces)
	}
	verdict := int32(trustNo)
	if w.draw(s, unit(y[2])) == asked {
		verdict = trustYes
	}
	return batch.Example{IDs: append(ids, placeID(asked), trustAsk, verdict), Train: []bool{false, false, false, false, false, true}}
}

// trustModel is a model of the world.
type trustModel struct {
	w      *trustWorld
	e      *generate.Engine
	free   func()
	params int
}

func (m *trustModel) close() {
	m.e.Close()
	m.free()
}

// trustStep is the texts of a step.
const trustStep = 128

// train trains a model on the world's texts.
func (w *trustWorld) train(ctx context.Context, b tensor.Backend, o TrustOptions, progress func(done, total int)) (*trustModel, error) {
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 48, Heads: 2, Vocab: w.vocab(), Context: 8, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		return nil, err
	}
	free := func() { model.Release(b, m.Params()) }
	m.Init(b, o.Seed)
	err = func() error {
		t, err := train.New(b, m.Params(), m.Unembedding(), train.Options{
			Optimizer: optim.Options{Name: "adamw"},
			Schedule:  optim.Schedule{Kind: "cosine", Peak: 6e-3, Warmup: o.Steps / 20, Steps: o.Steps},
		})
		if err != nil {
			return err
		}
		defer t.Close()
		for step := range o.Steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			if progress != nil {
				progress(step, o.Steps)
			}
			texts := make([]batch.Example, trustStep)
			for i := range texts {
				texts[i] = w.example(uint64(step*trustStep + i))
			}
			lay, _ := batch.Lay(texts, 5)
			if _, err := t.StepOn(train.Language(m, lay)); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		free()
		return nil, err
	}
	return &trustModel{w, generate.New(b, m, make([][]byte, w.vocab())), free, model.Count(m)}, nil
}

// reply is the model's answer about a subject and what was measured of it.
type reply struct {
	subject           int
	answer            int // place, -1: none
	right, rightAgain bool
	// confidence of the answer, and of the one that comes next if that is not given.
	confidence [2]trust.Confidence
	overlap    float64 // semantic entropy by overlap of texts
}

// subjectName is a made-up name.
func subjectName(s int) string {
	const first, vowels, last = "bdfgklmnprstvz", "aeiou", "lmnrst"
	var b strings.Builder
	b.WriteString(strings.ToUpper(first[s%14 : s%14+1]))
	b.WriteByte(vowels[s/14%5])
	b.WriteByte(last[s/70%6])
	b.WriteByte(vowels[s/420%5])
	b.WriteByte(last[s/2100%6])
	b.WriteString("an")
	return b.String()
}

// placeNames are the answers.
var placeNames = [trustPlaces]string{"Kavo", "Lutem", "Mirri", "Nostra", "Opalo", "Pyre", "Quarz", "Rhyn", "Sanu", "Tobay", "Ulmen", "Vist"}

// read turns the ids of an answer into a place, -1 for none, and a text.
func (w *trustWorld) read(subject int, ids []int32) (place int, text string) {
	if len(ids) != 2 || ids[0] < wordingID(0) || ids[0] >= placeID(0) || ids[1] < placeID(0) || ids[1] >= subjectID(0) {
		return -1, fmt.Sprint("Nothing ", len(ids), " about ", subjectName(subject), ".")
	}
	place = int(ids[1] - placeID(0))
	return place, wordings[ids[0]-wordingID(0)](subjectName(subject), placeNames[place])
}

// ask draws answers about every subject and measures the first.
func (m *trustModel) ask(ctx context.Context, o TrustOptions) ([]reply, error) {
	var out []reply
	for s := range m.w.facts {
		requests := make([]generate.Request, o.Samples+1)
		for i := range requests {
			requests[i] = generate.Request{Prompt: []int32{trustBOS, subjectID(s)}, Options: generate.Options{
				Sample: sample.Options{Temperature: 1, Seed: o.Seed}, MaxTokens: 4, StopIDs: []int32{trustEnd}, Stream: uint64(s*(o.Samples+1) + i),
			}}
		}
		results, err := m.e.GenerateAll(ctx, requests, nil)
		if err != nil {
			return nil, err
		}
		r, err := m.measure(ctx, s, results)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// measure looks at the first of the answers about a subject, beside the others.
func (m *trustModel) measure(ctx context.Context, s int, results []*generate.Result) (reply, error) {
	places, texts, names := make([]int, len(results)), make([]string, len(results)), make([]string, len(results))
	for i, x := range results {
		if places[i], texts[i] = m.w.read(s, x.IDs); places[i] >= 0 {
			names[i] = placeNames[places[i]]
		}
	}
	truth := m.w.facts[s].truth
	r := reply{subject: s, answer: places[0], right: places[0] == truth, rightAgain: places[1] == truth}
	clusters := trust.ByAnswer(names)
	entropy, p := trust.SemanticEntropy(clusters, nil), 0.0
	r.overlap = trust.SemanticEntropy(trust.ByOverlap(texts, 1, 0.9), nil)
	for i := range r.confidence {
		agreement := trust.Agreement(clusters, i)
		r.confidence[i].Agreement, r.confidence[i].SemanticEntropy = &agreement, &entropy
	}
	c := &r.confidence[0]
	c.SelfCheck = trust.SelfCheck(texts[0], texts[1:], 1)
	c.Claims = trust.Ground(texts[0], m.w.context(s))
	prompt := []int32{trustBOS, subjectID(s)}
	ids := append(append([]int32{}, prompt...), results[0].IDs...)
	var err error
	if c.Tokens, err = trust.ReadTokens(ctx, m.e, append(ids[:len(ids):len(ids)], trustEnd), len(prompt)); err != nil {
		return r, err
	}
	p, _, err = trust.PTrue(ctx, m.e, append(ids[:len(ids):len(ids)], trustAsk), []int32{trustYes}, []int32{trustNo})
	c.PTrue = &p
	return r, err
}

// context is a text about some subjects, with the truth about nine of ten of those
// that are asked about.
func (w *trustWorld) context(subject int) string {
	var b strings.Builder
	stream := rng.Stream("lab: trust context")
	for i := range 8 {
		s := subject
		if i != 3 || subject%10 == 9 {
			s = (subject + 1 + i + rng.Intn(w.seed, stream, uint64(subject), len(w.facts)-10)) % len(w.facts)
		}
		b.WriteString(wordings[(subject+i)%len(wordings)](subjectName(s), placeNames[w.facts[s].truth]))
		b.WriteByte(' ')
	}
	return b.String()
}
