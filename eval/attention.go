package eval

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// AttentionLayer is what the heads of one layer look at in a text.
type AttentionLayer []AttentionHead

// AttentionHead is one query head over a text of T tokens. Keys and values are
// those of the head's group. Positions are in them where the model turns them in.
type AttentionHead struct {
	Q, K, V [][]float64 // (T, D)
	Weights [][]float64 // (T, T): row t is how token t shares its attention out; it sums to 1 over what it sees
}

// ObserveAttention runs ids through m and returns the heads of every layer; those that
// wanted refuses are left empty (nil: all are wanted). The weights are computed in
// float64 from the queries and keys that attention took, as T x T matrices: keep ids
// short.
func ObserveAttention(p *op.Pass, m model.Model, ids []int32, wanted func(layer, head int) bool) ([]AttentionLayer, error) {
	d := m.Dims()
	if len(ids) == 0 || len(ids) > d.Context {
		return nil, fmt.Errorf("%d tokens to look at: the model takes 1 to %d", len(ids), d.Context)
	}
	layers := make([]AttentionLayer, d.Layers)
	in := &model.Input{B: 1, T: len(ids), IDs: ids, Pos: model.Positions(0, len(ids))}
	in.Observe = func(layer int, a *tensor.Attention, q, k, v *tensor.Tensor) {
		queries, keys, values := p.Host(q), p.Host(k), p.Host(v)
		layers[layer] = make(AttentionLayer, a.H)
		for h := range a.H {
			if wanted != nil && !wanted(layer, h) {
				continue
			}
			kv := h / (a.H / a.K)
			x := AttentionHead{Q: columns(queries, q.Cols, h*a.D, a.D), K: columns(keys, k.Cols, kv*a.D, a.D), V: columns(values, v.Cols, kv*a.D, a.D)}
			for t := range x.Q {
				x.Weights = append(x.Weights, weights(a, t, x.Q[t], x.K))
			}
			layers[layer][h] = x
		}
	}
	m.Hidden(p, in)
	p.Reset()
	return layers, nil
}

// columns is columns [from, from+n) of rows of the given width.
func columns(x []float32, width, from, n int) [][]float64 {
	out := make([][]float64, len(x)/width)
	for i := range out {
		out[i] = make([]float64, n)
		for j := range out[i] {
			out[i][j] = float64(x[i*width+from+j])
		}
	}
	return out
}

// weights is the softmax of row t over the keys it sees, zeros elsewhere.
func weights(a *tensor.Attention, t int, q []float64, keys [][]float64) []float64 {
	w := make([]float64, len(keys))
	top := math.Inf(-1)
	lo, hi := int(a.Lo[t]), int(a.Hi[t])
	for i := lo; i < hi; i++ {
		for j, x := range q {
			w[i] += x * keys[i][j]
		}
		w[i] *= a.Scale
		if a.SoftCap != 0 {
			w[i] = a.SoftCap * math.Tanh(w[i]/a.SoftCap)
		}
		top = max(top, w[i])
	}
	var sum float64
	for i := lo; i < hi; i++ {
		w[i] = math.Exp(w[i] - top)
		sum += w[i]
	}
	for i := lo; i < hi; i++ {
		w[i] /= sum
	}
	return w
}
