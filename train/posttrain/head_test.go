package posttrain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/tensor/ref"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

// someJudgements are n units for a loss, with random ids.
func someJudgements(loss HeadLoss, n int) []Judgement {
	text := func(i, k uint64) []int32 {
		ids := make([]int32, 3+rng.Intn(1, i, k, 5))
		for j := range ids {
			ids[j] = int32(rng.Intn(2, 2*i+k, uint64(j), tinyVocab))
		}
		return ids
	}
	out := make([]Judgement, n)
	for i := range out {
		at := uint64(i)
		j := Judgement{Texts: [][]int32{text(at, 0)}}
		switch loss {
		case BradleyTerry:
			j.Texts, j.Margin = append(j.Texts, text(at, 1)), rng.Float64(3, 1, at)
		case Regression:
			j.Score = rng.Normal(3, 2, at)
		case Process:
			j.At, j.Right = []int{0, 2}, []bool{i%2 == 0, i%3 == 0}
		case Classes:
			j.Class = i % 3
		}
		out[i] = j
	}
	return out
}

// plainScores are those of one text after a token, from a pass over it alone.
func plainScores(m model.Model, head *model.Head, ids []int32, at int) []float64 {
	p := op.NewPass(ref.New(), op.Options{})
	defer p.Close()
	h := tensor.Row[float64](m.Hidden(p, &model.Input{B: 1, T: len(ids), IDs: ids, Pos: model.Positions(0, len(ids))}).T, at)
	out := make([]float64, head.Scores())
	for k := range out {
		for c, x := range h {
			out[k] += x * tensor.Row[float64](head.W.T, k)[c]
		}
	}
	return out
}

// plainHeadLoss is the mean over units, from the papers.
func plainHeadLoss(m model.Model, head *model.Head, loss HeadLoss, centring float64, items []Judgement) float64 {
	var sum, units float64
	for _, j := range items {
		last := func(k int) []float64 { return plainScores(m, head, j.Texts[k], len(j.Texts[k])-1) }
		switch loss {
		case BradleyTerry:
			c, r := last(0)[0], last(1)[0]
			sum += -math.Log(plainSigmoid(c-r-j.Margin)) + centring*(c+r)*(c+r)
			units++
		case Regression:
			sum += math.Pow(last(0)[0]-j.Score, 2)
			units++
		case Process:
			for k, at := range j.At {
				p := plainSigmoid(plainScores(m, head, j.Texts[0], at)[0])
				if !j.Right[k] {
					p = 1 - p
				}
				sum -= math.Log(p)
				units++
			}
		case Classes:
			var z float64
			x := last(0)
			for _, v := range x {
				z += math.Exp(v)
			}
			sum += math.Log(z) - x[j.Class]
			units++
		}
	}
	return sum / units
}

// TestHeadStep compares the loss of a step of two micro-batches with plain sums,
// and its gradient with their central differences, for the head and for the model.
func TestHeadStep(t *testing.T) {
	for _, loss := range []HeadLoss{BradleyTerry, Regression, Process, Classes} {
		for _, frozen := range []bool{false, true} {
			t.Run(fmt.Sprint(loss, " frozen=", frozen), func(t *testing.T) {
				b := ref.New()
				m := tiny(t, b, 5)
				n := 1
				if loss == Classes {
					n = 3
				}
				head := model.NewHead(b, m, n)
				head.Init(b, 3)
				params := head.Params()
				h := Heads{Model: m, Head: head, Loss: loss, Centring: 0.1, Row: 20, Places: 30}
				if frozen {
					h.Features = op.NewPass(b, op.Options{})
				} else {
					params = append(params, m.Params()...)
				}
				tr, err := train.New(b, params, nil, train.Options{Schedule: optim.Schedule{Peak: 1, Steps: 1}})
				if err != nil {
					t.Fatal(err)
				}
				defer tr.Close()
				items := someJudgements(loss, 6)
				for _, j := range items {
					if err := h.Check(j); err != nil {
						t.Fatal(err)
					}
				}
				micro := h.Micro(items)
				if len(micro) < 2 {
					t.Fatalf("%d micro-batches, want several", len(micro))
				}
				got, _ := tr.Accumulate(micro)
				if want := plainHeadLoss(m, head, loss, 0.1, items); math.Abs(got-want) > 1e-6 {
					t.Errorf("loss %.8f, want %.8f", got, want)
				}
				for _, w := range params {
					data, grad := tensor.Data[float64](w.T), tensor.Data[float64](w.Grad)
					if w.Fresh { // the unembedding has no part in it
						continue
					}
					for i := 0; i < len(data); i += 1 + len(data)/7 {
						const step = 1e-5
						old := data[i]
						data[i] = old + step
						up := plainHeadLoss(m, head, loss, 0.1, items)
						data[i] = old - step
						down := plainHeadLoss(m, head, loss, 0.1, items)
						data[i] = old
						if want := (up - down) / (2 * step); math.Abs(grad[i]-want) > 1e-5 {
							t.Errorf("gradient of %s[%d] = %.8f, central difference %.8f", w.Name, i, grad[i], want)
						}
					}
				}
			})
		}
	}
}

