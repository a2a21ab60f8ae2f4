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

// Weights is where Bind finds tensors: a checkpoint.File, or a GGUF file seen
// under the names of the model.
type Weights interface {
	Names() []string
	Tensor(name string) (*checkpoint.Tensor, bool)
	// Drop says that a tensor has been read: its memory may be given back.
	Drop(t *checkpoint.Tensor)
}

// Repairer is a Model whose checkpoints come with other names too. Repair maps
// a name in the file to the model's; "" drops the tensor.
type Repairer interface {
	Repair(name string) string
}

// Bind reads the parameters of m from a checkpoint. It is strict: a parameter
// that the file lacks, a tensor that the model lacks and a wrong shape are
// errors that name the tensor.
func Bind(b tensor.Backend, m Model, f Weights) error { return bind(b, m, f, false) }

// BindStored is Bind for a model that will not be trained: matrices stay in the
// block format or bf16 in which the file has them, laid out for the backend's
// products. What was read is dropped from memory as it goes.
func BindStored(b tensor.Backend, m Model, f Weights) error { return bind(b, m, f, true) }

func bind(b tensor.Backend, m Model, f Weights, stored bool) error {
	files := repaired(m, f)
	var errs []error
	for _, w := range m.Params() {
		if err := bindOne(b, w, f, files, stored); err != nil {
			errs = append(errs, err)
		}
		delete(files, w.Name)
	}
	errs = append(errs, leftOver(m, files)...)
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if len(errs) > 5 {
		errs = append(errs[:5], fmt.Errorf("... and %d more", len(errs)-5))
	}
	return errors.Join(errs...)
}

// repaired maps the model's names to the file's.
func repaired(m Model, f Weights) map[string]string {
	repair := func(name string) string { return name }
	if r, ok := m.(Repairer); ok {
		repair = r.Repair
	}
	files := map[string]string{}
	for _, name := range f.Names() {
		if to := repair(name); to != "" {
			files[to] = name
		}
	}
	return files
}

// leftOver complains of files, tensors that no parameter wanted.
func leftOver(m Model, files map[string]string) (errs []error) {
	for _, name := range files {
		if name == "lm_head.weight" && tied(m) {
			continue // some writers repeat the tied embedding
		}
		errs = append(errs, fmt.Errorf("tensor %s: the %s model of config.json has no such parameter", name, m.Family()))
	}
	return errs
}

func tied(m Model) bool {
	for _, w := range m.Params() {
		if w.Name == "lm_head.weight" {
			return false
		}
	}
	return true
}

func bindOne(b tensor.Backend, w *op.Param, f Weights, files map[string]string, stored bool) error {
	t, err := find(w, f, files)
	if err != nil {
		return err
	}
	name := t.Name
	t.Fetch()
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

// find is the tensor of w, of the right shape.
func find(w *op.Param, f Weights, files map[string]string) (*checkpoint.Tensor, error) {
	name, ok := files[w.Name]
	if !ok {
		return nil, fmt.Errorf("tensor %s is missing: config.json describes a model that has it", w.Name)
	}
	t, _ := f.Tensor(name)
	if !slices.Equal(t.Shape, w.Shape) {
		return nil, fmt.Errorf("tensor %s has shape %v, config.json asks for %v", name, t.Shape, w.Shape)
	}
	return t, nil
}

// Sources are parameters as a checkpoint is written.
func Sources(b tensor.Backend, params []*op.Param) []checkpoint.Source {
	var out []checkpoint.Source
	for _, w := range params {
		out = append(out, checkpoint.Source{Name: w.Name, Shape: w.Shape, Read: func(dst []float32) error {
			b.Download(dst, w.T)
			return nil
		}})
	}
	return out
}

// Release gives the memory of parameters back; their model must not be used
// afterwards.
func Release(b tensor.Backend, params []*op.Param) {
	for _, w := range params {
		w.Release(b)
	}
}

// Stored are the parameters of m as a file has them, under the names of m; it is
// strict as Bind is. Values are read when they are asked for.
func Stored(m Model, f Weights) ([]checkpoint.Source, error) {
	files, errs := repaired(m, f), []error(nil)
	var out []checkpoint.Source
	for _, w := range m.Params() {
		t, err := find(w, f, files)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		delete(files, w.Name)
		name := t.Name
		out = append(out, checkpoint.Source{Name: w.Name, Shape: w.Shape, Read: func(dst []float32) error {
			t, _ := f.Tensor(name)
			defer f.Drop(t)
			return t.Float32s(dst)
		}})
	}
	return out, errors.Join(append(errs, leftOver(m, files)...)...)
}
