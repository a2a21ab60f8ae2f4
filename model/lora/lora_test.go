package lora_test

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
)

func backend(t testing.TB, precision string) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Options{Threads: 2, Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

const vocab = 40

// random is a small model of the family with noise in all weights.
func random(t testing.TB, b tensor.Backend, family string) zoo.Trainable {
	t.Helper()
	kv := 2
	if family == "gpt2" {
		kv = 0
	}
	m, err := zoo.FromShape(b, zoo.Shape{Family: family, Layers: 2, Width: 32, Heads: 4, KVHeads: kv, FF: 64, Vocab: vocab, Context: 32, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 7)
	for _, w := range m.Params() {
		disturb(b, w, 0.1)
	}
	return m
}

// disturb adds normal numbers to w.
func disturb(b tensor.Backend, w *op.Param, std float64) {
	x := make([]float32, w.Len())
	b.Download(x, w.T)
	for i := range x {
		x[i] += float32(std * rng.Normal(9, rng.Stream(w.Name), uint64(i)))
	}
	b.Upload(w.T, x)
	w.Changed()
}

// attach gives m an adapter whose changes are not zero.
func attach(t testing.TB, b tensor.Backend, m model.Model, o lora.Options) *lora.Adapter {
	t.Helper()
	a, err := lora.Attach(b, m, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range a.Params() {
		disturb(b, w, 0.1)
	}
	return a
}

var ids = []int32{3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32}

func logits(b tensor.Backend, m model.Model) []float32 {
	p := op.NewPass(b, op.Options{})
	defer p.Close()
	return p.Host(model.Logits(p, m, m.Hidden(p, &model.Input{B: 1, T: len(ids), IDs: ids, Pos: model.Positions(0, len(ids))})).T)
}

// distance is the norm of a-b in that of b.
func distance(a, b []float32) float64 {
	var diff, norm float64
	for i := range b {
		diff += math.Pow(float64(a[i])-float64(b[i]), 2)
		norm += math.Pow(float64(b[i]), 2)
	}
	return math.Sqrt(diff / norm)
}

// TestEveryFamily attaches, switches off, merges.
func TestEveryFamily(t *testing.T) {
	for _, family := range zoo.Families() {
		t.Run(family, func(t *testing.T) {
			b := backend(t, "f32")
			m := random(t, b, family)
			base := logits(b, m)
			a, err := lora.Attach(b, m, lora.Options{Rank: 3})
			if err != nil {
				t.Fatal(err)
			}
			if got := logits(b, m); !slices.Equal(got, base) {
				t.Errorf("a new adapter changes logits by %g of their norm, want 0", distance(got, base))
			}
			for _, w := range a.Params() {
				disturb(b, w, 0.1)
			}
			changed := logits(b, m)
			if d := distance(changed, base); !(d > 0.01) {
				t.Fatalf("the adapter changes logits by %g of their norm, want more than 0.01", d)
			}
			a.Off(true)
			if got := logits(b, m); !slices.Equal(got, base) {
				t.Errorf("switched off, the adapter changes logits by %g of their norm, want no bit", distance(got, base))
			}
			a.Off(false)
			if got := logits(b, m); !slices.Equal(got, changed) {
				t.Error("switched on again, the adapter computes something else")
			}
			a.Merge()
			if d := distance(logits(b, m), changed); !(d < 1e-5) {
				t.Errorf("merged, logits differ by %g of their norm, want at most 1e-5", d)
			}
			for _, w := range m.Params() {
				if w.LoRA != nil {
					t.Errorf("%s still has a change after the merge", w.Name)
				}
			}
		})
	}
}

// TestEachMatrixAlone gives one kind of layer a change: whatever can be a target
// is computed, and merged the right way round.
func TestEachMatrixAlone(t *testing.T) {
	for _, family := range []string{"gpt2", "phi3", "mixtral", "qwen2_moe"} {
		b := backend(t, "f32")
		a, err := lora.Attach(b, random(t, b, family), lora.Options{Rank: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range a.Params() {
			name, ok := strings.CutSuffix(w.Name, ".lora_A.weight")
			if !ok || !strings.Contains(name, ".1.") {
				continue
			}
			target := strings.TrimPrefix(name, "base_model.model.")
			m := random(t, b, family)
			base := logits(b, m)
			one := attach(t, b, m, lora.Options{Rank: 2, Targets: []string{target}})
			if len(one.Params()) != 2 {
				t.Fatalf("%s: %d parameters, want those of one layer", target, len(one.Params()))
			}
			changed := logits(b, m)
			if slices.Equal(changed, base) && !strings.Contains(target, "experts") { // an expert may see no token
				t.Errorf("%s: the change of %s changes nothing", family, target)
			}
			one.Merge()
			if d := distance(logits(b, m), changed); !(d < 1e-5) {
				t.Errorf("%s: %s merged differs by %g, want at most 1e-5", family, target, d)
			}
		}
	}
}

// TestTargets are names and ends of names.
func TestTargets(t *testing.T) {
	b := backend(t, "f32")
	for _, c := range []struct {
		family  string
		targets []string
		want    int // changes in 2 layers
	}{
		{"llama", []string{"q_proj", "v_proj"}, 4},
		{"llama", []string{"self_attn.q_proj"}, 2},
		{"llama", []string{"model.layers.1.mlp.down_proj"}, 1},
		{"llama", nil, 14},
		{"llama", []string{lora.AllLinear, "q_proj"}, 14},
		{"gpt2", []string{"c_proj"}, 4},
		{"gpt2", []string{"attn.c_proj"}, 2},
	} {
		a, err := lora.Attach(b, random(t, b, c.family), lora.Options{Targets: c.targets})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(a.Params()) / 2; n != c.want {
			t.Errorf("%s %v: %d changes, want %d", c.family, c.targets, n, c.want)
		}
	}
}

func TestAttachErrors(t *testing.T) {
	b := backend(t, "f32")
	for _, c := range []struct {
		o    lora.Options
		want string
	}{
		{lora.Options{Rank: -1}, "rank is -1"},
		{lora.Options{Rank: 1 << 20}, "rank is 1048576"},
		{lora.Options{Alpha: math.NaN()}, "alpha is NaN"},
		{lora.Options{Dropout: 1}, "dropout is 1"},
		{lora.Options{Targets: []string{"q"}}, `target "q" is no layer of this llama model: it has down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj`},
		{lora.Options{Targets: []string{"q_proj", "embed_tokens"}}, `"embed_tokens"`},
	} {
		if _, err := lora.Attach(b, random(t, b, "llama"), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one that says %s", c.o, err, c.want)
		}
	}
	m := random(t, b, "llama")
	attach(t, b, m, lora.Options{})
	if _, err := lora.Attach(b, m, lora.Options{}); err == nil || !strings.Contains(err.Error(), "adapter already") {
		t.Errorf("a second adapter: error %v", err)
	}
}

// TestSourcesAreMerge compares the tensors on their way to a file with Merge.
func TestSourcesAreMerge(t *testing.T) {
	b := backend(t, "f32")
	for _, family := range []string{"gpt2", "llama"} {
		m := random(t, b, family)
		a := attach(t, b, m, lora.Options{Rank: 4})
		ts, err := a.Sources(model.Sources(b, m.Params()))
		if err != nil {
			t.Fatal(err)
		}
		read := func(s checkpoint.Source) []float32 {
			n := 1
			for _, d := range s.Shape {
				n *= d
			}
			x := make([]float32, n)
			if err := s.Read(x); err != nil {
				t.Fatal(err)
			}
			return x
		}
		var got [][]float32
		for _, s := range ts {
			got = append(got, read(s))
		}
		a.Merge()
		for i, s := range model.Sources(b, m.Params()) {
			if !slices.Equal(got[i], read(s)) {
				t.Errorf("%s: %s as a source is not what Merge makes", family, s.Name)
			}
		}
		if _, err := attach(t, b, m, lora.Options{}).Sources(ts[:3]); err == nil {
			t.Error("sources that lack changed matrices: no error")
		}
	}
}

// TestDecoding runs the inference engine over an adapter, on and off.
func TestDecoding(t *testing.T) {
	for _, precision := range []string{"f32", "bf16"} {
		b := backend(t, precision)
		m := random(t, b, "qwen3")
		e := generate.New(b, m, nil)
		defer e.Close()
		text := func() []int32 {
			r, err := e.Generate(context.Background(), ids, generate.Options{MaxTokens: 16}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return r.IDs
		}
		base := text()
		a := attach(t, b, m, lora.Options{Rank: 4, Alpha: 16})
		changed := text()
		if slices.Equal(changed, base) {
			t.Errorf("%s: the adapter changes no token of %v", precision, base)
		}
		next := len(ids) - 1
		full := logits(b, m)[next*vocab : len(ids)*vocab]
		if best := slices.Index(full, slices.Max(full)); int(changed[0]) != best {
			t.Errorf("%s: the engine's first token is %d, a full pass has %d", precision, changed[0], best)
		}
		a.Off(true)
		if got := text(); !slices.Equal(got, base) {
			t.Errorf("%s: switched off, the text is %v, want %v", precision, got, base)
		}
		a.Off(false)
		if got := text(); !slices.Equal(got, changed) {
			t.Errorf("%s: switched on again, the text is %v, want %v", precision, got, changed)
		}
		if a.Merge(); precision == "f32" {
			if got := text(); !slices.Equal(got, changed) {
				t.Errorf("merged, the text is %v, want %v", got, changed)
			}
		}
	}
}

// TestMergeOverConstantWeights merges into weights in bf16 and blocks: the result
// is full numbers, those of the format plus the change.
func TestMergeOverConstantWeights(t *testing.T) {
	for _, dt := range []dtype.Type{dtype.BF16, dtype.Q8_0, dtype.Q4_0} {
		b := backend(t, "f32")
		constant, full := random(t, b, "llama"), random(t, b, "llama")
		for i, w := range constant.Params() {
			if len(w.Shape) != 2 || w.Lookup {
				continue
			}
			x, data := make([]float32, w.Len()), make([]byte, w.T.Rows*dt.RowBytes(w.T.Cols))
			b.Download(x, w.T)
			if dt == dtype.BF16 {
				for j, v := range x {
					bits := math.Float32bits(v) &^ 0xffff
					binary.LittleEndian.PutUint16(data[2*j:], uint16(bits>>16))
					x[j] = math.Float32frombits(bits)
				}
			} else {
				dtype.Quantize(dt, data, x)
				dtype.Dequantize(dt, x, data)
			}
			if err := w.SetWeights(b, dt, data); err != nil {
				t.Fatal(err)
			}
			b.Upload(full.Params()[i].T, x)
			full.Params()[i].Changed()
		}
		base := logits(b, constant)
		a := attach(t, b, constant, lora.Options{Rank: 2})
		changed := logits(b, constant)
		a.Off(true)
		if !slices.Equal(logits(b, constant), base) {
			t.Errorf("%v: switched off, the adapter changes logits", dt)
		}
		a.Off(false)
		a.Merge()
		attach(t, b, full, lora.Options{Rank: 2}).Merge()
		if got := logits(b, constant); !slices.Equal(got, logits(b, full)) {
			t.Errorf("%v: merged, the model is not the one merged into the same numbers", dt)
		} else if d := distance(got, changed); !(d < 0.03) { // products of constant weights round activations
			t.Errorf("%v: merged, logits differ by %g of their norm", dt, d)
		}
	}
}

// TestRecomputeChangesNoBit compares gradients and memory of passes that keep all
// activations with those that make some again.
func TestRecomputeChangesNoBit(t *testing.T) {
	for _, family := range zoo.Families() {
		for _, precision := range []string{"f32", "bf16"} {
			b := backend(t, precision)
			m := random(t, b, family)
			a := attach(t, b, m, lora.Options{Rank: 2, Dropout: 0.2})
			for _, w := range a.Params() {
				w.NeedGrad(b)
			}
			run := func(recompute bool) (g []float32, bytes int) {
				p := op.NewPass(b, op.Options{Record: true, Recompute: recompute})
				defer p.Close()
				h := m.Hidden(p, &model.Input{B: 1, T: len(ids), IDs: ids, Pos: model.Positions(0, len(ids)), Balance: &model.Balance{Weight: 1}})
				model.Loss(p, m, h, ids, op.CrossEntropy{Scale: 1})
				p.Backward()
				for _, w := range a.Params() {
					if !w.Fresh {
						x := make([]float32, w.Len())
						b.Download(x, w.Grad)
						g = append(g, x...)
					}
					w.ZeroGrad()
				}
				return g, p.Bytes()
			}
			want, all := run(false)
			got, some := run(true)
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: gradients of recomputed activations differ by %g of their norm, want no bit", family, precision, distance(got, want))
			}
			if some >= all {
				t.Errorf("%s %s: a pass takes %d bytes with recomputation, %d without", family, precision, some, all)
			}
		}
	}
}
