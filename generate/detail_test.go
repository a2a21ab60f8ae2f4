package generate_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// TestDetails compares what tokens were chosen from while they were written, with
// and without speculation, with what reading the text again says, and with the
// log-probabilities of the pieces.
func TestDetails(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	e := engine(t, b, m, generate.Config{Speculation: generate.Speculation{NGram: true}})
	rs := repetitive()
	for i := range rs {
		rs[i].LogProbs = 3
		rs[i].MaxTokens = 20
	}
	got, err := e.GenerateAll(context.Background(), rs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		ids := append(slices.Clone(rs[i].Prompt), r.IDs...)
		all, err := e.Details(context.Background(), ids, len(rs[i].Prompt), rs[i].Options)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != len(ids)-1 || len(r.Details) != len(r.IDs) {
			t.Fatalf("request %d: %d details of %d ids, %d of %d new ones", i, len(all), len(ids), len(r.Details), len(r.IDs))
		}
		for j, d := range all[len(rs[i].Prompt)-1:] {
			if fmt.Sprint(*d) != fmt.Sprint(*r.Details[j]) {
				t.Fatalf("request %d, token %d: %v when written, %v when read again", i, j, *r.Details[j], *d)
			}
			if k := slices.IndexFunc(d.Top, func(x sample.Token) bool { return x.ID == r.IDs[j] }); k >= 0 && math.Abs(d.Top[k].LogProb-r.LogProbs[j]) > 1e-5 {
				t.Errorf("request %d, token %d: log-probability %v and %v", i, j, d.Top[k].LogProb, r.LogProbs[j])
			}
			if math.IsInf(d.LogProb, 0) || len(d.Top) != 3 || len(d.Chain) < 1 || len(d.Chain) > 3 {
				t.Errorf("request %d, token %d: %+v", i, j, d)
			}
		}
	}
	// Greedy: the chain leaves one id.
	if d := got[0].Details[4]; rs[0].Sample.Temperature == 0 && (len(d.Chain) != 1 || d.LogProb != 0 || d.Chain[0].ID != got[0].IDs[4]) {
		t.Errorf("greedy: %+v", d)
	}
}

// TestReplayWithin reads constrained texts again: the same ids are forced, every mask
// allows what was chosen, and the chain begins with it.
func TestReplayWithin(t *testing.T) {
	b := backend(t, cpu.Options{})
	e := engine(t, b, small(t, b, "llama"), generate.Config{})
	forced, masked := 0, 0
	for seed := range uint64(6) {
		a := randomAutomaton(seed, 9)
		o := generate.Options{
			MaxTokens: 30, StopIDs: []int32{endID}, Constraint: &reader{a: a, forces: true},
			Sample: sample.Options{Temperature: 1, Seed: seed},
		}
		r, err := e.Generate(context.Background(), ids(4), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		all, n := append(ids(4), r.IDs...), 0
		err = e.Replay(context.Background(), all, 4, o, func(p generate.Replayed) {
			if p.I+1 < 4 || p.I+1 == len(all) {
				return
			}
			id := all[p.I+1]
			step := p.Sampler.Explain(p.Logits, p.At, id, nil)[0]
			switch {
			case step.Step != "mask" || step.After.Rank == 0:
				t.Errorf("seed %d, token %d: the mask leaves %d out: %+v", seed, p.I+1, id, step)
			case p.Forced && (step.After.Candidates != 1 || step.Kept != step.Before.Prob):
				t.Errorf("seed %d, token %d is forced: %+v", seed, p.I+1, step)
			case p.Forced:
				n++
			case step.After.Candidates < step.Before.Candidates:
				masked++
			}
			if got := p.Sampler.Sample(p.Logits, p.At); got != id {
				t.Errorf("seed %d, token %d: %d is drawn when read again, %d was written", seed, p.I+1, got, id)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if forced += n; n != r.Forced {
			t.Errorf("seed %d: %d tokens are forced when read again, %d were", seed, n, r.Forced)
		}
	}
	if forced == 0 || masked == 0 {
		t.Errorf("%d forced tokens, %d masked ones: the test shows nothing", forced, masked)
	}
}

// TestReplayFrom looks at the end of texts as Replay does, and says where a text does
// not fit the constraint.
func TestReplayFrom(t *testing.T) {
	b := backend(t, cpu.Options{})
	e := engine(t, b, small(t, b, "llama"), generate.Config{Chunk: 7})
	o := generate.Options{
		MaxTokens: 30, StopIDs: []int32{endID}, Constraint: &reader{a: randomAutomaton(2, 9), forces: true},
		Sample: sample.Options{Temperature: 1, Seed: 3, TopK: 9},
	}
	for _, mirostat := range []int{0, 2} {
		if o.Sample.Mirostat = mirostat; mirostat != 0 {
			o.Sample.TopK = 0
		}
		r, err := e.Generate(t.Context(), ids(4), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		text := append(ids(4), r.IDs...)
		var want, got []string
		note := func(all *[]string) func(p generate.Replayed) {
			return func(p generate.Replayed) {
				*all = append(*all, fmt.Sprint(p.I, p.Forced, p.Logits, p.Sampler.Distribution(p.Logits, p.At)))
			}
		}
		if err := e.Replay(t.Context(), text, 4, o, note(&want)); err != nil || len(want) != len(text) {
			t.Fatalf("%d places of %d, %v", len(want), len(text), err)
		}
		for from := 1; from <= len(text); from++ {
			got = nil
			if err := e.ReplayFrom(t.Context(), text, 4, from, o, note(&got)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want[from-1:]) {
				t.Errorf("mirostat %d: from %d of %d: %d places, want %d, or they differ", mirostat, from, len(text), len(got), len(text)-from+1)
			}
		}
		for name, bad := range map[string][]int32{"an id that is not allowed": append(slices.Clone(text[:5]), 255, 255), "behind the end": append(slices.Clone(text[:5]), endID, text[5]), "too long": append(slices.Clone(text), ids(40)...)} {
			for _, from := range []int{1, len(bad)} {
				if err := e.ReplayFrom(t.Context(), bad, 4, from, o, func(generate.Replayed) {}); err == nil {
					t.Errorf("mirostat %d: %s, from %d: no error", mirostat, name, from)
				}
			}
		}
	}
}

func TestDetailErrors(t *testing.T) {
	b := backend(t, cpu.Options{})
	e := engine(t, b, small(t, b, "llama"), generate.Config{})
	ctx := context.Background()
	for want, f := range map[string]func() error{
		"-1 log-probabilities a token": func() error {
			_, err := e.Generate(ctx, ids(3), generate.Options{LogProbs: -1}, nil)
			return err
		},
		"logit-bias of id 256: the vocabulary has 256": func() error {
			_, err := e.Generate(ctx, ids(3), generate.Options{Sample: sample.Options{LogitBias: map[int32]float64{256: 1}}}, nil)
			return err
		},
		"0 ids a token": func() error {
			_, err := e.Details(ctx, ids(3), 3, generate.Options{})
			return err
		},
		"a prompt of 4 tokens in a text of 3": func() error {
			return e.Replay(ctx, ids(3), 4, generate.Options{}, nil)
		},
		"from token 4 on in a text of 3: it must be 1 to 3": func() error {
			return e.ReplayFrom(ctx, ids(3), 1, 4, generate.Options{}, nil)
		},
		"sampling: top-p 2": func() error {
			return e.Replay(ctx, ids(3), 1, generate.Options{Sample: sample.Options{TopP: 2}}, nil)
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