// TestHeadResume stops a run of a head over a model with a checkpoint after every
// step and goes on with other numbers of threads.
func TestHeadResume(t *testing.T) {
	do := func(dir string, threads, stopAt int) ([]float32, error) {
		b, err := cpu.New(cpu.Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		m := tiny(t, b, 5)
		head := model.NewHead(b, m, 1)
		head.Init(b, 3)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		h := Heads{Model: m, Head: head, Loss: BradleyTerry, Row: 20, Places: 30}
		next := Order(someJudgements(BradleyTerry, 7), 3, 1)
		j := Job{
			Dir: dir, Out: dir, Base: &bundle.Bundle{Model: m.(zoo.Trainable)}, More: head.Params(), Context: 20,
			Train: train.Options{
				Optimizer: optim.Options{Name: "adamw"}, Schedule: optim.Schedule{Peak: 1e-2, Steps: 9},
				Dropout: 0.1, SaveEvery: time.Nanosecond,
			},
			Source: func(step int) ([]train.Micro, error) { return h.Micro(next(step)), nil },
			Progress: func(m train.Metrics) {
				if m.Step == stopAt {
					cancel()
				}
			},
			Write: func(*bundle.Bundle) error { return nil },
		}
		err = j.Run(ctx, b)
		var all []float32
		for _, w := range append(slices.Clip(m.Params()), head.W) {
			x := make([]float32, w.Len())
			b.Download(x, w.T)
			all = append(all, x...)
		}
		return all, err
	}
	want, err := do(t.TempDir(), 1, -1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i, stop := range []int{2, 5} {
		if _, err := do(dir, i+2, stop); !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("stopped at %d: %v", stop, err)
		}
	}
	got, err := do(dir, 2, -1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("weight %d is %g after two stops, want %g", i, got[i], want[i])
		}
	}
}

// TestJudgementErrors gives units that no head can learn from.
func TestJudgementErrors(t *testing.T) {
	b := ref.New()
	m := tiny(t, b, 1)
	head := model.NewHead(b, m, 3)
	one := [][]int32{{1, 2, 3}}
	for name, c := range map[string]struct {
		loss HeadLoss
		j    Judgement
	}{
		"one text of a pair": {BradleyTerry, Judgement{Texts: one}},
		"empty text":         {Regression, Judgement{Texts: [][]int32{{}}}},
		"too long":           {Regression, Judgement{Texts: [][]int32{make([]int32, 21)}}},
		"score":              {Regression, Judgement{Texts: one, Score: math.NaN()}},
		"class":              {Classes, Judgement{Texts: one, Class: 3}},
		"no steps":           {Process, Judgement{Texts: one}},
		"steps fall":         {Process, Judgement{Texts: one, At: []int{2, 1}, Right: []bool{true, true}}},
		"step outside":       {Process, Judgement{Texts: one, At: []int{3}, Right: []bool{true}}},
	} {
		h := Heads{Model: m, Head: head, Loss: c.loss, Row: 20, Places: 30}
		if err := h.Check(c.j); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
