package lab

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

func TestTaskSets(t *testing.T) {
	sums := Arithmetic(20, 100, 3)
	if err := sums.Check(); err != nil || len(sums.Tasks) != 20 {
		t.Errorf("%d tasks, %v", len(sums.Tasks), err)
	}
	for _, task := range sums.Tasks {
		question := task.Prompt[strings.LastIndexByte(task.Prompt, '\n')+1:]
		v, ok := search.Evaluate(strings.TrimSuffix(question, "="))
		if !ok || v.RatString() != task.Gold || strings.Count(task.Prompt, "\n") != 3 {
			t.Errorf("%q has the gold %q", task.Prompt, task.Gold)
		}
	}
	code := GoParse(100)
	if len(code.Tasks) != len(goHeads) {
		t.Errorf("%d functions", len(code.Tasks))
	}
	for text, want := range map[string]bool{"\treturn": true, "\tx := 1\n\t_ = x": true, "\treturn )": false, "": true, "}\nfunc f() {": true} {
		if got := code.Judge(code.Tasks[0], text); got != want {
			t.Errorf("%q is right: %v", text, got)
		}
	}
	for _, task := range code.Tasks {
		if !code.Judge(task, "\tpanic(1)") {
			t.Errorf("%s does not parse when it is finished well", task.ID)
		}
	}
	bad := TaskSet{Extract: search.Number, Tasks: []Task{{ID: "7", Gold: "none"}}}
	if err := bad.Check(); err == nil || !strings.Contains(err.Error(), "task 7") {
		t.Errorf("a gold without a number: %v", err)
	}
}

// TestDrawPool stops in the middle and goes on: the pool is that of one run.
func TestDrawPool(t *testing.T) {
	b, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	tok := tokenizer.Bytes()
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 32, Heads: 2, Vocab: tok.VocabSize(), Context: 96, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 1)
	tokens, _ := tok.Tokens()
	e, err := generate.Open(b, m, tokens, generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d := Drawing{
		Engine: e, N: 4, Encode: func(s string) ([]int32, error) { return tok.Encode(s), nil },
		Options: generate.Options{MaxTokens: 6, Sample: sample.Options{Temperature: 1, Seed: 3}},
	}
	set := Arithmetic(5, 10, 1)
	var whole, parts []Problem
	if err := DrawPool(t.Context(), d, set, 0, func(p Problem) { whole = append(whole, p) }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = DrawPool(ctx, d, set, 0, func(p Problem) {
		if parts = append(parts, p); len(parts) == 2 {
			cancel()
		}
	})
	if err == nil || len(parts) != 2 {
		t.Fatalf("interrupted after 2: %d problems, %v", len(parts), err)
	}
	if err := DrawPool(t.Context(), d, set, 2, func(p Problem) { parts = append(parts, p) }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(whole, parts) || len(whole) != 5 {
		t.Error("a pool drawn in two runs is another one")
	}
	seen := map[string]bool{}
	for _, p := range whole {
		for _, c := range p.Candidates {
			seen[c.Text] = true
			if c.SumLogP == nil || c.Tokens == 0 {
				t.Errorf("candidate %+v has no probability", c)
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("%d different texts of 20", len(seen))
	}
}
