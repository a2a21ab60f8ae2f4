package posttrain_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/tokenizer"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
	"github.com/foundling-lm/foundling/train/posttrain"
)

func setup(t *testing.T) (*cpu.Backend, *bundle.Bundle) {
	t.Helper()
	b, err := cpu.New(cpu.Options{Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	tok := tokenizer.Bytes(chat.SpecialTokens()...)
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 2, Width: 32, Heads: 2, Vocab: tok.VocabSize(), Context: 64, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 3)
	return b, &bundle.Bundle{Model: m, Tokenizer: tok}
}

func examples(t *testing.T, tok *tokenizer.Tokenizer, n int) []batch.Example {
	t.Helper()
	var out []batch.Example
	for i := range n {
		e, err := posttrain.Example(tok, []chat.Message{
			{Role: chat.RoleUser, Content: fmt.Sprint("say ", i)},
			{Role: chat.RoleAssistant, Content: strings.Repeat(string(rune('a'+i)), 1+i%5)},
		})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func pack(t *testing.T, ex []batch.Example, T int, single bool) *batch.Examples {
	t.Helper()
	p, err := batch.PackExamples(ex, T, batch.PackOptions{Single: single})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPackedLossIsUnpackedLoss compares examples that share rows with the same
// examples each in a row of its own.
func TestPackedLossIsUnpackedLoss(t *testing.T) {
	b, z := setup(t)
	ex := examples(t, z.Tokenizer, 9)
	tr, err := train.New(b, z.Model.Params(), z.Model.Unembedding(), train.Options{Schedule: optim.Schedule{Peak: 1e-3, Steps: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	var loss [2]float64
	var trained [2]int
	for i, single := range []bool{false, true} {
		p := pack(t, ex, 60, single)
		if single != (p.Stats().Rows == len(ex)) {
			t.Fatalf("single=%v: %d rows", single, p.Stats().Rows)
		}
		loss[i], trained[i] = tr.Accumulate(train.Language(z.Model, p.Loader(p.Stats().Rows, 1).At(0)))
	}
	if trained[0] != trained[1] || math.Abs(loss[0]-loss[1]) > 1e-6 {
		t.Errorf("packed: loss %.9f of %d targets; unpacked: %.9f of %d", loss[0], trained[0], loss[1], trained[1])
	}
}

// TestLearnsToAnswerAndToStop fine-tunes a tiny model on a few answers.
func TestLearnsToAnswerAndToStop(t *testing.T) {
	b, z := setup(t)
	ex := examples(t, z.Tokenizer, 6)
	s := posttrain.SFT{
		SFTOptions: posttrain.SFTOptions{Rows: 2, Micro: 1, Context: 60, Seed: 1, Train: train.Options{
			Schedule: optim.Schedule{Peak: 5e-3, Steps: 150, Warmup: 5},
		}},
		Dir: t.TempDir(), Out: filepath.Join(t.TempDir(), "out"), Base: z, Examples: pack(t, ex, 60, false),
	}
	if err := s.Run(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	opened, err := bundle.Open(b, s.Out)
	if err != nil {
		t.Fatal(err)
	}
	if !opened.Chat || len(opened.Generation.EOS) != 2 {
		t.Errorf("the result is %+v, want a chat model with two end tokens", opened.Generation)
	}
	talk := []chat.Message{{Role: chat.RoleUser, Content: "q"}, {Role: chat.RoleAssistant, Content: "a<|end|>"}}
	own, err := posttrain.ExampleFor(opened, talk)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := posttrain.Example(opened.Tokenizer, talk); err != nil || !reflect.DeepEqual(own, plain) {
		t.Errorf("by the template that was saved an example is %v, by the default format %v, %v", own, plain, err)
	}
	e := generate.New(b, opened.Model, opened.TokenBytes())
	defer e.Close()
	ids, _, err := opened.ChatPrompt([]chat.Message{{Role: chat.RoleUser, Content: "say 3"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Generate(context.Background(), ids, generate.Options{MaxTokens: 20, StopIDs: opened.Generation.EOS}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Text != "dddd" || r.Finish != generate.FinishStop {
		t.Errorf("answer %q (%s), want %q and a stop", r.Text, r.Finish, "dddd")
	}
}
