package model_test

import (
	"encoding/json"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
)

func kernels(t *testing.T, o cpu.Options) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// changed is the reference of a family with other keys in its configuration.
func changed(t *testing.T, name string, keys map[string]any) *independent {
	t.Helper()
	r := *references(t)[name]
	config := map[string]any{}
	if err := json.Unmarshal(r.Config, &config); err != nil {
		t.Fatal(err)
	}
	maps.Copy(config, keys)
	var err error
	if r.Config, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	return &r
}

// logitsOf is the logits of all rows of r.
func logitsOf(b tensor.Backend, m model.Model, in *model.Input) []float32 {
	p := op.NewPass(b, op.Options{})
	defer p.Close()
	return p.Host(model.Logits(p, m, m.Hidden(p, in)).T)
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d logits, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: logit %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

func farthest(a, b []float32) (d float64) {
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

// TestLongWindowIsFull: a window as long as the sequence changes no bit, a
// shorter one does.
func TestLongWindowIsFull(t *testing.T) {
	b := kernels(t, cpu.Options{})
	for name, full := range map[string]map[string]any{
		"mistral": {"sliding_window": nil}, "phi3": {"sliding_window": nil}, "qwen2": {"use_sliding_window": false},
		"qwen3":       {"layer_types": []string{"full_attention", "full_attention"}},
		"gemma2":      {"layer_types": []string{"full_attention", "full_attention"}},
		"gemma3_text": {"layer_types": []string{"full_attention", "full_attention", "full_attention"}, "rope_theta": 50, "rope_scaling": nil},
	} {
		in, _ := references(t)[name].input()
		keys := map[string]any{}
		if name == "gemma3_text" { // the tables of both kinds of layers are one
			keys = map[string]any{"rope_theta": 50, "rope_scaling": nil}
		}
		run := func(more map[string]any) []float32 {
			more = maps.Clone(more)
			maps.Copy(more, keys)
			return logitsOf(b, changed(t, name, more).build(t, b), in)
		}
		want := run(full)
		sameBits(t, name, run(map[string]any{"sliding_window": in.T}), want)
		if d := farthest(run(map[string]any{"sliding_window": in.T - 1}), want); d == 0 {
			t.Errorf("%s: a window of %d of %d tokens changes nothing", name, in.T-1, in.T)
		}
	}
}

// rename makes a copy of the weights of one model in another.
func rename(t *testing.T, b tensor.Backend, from, to model.Model, name func(string) string) {
	t.Helper()
	source := map[string]*op.Param{}
	for _, w := range from.Params() {
		source[w.Name] = w
	}
	for _, w := range to.Params() {
		s := source[name(w.Name)]
		if s == nil || !slices.Equal(s.Shape, w.Shape) {
			t.Fatalf("%s has no source of its shape", w.Name)
		}
		b.Copy(w.T, s.T)
		w.Changed()
	}
}

// TestOneExpertIsDense: a mixture of one expert is the MLP that the expert is,
// but for the rounding of its result before it enters the residual stream.
func TestOneExpertIsDense(t *testing.T) {
	b := kernels(t, cpu.Options{Precision: "f32"})
	in, _ := references(t)["mixtral"].input()
	one := changed(t, "mixtral", map[string]any{"num_local_experts": 1, "num_experts_per_tok": 1}).build(t, b)
	dense, err := zoo.FromConfig(b, changed(t, "mixtral", map[string]any{"model_type": "mistral"}).Config)
	if err != nil {
		t.Fatal(err)
	}
	rename(t, b, one, dense, func(n string) string {
		for gated, w := range map[string]string{"gate_proj": "w1", "down_proj": "w2", "up_proj": "w3"} {
			n = strings.Replace(n, "mlp."+gated, "block_sparse_moe.experts.0."+w, 1)
		}
		return n
	})
	if d := farthest(logitsOf(b, one, in), logitsOf(b, dense, in)); !(d < 2e-6) {
		t.Errorf("Mixtral of one expert is %g away from Mistral", d)
	}
	for _, normalise := range []bool{false, true} {
		one = changed(t, "qwen3_moe", map[string]any{
			"num_experts": 1, "num_experts_per_tok": 1, "moe_intermediate_size": 32, "norm_topk_prob": normalise,
		}).build(t, b)
		dense, err = zoo.FromConfig(b, changed(t, "qwen3_moe", map[string]any{"model_type": "qwen3"}).Config)
		if err != nil {
			t.Fatal(err)
		}
		rename(t, b, one, dense, func(n string) string { return strings.Replace(n, "mlp.", "mlp.experts.0.", 1) })
		if d := farthest(logitsOf(b, one, in), logitsOf(b, dense, in)); !(d < 2e-6) {
			t.Errorf("Qwen 3 of one expert is %g away from the dense one", d)
		}
	}
}

// TestGroupedQueriesAreMultiHead: key/value heads that serve a group are heads
// of their own when they are repeated.
func TestGroupedQueriesAreMultiHead(t *testing.T) {
	b := kernels(t, cpu.Options{})
	in, _ := references(t)["mistral"].input()
	grouped := changed(t, "mistral", nil).build(t, b)
	full := changed(t, "mistral", map[string]any{"num_key_value_heads": 4}).build(t, b)
	d := grouped.Dims()
	for i, w := range full.Params() {
		if !strings.Contains(w.Name, "k_proj") && !strings.Contains(w.Name, "v_proj") {
			continue
		}
		for h := range d.Heads {
			kv := h / (d.Heads / d.KVHeads)
			b.Copy(w.T.RowRange(h*d.HeadDim, (h+1)*d.HeadDim), grouped.Params()[i].T.RowRange(kv*d.HeadDim, (kv+1)*d.HeadDim))
		}
		w.Changed()
	}
	sameBits(t, "multi-head", logitsOf(b, full, in), logitsOf(b, grouped, in))
}

// TestSequencesDoNotSeeEachOther: the bits of a sequence are the same alone, in
// a batch, and at any number of threads; a mixture drops no token.
func TestSequencesDoNotSeeEachOther(t *testing.T) {
	for name, r := range references(t) {
		for _, precision := range []string{"f32", "bf16"} {
			b := kernels(t, cpu.Options{Precision: precision, Threads: 1})
			m := r.build(t, b)
			in, _ := r.input()
			all := logitsOf(b, m, in)
			for row := range in.B {
				alone := &model.Input{B: 1, T: in.T, IDs: in.IDs[row*in.T : (row+1)*in.T], Pos: in.Pos[:in.T]}
				sameBits(t, name+" alone", logitsOf(b, m, alone), all[row*len(all)/in.B:(row+1)*len(all)/in.B])
			}
			three := kernels(t, cpu.Options{Precision: precision, Threads: 3})
			sameBits(t, name+" at three threads", logitsOf(three, r.build(t, three), in), all)
		}
	}
}

// TestSavedFamiliesAreTheSame writes every family, reads it back strictly and
// wants the same bits.
func TestSavedFamiliesAreTheSame(t *testing.T) {
	b := kernels(t, cpu.Options{})
	for name, r := range references(t) {
		m := r.build(t, b)
		in, _ := r.input()
		path := filepath.Join(t.TempDir(), "model.safetensors")
		sources := model.Sources(b, m.Params())
		if err := checkpoint.Save(path, dtype.F32, nil, sources, 0); err != nil {
			t.Fatal(err)
		}
		config, err := json.Marshal(m.Config())
		if err != nil {
			t.Fatal(err)
		}
		again, err := zoo.FromConfig(b, config)
		if err != nil {
			t.Fatal(err)
		}
		bind := func() error {
			f, err := checkpoint.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			return model.Bind(b, again, f)
		}
		if err := bind(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sameBits(t, name, logitsOf(b, again, in), logitsOf(b, m, in))
		lost := sources[len(sources)/2]
		if err := checkpoint.Save(path, dtype.F32, nil, slices.DeleteFunc(sources, func(s checkpoint.Source) bool { return s.Name == lost.Name }), 0); err != nil {
			t.Fatal(err)
		}
		if err := bind(); err == nil || !strings.Contains(err.Error(), lost.Name) {
			t.Errorf("%s without %s: error %v", name, lost.Name, err)
		}
	}
}

// TestGemma3FromModelThatSees takes the text model out of checkpoints that hold
// pictures' weights too, under both layouts of names.
func TestGemma3FromModelThatSees(t *testing.T) {
	b := kernels(t, cpu.Options{})
	r := references(t)["gemma3_text"]
	m := r.build(t, b)
	in, _ := r.input()
	config, err := json.Marshal(map[string]any{"model_type": "gemma3", "text_config": r.Config, "vision_config": map[string]any{"hidden_size": 8}})
	if err != nil {
		t.Fatal(err)
	}
	for _, layout := range []struct{ text, picture string }{{"language_model.model.", "vision_tower."}, {"model.language_model.", "model.multi_modal_projector."}} {
		sources := model.Sources(b, m.Params())
		picture := sources[0]
		picture.Name = layout.picture + "weight"
		for i := range sources {
			sources[i].Name = layout.text + strings.TrimPrefix(sources[i].Name, "model.")
		}
		path := filepath.Join(t.TempDir(), "model.safetensors")
		if err := checkpoint.Save(path, dtype.F32, nil, append(sources, picture), 0); err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := zoo.FromConfig(b, config)
		if err != nil {
			t.Fatal(err)
		}
		err = model.Bind(b, text, f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		sameBits(t, layout.text, logitsOf(b, text, in), logitsOf(b, m, in))
	}
}
