package posttrain_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

// plain is a Llama in float64, written out token by token: what the tests of
// fine-tuning compare with.
type plain struct {
	layers, heads, kv, d int
	w                    map[string][]float64 // by name, in the layout of checkpoints
}

// rows is W x for W (len(out), len(x)), with the adapter of W.
func (m *plain) rows(name string, x []float64) []float64 {
	w := m.w[name]
	n := len(w) / len(x)
	y := make([]float64, n)
	for i := range y {
		for j, v := range x {
			y[i] += w[i*len(x)+j] * v
		}
	}
	if a := m.w[name+".A"]; a != nil {
		b, r := m.w[name+".B"], len(a)/len(x)
		for k := range r {
			u := 0.0
			for j, v := range x {
				u += a[k*len(x)+j] * v
			}
			for i := range y {
				y[i] += m.w[name+".scale"][0] * b[i*r+k] * u
			}
		}
	}
	return y
}

func (m *plain) norm(name string, x []float64) []float64 {
	s := 0.0
	for _, v := range x {
		s += v * v
	}
	s = 1 / math.Sqrt(s/float64(len(x))+1e-5)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v * s * m.w[name][i]
	}
	return y
}

// turn is rotary position embedding of the heads of x.
func (m *plain) turn(x []float64, pos int) {
	for h := 0; h < len(x); h += m.d {
		for i := range m.d / 2 {
			angle := float64(pos) * math.Pow(10000, -2*float64(i)/float64(m.d))
			a, b := x[h+i], x[h+i+m.d/2]
			x[h+i] = a*math.Cos(angle) - b*math.Sin(angle)
			x[h+i+m.d/2] = b*math.Cos(angle) + a*math.Sin(angle)
		}
	}
}

// loss is the sum of the losses of the trained ids of one example, alone.
func (m *plain) loss(e batch.Example) (sum float64) {
	type kv struct{ k, v []float64 }
	past := make([][]kv, m.layers)
	embed := m.w["model.embed_tokens.weight"]
	c := len(m.w["model.norm.weight"])
	for t, id := range e.IDs[:len(e.IDs)-1] {
		x := append([]float64(nil), embed[int(id)*c:int(id+1)*c]...)
		for l := range m.layers {
			at := func(s string) string { return fmt.Sprintf("model.layers.%d.%s.weight", l, s) }
			h := m.norm(at("input_layernorm"), x)
			q, k, v := m.rows(at("self_attn.q_proj"), h), m.rows(at("self_attn.k_proj"), h), m.rows(at("self_attn.v_proj"), h)
			m.turn(q, t)
			m.turn(k, t)
			past[l] = append(past[l], kv{k, v})
			out := make([]float64, len(q))
			for head := range m.heads {
				g := head / (m.heads / m.kv) * m.d
				score, z := make([]float64, t+1), 0.0
				for s, p := range past[l] {
					for i := range m.d {
						score[s] += q[head*m.d+i] * p.k[g+i]
					}
					score[s] = math.Exp(score[s] / math.Sqrt(float64(m.d)))
					z += score[s]
				}
				for s, p := range past[l] {
					for i := range m.d {
						out[head*m.d+i] += score[s] / z * p.v[g+i]
					}
				}
			}
			for i, y := range m.rows(at("self_attn.o_proj"), out) {
				x[i] += y
			}
			h = m.norm(at("post_attention_layernorm"), x)
			gate, up := m.rows(at("mlp.gate_proj"), h), m.rows(at("mlp.up_proj"), h)
			for i := range gate {
				gate[i] = gate[i] / (1 + math.Exp(-gate[i])) * up[i]
			}
			for i, y := range m.rows(at("mlp.down_proj"), gate) {
				x[i] += y
			}
		}
		if !e.Train[t+1] {
			continue
		}
		logits, z := m.rows("model.embed_tokens.weight", m.norm("model.norm.weight", x)), 0.0
		for _, y := range logits {
			z += math.Exp(y)
		}
		sum += math.Log(z) - logits[e.IDs[t+1]]
	}
	return sum
}

