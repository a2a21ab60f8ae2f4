package posttrain

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/optim"
)

// TestLearnsPreferences trains a small model on preferences of instructions and
// measures it on others. LOG.md has a longer run.
func TestLearnsPreferences(t *testing.T) {
	if testing.Short() {
		t.Skip("learning takes many steps")
	}
	file := golden.Data(t, "preference", "instruction-data-with-preference.json")
	b := fastBackend(t, 0)
	z, frozen := stories(t, b), stories(t, b)
	data, held := readPreferences(t, z, file)
	p := newPreferences(t, b, z.Model, NewScorer(b, frozen.Model, nil), "sigmoid")
	tr, err := train.New(b, z.Model.Params(), z.Model.Unembedding(), train.Options{
		Optimizer: optim.Options{Name: "adamw"}, Schedule: optim.Schedule{Peak: 2e-3, Steps: 24, Warmup: 3, Cooldown: 16},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	run := train.Run{Dir: t.TempDir(), Steps: 24, Source: p.Shuffled(data, 10, 1)}
	if err := run.Do(context.Background(), tr); err != nil {
		t.Fatal(err)
	}
	after := p.Measure(held)
	if x := after[RewardsAccuracy]; !(x > 0.8) {
		t.Errorf("accuracy on %d held-out pairs is %.3f, want more than 0.8 (it begins at 0.5)", len(held), x)
	}
	t.Logf("%d pairs learned, %d held out: %v", len(data), len(held), after)
}

func fastBackend(t *testing.T, threads int) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Options{Precision: "f32", Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func stories(t *testing.T, b *cpu.Backend) *bundle.Bundle {
	t.Helper()
	z, err := bundle.Open(b, golden.Data(t, "models", "stories260K", "hf"))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func readPreferences(t *testing.T, z *bundle.Bundle, file string) (data, held []Preferred) {
	t.Helper()
	w, err := NewWriter(z)
	if err != nil {
		t.Fatal(err)
	}
	r := PreferenceReader{Writer: w, Row: 160}
	for rec, err := range dataset.Read(file, dataset.Options{Kinds: []dataset.Kind{dataset.Preference}}) {
		if r.Tally.Skipped.Add(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		p, ok, err := r.Read(rec)
		switch {
		case err != nil:
			t.Fatal(err)
		case ok && HeldOut(rec, 0.1, 1):
			held = append(held, p)
		case ok:
			data = append(data, p)
		}
	}
	if r.Tally.Pairs+r.Tally.TooLong != 1094 || r.Tally.Skipped.Rows != 6 || len(held) < 80 || len(held) > 130 {
		t.Fatalf("read %v; %d held out", &r.Tally, len(held))
	}
	return data, held
}

func newPreferences(t *testing.T, b tensor.Backend, policy model.Model, reference *Scorer, loss string) *Preferences {
	t.Helper()
	l, err := objective.NewPreference(loss, objective.PreferenceOptions{Beta: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	p := &Preferences{
		Losses: []WeightedLoss{{l, 1}}, Policy: policy, Scorer: NewScorer(b, policy, nil), Reference: reference,
		Row: min(512, policy.Dims().Context), Places: 4096,
	}
	t.Cleanup(func() {
		p.Scorer.Close()
		if reference != nil {
			reference.Close()
		}
	})
	return p
}

// small is a run of DPO or KTO on random pairs, in micro-batches.
type small struct {
	*Preferences
	b          *cpu.Backend
	params     []*op.Param
	data, held []Preferred
	progress   func(train.Metrics)
}

// smallRun takes six steps, after change; it returns all weights.
func smallRun(t *testing.T, ctx context.Context, dir, loss string, threads int, change func(s *small)) ([]float32, error) {
	t.Helper()
	b := fastBackend(t, threads)
	policy := tiny(t, b, 2)
	data := somePreferred(9)
	Mismatch(data, 24)
	s := &small{
		Preferences: newPreferences(t, b, policy, NewScorer(b, tiny(t, b, 2), nil), loss),
		b:           b, params: policy.Params(), data: data[:7], held: data[7:],
	}
	s.Places = 30
	if change != nil {
		change(s)
	}
	tr, err := train.New(b, s.params, policy.Unembedding(), train.Options{
		Optimizer: optim.Options{Name: "adamw"}, Dropout: 0.1, Seed: 1, EvalEvery: 2,
		Schedule: optim.Schedule{Peak: 1e-2, Steps: 6, Warmup: 1, Cooldown: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	err = train.Run{Dir: dir, Steps: 6, Source: s.Shuffled(s.data, 4, 1), Validate: s.Validator(s.held), Progress: s.progress}.Do(ctx, tr)
	var all []float32
	for _, w := range s.params {
		x := make([]float32, w.Len())
		b.Download(x, w.T)
		all = append(all, x...)
	}
	return all, err
}

// TestResume stops a run after three steps and goes on with other threads.
func TestResume(t *testing.T) {
	for _, loss := range []string{"sigmoid", "kto", "aot"} {
		whole := t.TempDir()
		want, err := smallRun(t, context.Background(), whole, loss, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		ctx, stop := context.WithCancel(context.Background())
		_, err = smallRun(t, ctx, dir, loss, 1, func(s *small) {
			s.progress = func(m train.Metrics) {
				if m.Step == 3 {
					stop()
				}
			}
		})
		if !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("stopped: %v", err)
		}
		got, err := smallRun(t, context.Background(), dir, loss, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: a run that was stopped ends with other weights", loss)
		}
		if a, b := logged(t, dir), logged(t, whole); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: metrics %v, of the whole run %v", loss, a, b)
		}
	}
}

// logged is metrics.jsonl without times.
func logged(t *testing.T, dir string) []train.Metrics {
	t.Helper()
	ms, err := train.ReadMetrics(filepath.Join(dir, train.MetricsFile))
	if err != nil || len(ms) != 6 {
		t.Fatalf("%d steps logged, %v", len(ms), err)
	}
	for i := range ms {
		ms[i].Seconds, ms[i].TokensPerSecond, ms[i].FLOPs = 0, 0, 0
	}
	return ms
}

// TestReferences compares a frozen copy with log-probabilities that were computed
// before, interrupted once, and with a policy whose adapter is off.
func TestReferences(t *testing.T) {
	for _, loss := range []string{"sigmoid", "kto"} {
		adapter := func(off bool) func(s *small) {
			return func(s *small) {
				a, err := lora.Attach(s.b, s.Policy, lora.Options{Rank: 2, Seed: 1})
				if err != nil {
					t.Fatal(err)
				}
				s.params = a.Params()
				if off {
					s.Reference = NewScorer(s.b, s.Policy, func(run func()) {
						a.Off(true)
						run()
						a.Off(false)
					})
				}
			}
		}
		copied, err := smallRun(t, context.Background(), t.TempDir(), loss, 1, adapter(false))
		if err != nil {
			t.Fatal(err)
		}
		off, err := smallRun(t, context.Background(), t.TempDir(), loss, 1, adapter(true))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(copied, off) {
			t.Errorf("%s: with adapters off as reference the weights are others than with a frozen copy", loss)
		}
		live, err := smallRun(t, context.Background(), t.TempDir(), loss, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := smallRun(t, context.Background(), t.TempDir(), loss, 1, func(s *small) {
			path := filepath.Join(t.TempDir(), ReferenceFile)
			for round := range 2 {
				j, err := OpenJournal(path)
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(context.Background())
				err = PrecomputeReference(ctx, j, s.Reference, append(slices.Clone(s.data), s.held...), 24, 30, func(done, total int) {
					if round == 0 && done > total/2 {
						stop()
					}
				})
				stop()
				if err := errors.Join(err, j.Close()); (round == 0) != errors.Is(err, context.Canceled) || round == 1 && err != nil {
					t.Fatal(err)
				}
			}
			s.Reference = nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range live {
			if math.Abs(float64(x-stored[i])) > 1e-4 {
				t.Fatalf("%s: weight %d is %g with a stored reference, %g with a computed one", loss, i, stored[i], x)
			}
		}
	}
}
