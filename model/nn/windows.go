package nn

import "github.com/foundling-lm/foundling/model"

// Windows is the attention of a model whose layers look back differently far.
type Windows struct {
	layers []*Attention
}

// NewWindows prepares attention over in; windows is how far back each layer
// sees (0: no limit).
func NewWindows(in *model.Input, d model.Dims, windows []int) *Windows {
	w, made := &Windows{}, map[int]*Attention{}
	for _, n := range windows {
		if made[n] == nil {
			made[n] = NewAttention(in, d, n)
		}
		w.layers = append(w.layers, made[n])
	}
	return w
}

// Scores sets the factor of all scores and their soft cap (0: none).
func (w *Windows) Scores(scale, softCap float64) {
	for _, a := range w.layers {
		a.Scores(scale, softCap)
	}
}

// Layer is the attention of one layer.
func (w *Windows) Layer(i int) *Attention { return w.layers[i] }

// Done advances the cache after the last layer.
func (w *Windows) Done() { w.layers[0].Done() }
