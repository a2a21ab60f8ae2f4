package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

func backend(t testing.TB, o cpu.Options) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// small is a 2-layer model with random weights.
func small(t testing.TB, b tensor.Backend, family string) model.Model {
	t.Helper()
	m, err := zoo.FromShape(b, zoo.Shape{Family: family, Layers: 2, Width: 32, Heads: 4, KVHeads: map[string]int{"gpt2": 4, "llama": 2}[family], Vocab: 67, Context: 24})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 1)
	return m
}

// random is rows of random tokens, cut into documents, with some masked targets.
func random(step, B, T, vocab int) *batch.Batch {
	b := batch.New(B, T)
	b.Trained = 0
	for i := range b.IDs {
		b.IDs[i] = int32(rng.Intn(3, uint64(step), uint64(i), vocab))
		b.Targets[i] = int32(rng.Intn(4, uint64(step), uint64(i), vocab))
		start := i % T / 11 * 11
		b.Start[i], b.Pos[i] = int32(start), int32(i%T-start)
		if i%7 == 3 {
			b.Targets[i] = -1
		} else {
			b.Trained++
		}
	}
	return b
}

func options(steps int) train.Options {
	return train.Options{Schedule: optim.Schedule{Peak: 3e-3, Steps: steps, Warmup: 2}, Seed: 5}
}

func weights(b tensor.Backend, m model.Model) []float32 {
	var all []float32
	for _, w := range m.Params() {
		x := make([]float32, w.Len())
		b.Download(x, w.T)
		all = append(all, x...)
	}
	return all
}

func sameBits(t *testing.T, what string, a, b []float32) {
	t.Helper()
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			t.Fatalf("%s: weight %d is %g and %g", what, i, a[i], b[i])
		}
	}
}

func TestOverfitsOneBatch(t *testing.T) {
	families := zoo.Families()
	if testing.Short() {
		families = []string{"llama"}
	}
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			b := backend(t, cpu.Options{Threads: 2})
			m := small(t, b, family)
			o := options(250)
			tr, err := train.New(b, m.Params(), m.Unembedding(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			one := train.Language(m, random(0, 2, 22, 67))
			var last train.Metrics
			for range o.Schedule.Steps {
				if last, err = tr.StepOn(one); err != nil {
					t.Fatal(err)
				}
			}
			if experts := strings.Contains(family, "moe") || family == "mixtral"; experts != (last.Balance >= 0.5) {
				t.Errorf("load-balancing loss %g", last.Balance)
			}
			if !(last.Loss < 0.01) {
				t.Errorf("loss after %d steps on one batch = %g, want below 0.01", o.Schedule.Steps, last.Loss)
			}
		})
	}
}

