package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Repairer is a Model whose checkpoints come with other names too. Repair maps
// a name in the file to the model's; "" drops the tensor.
type Repairer interface {
	Repair(name string) string
}

// Bind reads the parameters of m from a checkpoint. It is strict: a parameter
// that the file lacks, a tensor that the model lacks and a wrong shape are
// errors that name the tensor.
func Bind(b tensor.Backend, m Model, f *checkpoint.File) error { return bind(b, m, f, false) }

// BindStored is Bind for a model that will not be trained: matrices stay in the
// block format or bf16 in which the file has them, laid out for the backend's
// products. What was read is dropped from memory as it goes.
func BindStored(b tensor.Backend, m Model, f *checkpoint.File) error { return bind(b, m, f, true) }

func bind(b tensor.Backend, m Model, f *checkpoint.File, stored bool) error {
	repair := func(name string) string { return name }
	if r, ok := m.(Repairer); ok {
		repair = r.Repair
	}
	files := map[string]string{} // model's name -> file's name
	for _, name := range f.Names() {
		if to := repair(name); to != "" {
			files[to] = name
		}
	}
	var errs []error
	for _, w := range m.Params() {
		if err := bindOne(b, w, f, files, stored); err != nil {
			errs = append(errs, err)
		}
		delete(files, w.Name)
	}
	for _, name := range files {
		if name == "lm_head.weight" && tied(m) {
			continue // some writers repeat the tied embedding
		}
		errs = append(errs, fmt.Errorf("tensor %s: the %s model of config.json has no such parameter", name, m.Family()))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if len(errs) > 5 {
		errs = append(errs[:5], fmt.Errorf("... and %d more", len(errs)-5))
	}
	return errors.Join(errs...)
}

func tied(m Model) bool {
	for _, w := range m.Params() {
		if w.Name == "lm_head.weight" {
			return false
		}
	}
	return true
}

func bindOne(b tensor.Backend, w *op.Param, f *checkpoint.File, files map[string]string, stored bool) error {
	name, ok := files[w.Name]
	if !ok {
		return fmt.Errorf("tensor %s is missing: config.json describes a model that has it", w.Name)
	}
	t, _ := f.Tensor(name)
	if !slices.Equal(t.Shape, w.Shape) {
		return fmt.Errorf("tensor %s has shape %v, config.json asks for %v", name, t.Shape, w.Shape)
	}
	defer f.Drop(t)
	if stored && len(w.Shape) == 2 && !w.InOut && (t.DType.IsBlock() || t.Stored == "BF16") {
		if err := w.SetWeights(b, t.DType, t.Data); err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
		return nil
	}
	x := make([]float32, w.Len())
	if err := t.Float32s(x); err != nil {
		return fmt.Errorf("tensor %s: %w", name, err)
	}
	b.Upload(w.T, x)
	w.Changed()
	return nil
}

// Sources are the parameters of m as a checkpoint is written.
func Sources(b tensor.Backend, m Model) []checkpoint.Source {
	var out []checkpoint.Source
	for _, w := range m.Params() {
		out = append(out, checkpoint.Source{Name: w.Name, Shape: w.Shape, Read: func(dst []float32) error {
			b.Download(dst, w.T)
			return nil
		}})
	}
	return out
}
