package generate_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/kernel"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/tensor/ref"
	"github.com/foundling-lm/foundling/text/tokenizer"
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

func small(t testing.TB, b tensor.Backend, family string) model.Model {
	t.Helper()
	kv := 2
	if family == "gpt2" {
		kv = 4
	}
	m, err := zoo.FromShape(b, zoo.Shape{Family: family, Layers: 2, Width: 32, Heads: 4, KVHeads: kv, Vocab: 256, Context: 160})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 4)
	return m
}

func tokens() [][]byte {
	t, _ := tokenizer.Bytes().Tokens()
	return t
}

func ids(n int) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = int32((i*i*7 + i*13 + 3) % 256)
	}
	return x
}

// logits is the row for each position of ids in one pass without a cache.
func logits(b tensor.Backend, m model.Model, ids []int32) [][]float32 {
	p := op.NewPass(b, op.Options{})
	defer p.Close()
	h := m.Hidden(p, &model.Input{B: 1, T: len(ids), IDs: ids, Pos: model.Positions(0, len(ids))})
	all := p.Host(model.Logits(p, m, h).T)
	v := m.Dims().Vocab
	var rows [][]float32
	for i := range ids {
		rows = append(rows, slices.Clone(all[i*v:(i+1)*v]))
	}
	return rows
}

// TestCachedDecodingIsTheFullForward feeds a sequence through the cache in
// chunks of several sizes and compares every bit with one full pass, on every
// kernel set and in both precisions; f32 must also be near the reference.
func TestCachedDecodingIsTheFullForward(t *testing.T) {
	x := ids(150)
	for _, family := range zoo.Families() {
		slow := logits(ref.New(), small(t, ref.New(), family), x)
		for _, set := range kernel.Sets() {
			for _, precision := range []string{"f32", "bf16"} {
				b := backend(t, cpu.Options{Kernels: set.Name, Precision: precision})
				m := small(t, b, family)
				full := logits(b, m, x)
				p := op.NewPass(b, op.Options{CachePacks: true})
				pool, err := model.NewCache(b, m, cache.Options{})
				if err != nil {
					t.Fatal(err)
				}
				kv, err := pool.Open(len(x))
				if err != nil {
					t.Fatal(err)
				}
				batch := pool.NewBatch()
				for _, n := range []int{70, 1, 1, 13, 1, 64} {
					from := kv.Len()
					batch.Reset()
					batch.Add(kv, n)
					h := m.Hidden(p, &model.Input{B: 1, T: n, IDs: x[from : from+n], Pos: model.Positions(from, n), Cache: batch})
					got := p.Host(model.Logits(p, m, h).T)
					for i := range n {
						row := got[i*256 : (i+1)*256]
						for j := range row {
							if math.Float32bits(row[j]) != math.Float32bits(full[from+i][j]) {
								t.Fatalf("%s %s %s: position %d, logit %d: cached %g, full %g", family, set.Name, precision, from+i, j, row[j], full[from+i][j])
							}
							if d := math.Abs(float64(row[j] - slow[from+i][j])); precision == "f32" && d > 1e-5 {
								t.Fatalf("%s %s: position %d, logit %d is %g from the reference", family, set.Name, from+i, j, d)
							}
						}
					}
					p.Reset()
				}
				kv.Close()
				pool.Close()
				p.Close()
			}
		}
	}
}

func TestTextIsTheSameAtAnyThreadCount(t *testing.T) {
	var first *generate.Result
	for _, threads := range []int{1, 2, 3} {
		b := backend(t, cpu.Options{Threads: threads})
		e := generate.New(b, small(t, b, "llama"), tokens())
		r, err := e.Generate(context.Background(), ids(20), generate.Options{MaxTokens: 60, Sample: sample.Options{Temperature: 1, TopK: 50, TopP: 0.95, Seed: 7}}, nil)
		e.Close()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = r
		} else if !slices.Equal(r.IDs, first.IDs) {
			t.Errorf("%d threads: %v, 1 thread: %v", threads, r.IDs, first.IDs)
		}
	}
}

func TestStopping(t *testing.T) {
	b := backend(t, cpu.Options{})
	e := generate.New(b, small(t, b, "gpt2"), tokens())
	defer e.Close()
	gen := func(o generate.Options) (*generate.Result, string) {
		t.Helper()
		o.Sample = sample.Options{Temperature: 1, Seed: 3}
		var shown strings.Builder
		r, err := e.Generate(context.Background(), ids(10), o, func(p generate.Piece) bool {
			shown.WriteString(p.Text)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if shown.String() != r.Text {
			t.Errorf("streamed %q, result %q", shown.String(), r.Text)
		}
		return r, r.Text
	}
	whole, text := gen(generate.Options{MaxTokens: 40})
	if whole.Finish != generate.FinishLength || len(whole.IDs) != 40 {
		t.Errorf("40 tokens: %d, %s", len(whole.IDs), whole.Finish)
	}
	raw := make([]byte, 0, 40)
	for _, id := range whole.IDs {
		raw = append(raw, tokens()[id]...)
	}
	if text != string(raw) {
		t.Errorf("text %q, bytes of the ids %q", text, raw)
	}
	stop := string(raw[11:14]) // three tokens
	cut, before := gen(generate.Options{MaxTokens: 40, Stop: []string{stop, "no such text"}})
	if want := string(raw[:strings.Index(string(raw), stop)]); cut.Finish != generate.FinishString || cut.Stopped != stop || before != want {
		t.Errorf("stop string: %s %q, want %q", cut.Finish, before, want)
	}
	byID, _ := gen(generate.Options{MaxTokens: 40, StopIDs: []int32{whole.IDs[8]}})
	if n := slices.Index(whole.IDs, whole.IDs[8]); byID.Finish != generate.FinishStop || len(byID.IDs) != n {
		t.Errorf("stop id: %s after %d tokens, want %d", byID.Finish, len(byID.IDs), n)
	}
	long, _ := gen(generate.Options{})
	if long.Finish != generate.FinishContext || len(long.IDs) != 150 {
		t.Errorf("no limit: %s after %d tokens, want the context's 150", long.Finish, len(long.IDs))
	}
}

func TestErrors(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	e := generate.New(b, m, nil)
	defer e.Close()
	for _, c := range []struct {
		name   string
		prompt []int32
		o      generate.Options
		want   string
	}{
		{"empty", nil, generate.Options{}, "empty"},
		{"too long", ids(160), generate.Options{}, "context is 160"},
		{"unknown id", []int32{256}, generate.Options{}, "outside the vocabulary"},
		{"no tokenizer", ids(2), generate.Options{Stop: []string{"x"}}, "need a tokenizer"},
		{"negative temperature", ids(2), generate.Options{Sample: sample.Options{Temperature: -1}}, "temperature"},
	} {
		if _, err := e.Generate(context.Background(), c.prompt, c.o, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Generate(ctx, ids(3), generate.Options{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	broken := make([]float32, m.Unembedding().Len())
	for i := range broken {
		broken[i] = float32(math.NaN())
	}
	b.Upload(m.Unembedding().T, broken)
	m.Unembedding().Changed()
	if _, err := e.Generate(context.Background(), ids(3), generate.Options{}, nil); !errors.Is(err, generate.ErrNoLogits) {
		t.Errorf("broken weights: %v", err)
	}
}