// run trains a fresh model and returns its weights.
func run(t *testing.T, o cpu.Options, family string, steps int) []float32 {
	b := backend(t, o)
	m := small(t, b, family)
	opts := options(steps)
	opts.Dropout = 0.1
	tr, err := train.New(b, m.Params(), m.Unembedding(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for i := range steps {
		if _, err := tr.StepOn(train.Language(m, random(i, 3, 22, 67), random(i+1000, 3, 22, 67))); err != nil {
			t.Fatal(err)
		}
	}
	return weights(b, m)
}

func TestThreadsChangeNoBit(t *testing.T) {
	for _, family := range zoo.Families() {
		for _, precision := range []string{"f32", "bf16"} {
			want := run(t, cpu.Options{Threads: 1, Precision: precision}, family, 4)
			for _, n := range []int{2, 3} {
				sameBits(t, fmt.Sprint(family, " ", precision, " with ", n, " threads"), run(t, cpu.Options{Threads: n, Precision: precision}, family, 4), want)
			}
		}
	}
}

func TestAccumulationIsOneLargeBatch(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	tr, err := train.New(b, m.Params(), m.Unembedding(), options(1))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	large := random(0, 6, 22, 67)
	gradient := func(micro []*batch.Batch) []float32 {
		for _, w := range m.Params() {
			w.ZeroGrad()
		}
		tr.Accumulate(train.Language(m, micro...))
		var g []float32
		for _, w := range m.Params() {
			x := make([]float32, w.Len())
			b.Download(x, w.Grad)
			g = append(g, x...)
		}
		return g
	}
	want := gradient([]*batch.Batch{large})
	var micro []*batch.Batch
	for i := range 3 {
		part := batch.New(2, large.T)
		lo, hi := i*2*large.T, (i+1)*2*large.T
		copy(part.IDs, large.IDs[lo:hi])
		copy(part.Targets, large.Targets[lo:hi])
		copy(part.Pos, large.Pos[lo:hi])
		copy(part.Start, large.Start[lo:hi])
		part.Trained = 0
		for _, x := range part.Targets {
			if x >= 0 {
				part.Trained++
			}
		}
		micro = append(micro, part)
	}
	got := gradient(micro)
	var diff, norm float64
	for i := range want {
		d := float64(got[i] - want[i])
		diff += d * d
		norm += float64(want[i]) * float64(want[i])
	}
	if e := math.Sqrt(diff / norm); !(e < 1e-6) {
		t.Errorf("3 micro-batches differ from one batch by %.2g of the gradient's norm, want below 1e-6", e)
	}
}

// TestResumeIsBitIdentical stops a run by its context at various steps, goes on
// in a new process's place, and compares the weights with an undisturbed run.
func TestResumeIsBitIdentical(t *testing.T) {
	const steps = 12
	do := func(dir string, stopAt int) ([]float32, error) {
		b := backend(t, cpu.Options{})
		m := small(t, b, "gpt2")
		o := options(steps)
		o.Dropout, o.SaveEvery = 0.1, time.Nanosecond // saves after every step
		tr, err := train.New(b, m.Params(), m.Unembedding(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		err = train.Run{
			Dir: dir, Steps: steps,
			Source: func(step int) ([]train.Micro, error) { return train.Language(m, random(step, 2, 22, 67)), nil },
			Progress: func(m train.Metrics) {
				if m.Step == stopAt {
					cancel()
				}
			},
		}.Do(ctx, tr)
		return weights(b, m), err
	}
	want, err := do(t.TempDir(), -1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, stop := range []int{1, 5, 6, 11} {
		if _, err := do(dir, stop); !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("stopped at %d: error %v, want ErrInterrupted", stop, err)
		}
	}
	got, err := do(dir, -1)
	if err != nil {
		t.Fatal(err)
	}
	sameBits(t, "resumed run", got, want)
	log, err := train.ReadMetrics(filepath.Join(dir, train.MetricsFile))
	if err != nil || len(log) != steps {
		t.Errorf("metrics.jsonl has %d lines (%v), want one for each of %d steps", len(log), err, steps)
	}
}

func TestLogDropsStepsAfterTheCheckpoint(t *testing.T) {
	dir := t.TempDir()
	lines := `{"step":1,"loss":3}` + "\n" + `{"step":2,"loss":2}` + "\n" + `{"step":3,"lo`
	if err := os.WriteFile(filepath.Join(dir, train.MetricsFile), []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	b := backend(t, cpu.Options{})
	m := small(t, b, "gpt2")
	tr, err := train.New(b, m.Params(), m.Unembedding(), options(2))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	err = train.Run{Dir: dir, Steps: 2, Source: func(step int) ([]train.Micro, error) { return train.Language(m, random(step, 1, 22, 67)), nil }}.Do(context.Background(), tr)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := train.ReadMetrics(filepath.Join(dir, train.MetricsFile))
	if len(log) != 2 || log[0].Loss == 3 {
		t.Errorf("log = %+v, want two fresh steps: no checkpoint vouches for the old ones", log)
	}
}

// TestBF16EndsNearF32 trains the same run in both precisions.
func TestBF16EndsNearF32(t *testing.T) {
	final := map[string]float64{}
	for _, precision := range []string{"f32", "bf16"} {
		b := backend(t, cpu.Options{Precision: precision})
		model := small(t, b, "llama")
		tr, err := train.New(b, model.Params(), model.Unembedding(), options(150))
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for i := range 150 {
			m, err := tr.StepOn(train.Language(model, pattern(i)))
			if err != nil {
				t.Fatal(err)
			}
			if i >= 130 {
				sum += m.Loss / 20
			}
		}
		final[precision] = sum
		tr.Close()
	}
	if d := math.Abs(final["bf16"]/final["f32"] - 1); d > 0.01 {
		t.Errorf("final loss is %.4f in bf16 and %.4f in f32: %.1f %% apart, want at most 1 %%", final["bf16"], final["f32"], 100*d)
	}
}

// pattern is a learnable text: each token is the sum of two earlier ones, with
// noise.
func pattern(step int) *batch.Batch {
	b := random(step, 8, 22, 67)
	b.Trained = len(b.IDs)
	for r := range b.B {
		row := b.IDs[r*b.T : (r+1)*b.T]
		for i := range row {
			if i >= 2 && rng.Float64(8, uint64(step), uint64(r*b.T+i)) < 0.8 {
				row[i] = (row[i-1] + 2) % 67
			}
		}
		for i := range row {
			b.Targets[r*b.T+i] = row[(i+1)%len(row)]
			b.Start[r*b.T+i], b.Pos[r*b.T+i] = 0, int32(i)
		}
	}
	return b
}

func TestOptionsErrors(t *testing.T) {
	for name, o := range map[string]train.Options{
		"no steps": {Schedule: optim.Schedule{Peak: 1e-3}},
		"rate":     {Schedule: optim.Schedule{Steps: 1}},
		"clip":     {Schedule: optim.Schedule{Peak: 1e-3, Steps: 1}, Clip: -1},
		"dropout":  {Schedule: optim.Schedule{Peak: 1e-3, Steps: 1}, Dropout: 1},
		"name":     {Schedule: optim.Schedule{Peak: 1e-3, Steps: 1}, Optimizer: optim.Options{Name: "sgd"}},
	} {
		if err := o.Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// BenchmarkStep reports training speed in tokens/s.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		name string
		s    zoo.Shape
		B, T int
	}{
		{"gpt-12m/b16t256", zoo.Shape{Family: "gpt2", Layers: 6, Width: 384, Heads: 6, Vocab: 4096, Context: 256}, 16, 256},
		{"llama-12m/b16t256", zoo.Shape{Family: "llama", Layers: 6, Width: 384, Heads: 6, FF: 1024, Vocab: 4096, Context: 256}, 16, 256},
	} {
		b.Run(c.name, func(b *testing.B) {
			be := backend(b, cpu.Options{})
			m, err := zoo.FromShape(be, c.s)
			if err != nil {
				b.Fatal(err)
			}
			m.Init(be, 1)
			o := options(1000)
			o.Optimizer.Name = "adamw"
			tr, err := train.New(be, m.Params(), m.Unembedding(), o)
			if err != nil {
				b.Fatal(err)
			}
			defer tr.Close()
			one := train.Language(m, random(0, c.B, c.T, c.s.Vocab))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tr.StepOn(one); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*c.B*c.T)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// notes is a language model's micro-batch that notes its units.
type notes struct{ train.Micro }

func (n notes) Forward(p *op.Pass, f train.Forward) float64 {
	units, _ := n.Size()
	f.Note("units", float64(units*units), units)
	return n.Micro.Forward(p, f)
}

// TestNotesAreMeansOverTheStep checks Metrics.Extra of two micro-batches.
func TestNotesAreMeansOverTheStep(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	tr, err := train.New(b, m.Params(), m.Unembedding(), options(1))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	micro := train.Language(m, random(0, 1, 22, 67), random(1, 3, 22, 67))
	x, _ := micro[0].Size()
	y, _ := micro[1].Size()
	got, err := tr.StepOn([]train.Micro{notes{micro[0]}, notes{micro[1]}})
	if want := float64(x*x+y*y) / float64(x+y); err != nil || got.Extra["units"] != want {
		t.Errorf("noted %v (%v), want %g", got.Extra, err, want)
	}
}

// TestAdapterTrainsAlone takes steps on an adapter with dropout: the weights below
// stay, the loss falls, threads change no bit, and every step has its own masks.
func TestAdapterTrainsAlone(t *testing.T) {
	run := func(threads int) (params []float32, first, last float64) {
		b := backend(t, cpu.Options{Threads: threads})
		m := small(t, b, "llama")
		before := weights(b, m)
		a, err := lora.Attach(b, m, lora.Options{Rank: 4, Dropout: 0.2, Seed: 2})
		if err != nil {
			t.Fatal(err)
		}
		o := options(60)
		o.Optimizer.Name, o.Schedule.Peak = "adamw", 1e-2
		tr, err := train.New(b, a.Params(), nil, o)
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		one := train.Language(m, random(0, 2, 22, 67))
		for i := range 60 {
			s, err := tr.StepOn(one)
			if err != nil {
				t.Fatal(err)
			}
			if last = s.Loss; i == 0 {
				first = s.Loss
			}
		}
		x, _ := tr.Accumulate(one)
		if y, _ := tr.Accumulate(one); y != x {
			t.Errorf("the same step has losses %g and %g, want one mask", x, y)
		}
		if y, _ := tr.Accumulate(append(one, one...)); y == x {
			t.Error("two micro-batches have the masks of one")
		}
		sameBits(t, "weights below the adapter", weights(b, m), before)
		for _, w := range a.Params() {
			x := make([]float32, w.Len())
			b.Download(x, w.T)
			params = append(params, x...)
		}
		return params, first, last
	}
	want, first, last := run(1)
	if !(last < first-0.04) {
		t.Errorf("the loss went from %g to %g in 60 steps on one batch", first, last)
	}
	got, _, _ := run(3)
	sameBits(t, "adapter trained with 3 threads", got, want)
}

// TestNoiseIsOfTrainingAlone trains every family with NEFTune's noise: it changes
// the loss of a step, not that of a pass without gradients, and threads change no
// bit of it.
func TestNoiseIsOfTrainingAlone(t *testing.T) {
	for _, family := range zoo.Families() {
		loss := func(noise float64, threads int) (training, plain float64) {
			b := backend(t, cpu.Options{Threads: threads, Precision: "f32"})
			m := small(t, b, family)
			o := options(1)
			o.Noise = noise
			tr, err := train.New(b, m.Params(), m.Unembedding(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			one := random(0, 2, 22, 67)
			training, _ = tr.Accumulate(train.Language(m, one))
			p := op.NewPass(b, op.Options{})
			defer p.Close()
			in := train.Forward{Noise: noise}.Input(one)
			for _, x := range model.Loss(p, m, m.Hidden(p, in), one.Targets, op.CrossEntropy{}) {
				plain += x / float64(one.Trained)
			}
			return training, plain
		}
		quiet, plain := loss(0, 1)
		noisy, same := loss(5, 1)
		again, _ := loss(5, 3)
		if noisy == quiet || same != plain || again != noisy || math.Abs(quiet-plain) > 1e-6 {
			t.Errorf("%s: losses %g without noise, %g and %g with; not training %g and %g", family, quiet, noisy, again, plain, same)
		}
	}
}
