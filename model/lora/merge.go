package lora

import (
	"fmt"
	"strings"

	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Merge adds the changes to the weights and detaches the adapter. A matrix in a
// constant format becomes one of full numbers.
func (a *Adapter) Merge() {
	for i, w := range a.changed {
		if wide := a.b.Wide(); w.T.DType != wide {
			t := tensor.Over(a.b.Alloc(w.T.Len()*wide.Size()), wide, w.T.Rows, w.T.Cols)
			t.Name = w.T.Name
			a.b.Copy(t, w.T)
			a.b.Release(w.T.Mem)
			w.T = t
		}
		a.add(w.T, w, a.changes[i])
		w.Changed()
	}
	a.Detach()
}

// add adds the change l of w to t, which has the shape of w: Scale B A, or its
// transpose.
func (a *Adapter) add(t *tensor.Tensor, w *op.Param, l *op.LoRA) {
	b := a.b
	scaled := tensor.Over(b.Alloc(l.B.Len()*b.Wide().Size()), b.Wide(), l.B.T.Rows, l.B.T.Cols)
	defer b.Release(scaled.Mem)
	b.Scale(scaled, l.B.T, l.Scale)
	if w.InOut {
		b.MatMul(t, l.A.T, scaled, tensor.MatMul{TransA: true, TransB: true, Accumulate: true})
	} else {
		b.MatMul(t, scaled, l.A.T, tensor.MatMul{Accumulate: true})
	}
}

// Sources are the tensors ts of the model below with the changes added as they
// are read: the merged model on its way to a file, one matrix at a time.
func (a *Adapter) Sources(ts []checkpoint.Source) ([]checkpoint.Source, error) {
	changed := map[string]int{}
	for i, w := range a.changed {
		changed[w.Name] = i
	}
	out := make([]checkpoint.Source, len(ts))
	for i, s := range ts {
		out[i] = s
		at, ok := changed[s.Name]
		if !ok {
			continue
		}
		w, l := a.changed[at], a.changes[at]
		delete(changed, s.Name)
		out[i].Read = func(dst []float32) error {
			if err := s.Read(dst); err != nil {
				return err
			}
			t := tensor.Over(a.b.Alloc(len(dst)*a.b.Wide().Size()), a.b.Wide(), w.T.Rows, w.T.Cols)
			defer a.b.Release(t.Mem)
			a.b.Upload(t, dst)
			a.add(t, w, l)
			a.b.Download(dst, t)
			return nil
		}
	}
	if len(changed) > 0 {
		var names []string
		for name := range changed {
			names = append(names, name)
		}
		return nil, fmt.Errorf("the model has no %s, which the adapter changes", strings.Join(names, ", "))
	}
	return out, nil
}
