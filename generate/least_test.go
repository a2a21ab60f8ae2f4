package generate_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// TestMinTokens makes a model that likes to end write on, with every kind of speculation.
func TestMinTokens(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	const least = 7
	var rs []generate.Request
	for i := range 12 {
		rs = append(rs, generate.Request{Prompt: ids(5 + i), Options: generate.Options{
			MaxTokens: 20, MinTokens: least, StopIDs: []int32{endID, 3}, Stream: uint64(i),
			Sample: sample.Options{Temperature: 1, Seed: 4, LogitBias: map[int32]float64{endID: 9, 3: 8}},
		}})
	}
	var want []*generate.Result
	for _, c := range []struct {
		name string
		generate.Config
		others bool // the texts are others, of the same distribution
	}{
		{name: "plain"},
		{name: "ngram", Config: generate.Config{Speculation: generate.Speculation{NGram: true}}},
		{name: "draft", Config: generate.Config{Speculation: generate.Speculation{Draft: noisy(t, b, m, 0.01), Tokens: 6}}},
		{name: "rejection", Config: generate.Config{Speculation: generate.Speculation{Draft: noisy(t, b, m, 0.05), Rejection: true}}, others: true},
	} {
		got, err := engine(t, b, m, c.Config).GenerateAll(context.Background(), rs, nil)
		if err != nil {
			t.Fatal(err)
		}
		atLeast := 0
		for i, r := range got {
			if len(r.IDs) < least || slices.Contains(r.IDs, endID) || slices.Contains(r.IDs, 3) {
				t.Errorf("%s, request %d: %v (%s) behind at least %d tokens", c.name, i, r.IDs, r.Finish, least)
			}
			if len(r.IDs) == least {
				atLeast++
			}
			if want != nil && !c.others {
				same(t, fmt.Sprintf("%s, request %d", c.name, i), r, want[i])
			}
		}
		if atLeast < 3 {
			t.Errorf("%s: only %d texts end as soon as they may: the test says little", c.name, atLeast)
		}
		if want == nil {
			want = got
		}
	}

	// What has been written before counts, and a text goes on with the same bits.
	e := engine(t, b, m, generate.Config{})
	for i, whole := range want {
		o := rs[i].Options
		o.FirstDraw, o.MaxTokens = 3, o.MaxTokens-3
		r, err := e.Generate(context.Background(), append(slices.Clone(rs[i].Prompt), whole.IDs[:3]...), o, nil)
		if err != nil || !slices.Equal(r.IDs, whole.IDs[3:]) {
			t.Errorf("request %d went on with %v, %v; the whole was %v", i, r.IDs, err, whole.IDs)
		}
	}
}

// A format ends the text before only where it allows nothing else.
func TestMinTokensOfAFormat(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	e := engine(t, b, m, generate.Config{})
	guessing := engine(t, b, m, generate.Config{Speculation: generate.Speculation{Draft: noisy(t, b, m, 0.01), Tokens: 6}})
	early, longer := 0, 0
	for i, r := range constrained(24, true) {
		plain, err := e.Generate(context.Background(), r.Prompt, r.Options, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.MinTokens = len(plain.IDs) + 6
		got, err := e.Generate(context.Background(), r.Prompt, r.Options, nil)
		if err != nil {
			t.Fatal(err)
		}
		guessed, err := guessing.Generate(context.Background(), r.Prompt, r.Options, nil)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("request %d, guessed", i), guessed, got)
		a := r.Constraint.(*reader).a
		if !a.accepts(got.IDs) {
			t.Errorf("request %d: %v is not of the language", i, got.IDs)
		}
		if len(got.IDs) >= r.MinTokens {
			longer++
			continue
		}
		early++
		state := 0
		for _, id := range got.IDs {
			state = a.next[state][id]
		}
		for id, to := range a.next[state] {
			if a.rest[to]+2 <= r.MaxTokens-len(got.IDs) {
				t.Errorf("request %d: %v of at least %d tokens ends where %d may follow", i, got.IDs, r.MinTokens, id)
			}
		}
	}
	if early < 3 || longer < 3 {
		t.Errorf("%d texts ended early and %d did not: the test says little", early, longer)
	}
}

// A text is read again as it was written.
func TestMinTokensReplay(t *testing.T) {
	b := backend(t, cpu.Options{})
	e := engine(t, b, small(t, b, "llama"), generate.Config{})
	o := generate.Options{MaxTokens: 12, MinTokens: 5, StopIDs: []int32{endID}, Sample: sample.Options{Temperature: 1, Seed: 9, LogitBias: map[int32]float64{endID: 6}}}
	prompt := ids(6)
	r, err := e.Generate(context.Background(), prompt, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := append(slices.Clone(prompt), r.IDs...)
	var again []int32
	if err := e.Replay(context.Background(), text, len(prompt), o, func(p generate.Replayed) {
		if p.I >= len(prompt)-1 {
			again = append(again, p.Sampler.Sample(p.Logits, p.At))
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(r.IDs) < 5 || len(again) != len(r.IDs)+1 || !slices.Equal(again[:len(r.IDs)], r.IDs) {
		t.Errorf("wrote %v, read again %v", r.IDs, again)
	}
}