// mean is the loss of a step on all examples.
func (m *plain) mean(ex []batch.Example) float64 {
	sum, n := 0.0, 0
	for _, e := range ex {
		sum += m.loss(e)
		for _, t := range e.Train[1:] {
			if t {
				n++
			}
		}
	}
	return sum / float64(n)
}

// TestAgainstPlainFineTuning compares loss and gradients of packed, masked
// fine-tuning, of all weights and of an adapter, with a float64 model that sees
// each example alone; its gradients are differences.
func TestAgainstPlainFineTuning(t *testing.T) {
	for _, adapted := range []bool{false, true} {
		b, err := cpu.New(cpu.Options{Precision: "f32"})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		_, z := setup(t)
		m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 2, Width: 16, Heads: 4, KVHeads: 2, FF: 24, Vocab: z.Tokenizer.VocabSize(), Context: 64, BOS: -1, EOS: -1, Pad: -1})
		if err != nil {
			t.Fatal(err)
		}
		m.Init(b, 5)
		params := m.Params()
		ref := &plain{layers: 2, heads: 4, kv: 2, d: 4, w: map[string][]float64{}}
		fill := func(w *op.Param, name string, std float64) {
			x := make([]float32, w.Len())
			b.Download(x, w.T)
			ref.w[name] = make([]float64, len(x))
			for i := range x {
				x[i] += float32(std * rng.Normal(1, rng.Stream(name), uint64(i)))
				ref.w[name][i] = float64(x[i])
			}
			b.Upload(w.T, x)
			w.Changed()
		}
		for _, w := range params {
			fill(w, w.Name, 0.2)
		}
		if adapted {
			a, err := lora.Attach(b, m, lora.Options{Rank: 3, Alpha: 5})
			if err != nil {
				t.Fatal(err)
			}
			params = a.Params()
			for _, w := range m.Params() {
				if w.LoRA != nil {
					fill(w.LoRA.A, w.Name+".A", 0.1)
					fill(w.LoRA.B, w.Name+".B", 0.1)
					ref.w[w.Name+".scale"] = []float64{w.LoRA.Scale}
				}
			}
		}
		ex := examples(t, z.Tokenizer, 5)
		packed := pack(t, ex, 60, false)
		tr, err := train.New(b, params, m.Unembedding(), train.Options{Schedule: optim.Schedule{Peak: 1e-3, Steps: 1}})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		loss, _ := tr.Accumulate(train.Language(m, packed.Loader(packed.Stats().Rows, 1).At(0)))
		if want := ref.mean(ex); math.Abs(loss-want) > 1e-5 {
			t.Errorf("adapted=%t: loss %.8f, want %.8f", adapted, loss, want)
		}
		for _, w := range params {
			name := w.Name
			if theirs, ok := strings.CutPrefix(name, "base_model.model."); ok {
				theirs = strings.Replace(theirs, ".lora_A.weight", ".weight.A", 1)
				name = strings.Replace(theirs, ".lora_B.weight", ".weight.B", 1)
			}
			g := make([]float32, w.Len())
			b.Download(g, w.Grad)
			for k := range 3 {
				i := rng.Intn(7, rng.Stream(name), uint64(k), len(g))
				const step = 1e-5
				at := ref.w[name][i]
				ref.w[name][i] = at + step
				up := ref.mean(ex)
				ref.w[name][i] = at - step
				down := ref.mean(ex)
				ref.w[name][i] = at
				if want := (up - down) / (2 * step); math.Abs(float64(g[i])-want) > 1e-5*math.Max(1, math.Abs(want)) {
					t.Errorf("adapted=%t: gradient of %s[%d] is %.8f, want %.8f", adapted, w.Name, i, g[i], want)
				}
			}
		}
	}
}
