package eval_test

import (
	"math"
	"reflect"
	"testing"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
)

// TestObserveAttention checks that rows sum to 1 and see nothing ahead, and that
// weights times values are what attention of the backend gives.
func TestObserveAttention(t *testing.T) {
	b, err := cpu.New(cpu.Options{Threads: 1, Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ids := []int32{3, 1, 4, 1, 5, 9, 2, 6, 5, 3}
	for _, family := range []string{"llama", "gpt2"} {
		kv := map[string]int{"llama": 2, "gpt2": 4}[family]
		m, err := zoo.FromShape(b, zoo.Shape{Family: family, Layers: 2, Width: 32, Heads: 4, KVHeads: kv, Vocab: 16, Context: 32})
		if err != nil {
			t.Fatal(err)
		}
		m.Init(b, 1)
		p := op.NewPass(b, op.Options{})
		defer p.Close()
		layers, err := eval.ObserveAttention(p, m, ids, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(layers) != 2 || len(layers[1]) != 4 || len(layers[1][3].Q) != len(ids) || len(layers[1][3].K[0]) != 8 {
			t.Fatalf("%s: %d layers of %d heads", family, len(layers), len(layers[0]))
		}
		one, err := eval.ObserveAttention(p, m, ids, func(layer, head int) bool { return layer == 1 && head == 2 })
		if err != nil || !reflect.DeepEqual(one[1][2], layers[1][2]) || one[0][2].Weights != nil || one[1][3].Weights != nil {
			t.Errorf("%s: head 2 of layer 1 alone is not what it is among all, or others came too (%v)", family, err)
		}
		in := &model.Input{B: 1, T: len(ids), IDs: ids, Pos: model.Positions(0, len(ids))}
		in.Observe = func(layer int, a *tensor.Attention, q, k, v *tensor.Tensor) {
			got := p.Host(op.Attention(p, &op.Value{T: q}, &op.Value{T: k}, &op.Value{T: v}, a).T)
			for h, x := range layers[layer] {
				for i, row := range x.Weights {
					sum := 0.0
					for j, w := range row {
						sum += w
						if j > i && w != 0 || w < 0 {
							t.Errorf("%s: token %d gives %g to token %d", family, i, w, j)
						}
					}
					if math.Abs(sum-1) > 1e-12 {
						t.Errorf("%s: layer %d, head %d: row %d sums to %v", family, layer, h, i, sum)
					}
					for c := range 8 {
						y := 0.0
						for j, w := range row {
							y += w * x.V[j][c]
						}
						if g := float64(got[i*32+h*8+c]); math.Abs(g-y) > 1e-5 {
							t.Errorf("%s: layer %d, head %d, token %d: weights give %g, attention %g", family, layer, h, i, y, g)
						}
					}
				}
			}
		}
		m.Hidden(p, in)
	}
}
