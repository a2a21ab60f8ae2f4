package generate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// TestStopRegexEndsAText compares a text that stops at a match with the whole one.
func TestStopRegexEndsAText(t *testing.T) {
	b := backend(t, cpu.Options{})
	e := engine(t, b, small(t, b, "llama"), generate.Config{})
	o := generate.Options{MaxTokens: 60, Sample: sample.Options{Temperature: 1, Seed: 3}}
	whole, err := e.Generate(context.Background(), ids(10), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.StopRegex = `(?s)[a-z].?[A-Z]`
	var shown strings.Builder
	r, err := e.Generate(context.Background(), ids(10), o, func(p generate.Piece) bool {
		shown.WriteString(p.Text)
		return true
	})
	if err != nil || r.Finish != generate.FinishRegex || r.Stopped == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if !strings.HasPrefix(whole.Text, r.Text+r.Stopped) || shown.String() != r.Text {
		t.Errorf("%q before %q, shown %q, of %q", r.Text, r.Stopped, shown.String(), whole.Text)
	}
}

func TestTimeLimit(t *testing.T) {
	b := backend(t, cpu.Options{})
	e := engine(t, b, small(t, b, "llama"), generate.Config{Sequences: 2})
	// Nobody has the time for a first step, whether running or waiting.
	rs := requests(6)
	for i := range rs {
		rs[i].TimeLimit = 1
		rs[i].Prompt = rs[0].Prompt
	}
	got, err := e.GenerateAll(context.Background(), rs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		if r.Finish != generate.FinishTime || len(r.IDs) != 0 {
			t.Errorf("request %d without time: %s, %d tokens", i, r.Finish, len(r.IDs))
		}
	}
	// One among others, with a caller who takes his time.
	rs = requests(3)
	for i := range rs {
		rs[i].MaxTokens = 60
	}
	want := alone(t, b, small(t, b, "llama"), generate.Config{}, rs)
	rs[1].TimeLimit = 30 * time.Millisecond
	got, err = e.GenerateAll(context.Background(), rs, func(i int, _ generate.Piece) bool {
		time.Sleep(3 * time.Millisecond)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		if i != 1 {
			same(t, fmt.Sprint("beside a time limit, request ", i), r, want[i])
		} else if r.Finish != generate.FinishTime || len(r.IDs) >= 60 || !slices.Equal(r.IDs, want[1].IDs[:len(r.IDs)]) {
			t.Errorf("time limit: %s after %d tokens", r.Finish, len(r.IDs))
		}
	}
}

func TestBudgetIsSharedOut(t *testing.T) {
	b := backend(t, cpu.Options{})
	e := engine(t, b, small(t, b, "llama"), generate.Config{})
	got, err := e.GenerateN(context.Background(), ids(10), generate.Options{Budget: 11, MaxTokens: 9}, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{3, 3, 3, 2} {
		if r := got[i]; len(r.IDs) != want || r.Finish != generate.FinishBudget {
			t.Errorf("text %d of 4 with 11 tokens: %d, %s", i, len(r.IDs), r.Finish)
		}
	}
	got, err = e.GenerateN(context.Background(), ids(10), generate.Options{Budget: 20, MaxTokens: 5}, 4, nil)
	if err != nil || got[3].Finish != generate.FinishLength || len(got[3].IDs) != 5 {
		t.Errorf("20 tokens for 4 texts of 5: %+v, %v", got, err)
	}
	if _, err := e.GenerateN(context.Background(), ids(10), generate.Options{Budget: 3}, 4, nil); err == nil || !strings.Contains(err.Error(), "each needs one") {
		t.Errorf("3 tokens for 4 texts: %v", err)
	}
}

func TestContextPolicies(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama") // a context of 160
	e := engine(t, b, m, generate.Config{})
	r, err := e.Generate(context.Background(), ids(150), generate.Options{MaxTokens: 30, Context: generate.ContextFail}, nil)
	var full *generate.ContextError
	if !errors.As(err, &full) || *full != (generate.ContextError{Prompt: 150, New: 10, Context: 160}) || len(r.IDs) != 10 || r.Finish != generate.FinishContext {
		t.Errorf("error: %+v, %v", r, err)
	}
	if !strings.Contains(err.Error(), "context of 160 tokens is full after a prompt of 150 and 10 new ones") {
		t.Error(err)
	}
	if r, err := e.Generate(context.Background(), ids(150), generate.Options{MaxTokens: 10, Context: generate.ContextFail}, nil); err != nil || r.Finish != generate.FinishLength {
		t.Errorf("error, where it just fits: %+v, %v", r, err)
	}
	if _, err := e.Generate(context.Background(), ids(161), generate.Options{MaxTokens: 10, Context: generate.ContextShift}, nil); err == nil || !strings.Contains(err.Error(), "prompt has 161 tokens and the model's context is 160") {
		t.Errorf("a prompt that does not fit: %v", err)
	}
	for want, o := range map[string]generate.Options{
		"needs max tokens": {Context: generate.ContextShift},
		"is unknown":       {Context: "slide"},
		"time limit of":    {TimeLimit: -1},
		"budget of -1":     {Budget: -1},
		"min tokens is -1": {MinTokens: -1},
		"stop regex":       {StopRegex: "("},
	} {
		if _, err := e.Generate(context.Background(), ids(3), o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

// TestContextShift checks a long text piece by piece: behind a shift it goes on as
// a text whose prompt is what was left. It has the same bits among others, for any
// chunk and with speculation.
func TestContextShift(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	var rs []generate.Request
	for i, n := range []int{20, 100, 150, 20, 60} {
		rs = append(rs, generate.Request{Prompt: ids(n), Options: generate.Options{MaxTokens: 400, Context: generate.ContextShift, Stream: uint64(i),
			Sample: sample.Options{Temperature: float64(i%3) * 0.6, Seed: 4}}})
	}
	rs[4].Constraint = &reader{a: randomAutomaton(3, 30), forces: true}
	rs[4].StopIDs = []int32{endID}
	want := alone(t, b, m, generate.Config{}, rs)
	for i, r := range want[:4] {
		if len(r.IDs) != 400 || r.Finish != generate.FinishLength || r.Shifted == 0 {
			t.Errorf("prompt of %d: %d tokens, %s, %d left out", len(rs[i].Prompt), len(r.IDs), r.Finish, r.Shifted)
		}
	}
	for i, r := range want[:3] {
		prompt, text, n := rs[i].Prompt, rs[i].Prompt, 0
		head := min(len(prompt), 80)
		for shifted := 0; n < 400; {
			o := rs[i].Options
			o.Context, o.MaxTokens, o.FirstDraw = "", min(400-n, 160-len(text)), uint64(n)
			part, err := engine(t, b, m, generate.Config{PrefixTokens: -1}).Generate(context.Background(), text, o, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(part.IDs, r.IDs[n:n+len(part.IDs)]) || !slices.Equal(part.LogProbs, r.LogProbs[n:n+len(part.IDs)]) {
				t.Fatalf("prompt of %d, from token %d: %v, want %v", len(prompt), n, r.IDs[n:n+len(part.IDs)], part.IDs)
			}
			n += len(part.IDs)
			all := append(slices.Clone(text), part.IDs...)
			text = slices.Concat(all[:head], all[160-(160-head)/2:min(160, len(all))])
			if n < 400 {
				shifted += 160 - len(text)
			} else if shifted != r.Shifted {
				t.Errorf("prompt of %d: %d tokens left out, want %d", len(prompt), r.Shifted, shifted)
			}
		}
	}
	for name, c := range map[string]generate.Config{
		"batch": {}, "chunk 9": {Chunk: 9}, "ngram": {Speculation: generate.Speculation{NGram: true}},
		"draft": {Chunk: 30, Speculation: generate.Speculation{Draft: noisy(t, b, m, 0.02)}},
	} {
		got, err := engine(t, b, m, c).GenerateAll(context.Background(), rs, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			same(t, fmt.Sprint(name, ", request ", i), got[i], want[i])
		}
	}
}
