package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// CheckpointFile is the training state inside a run directory: one safetensors
// file with parameters, optimizer state and, in its metadata, the rest.
const CheckpointFile = "checkpoint.safetensors"

// Save writes the state to path; the old file stays whole until the new one is.
func (t *Trainer) Save(path string) error {
	s := t.state
	s.Options = t.identity()
	meta, err := json.Marshal(s)
	if err != nil {
		return err
	}
	src := model.Sources(t.b, t.params)
	for _, st := range t.opt.States() {
		src = append(src, checkpoint.Source{Name: st.Name, Shape: []int{st.T.Rows, st.T.Cols}, Read: func(dst []float32) error {
			t.b.Download(dst, st.T)
			return nil
		}})
	}
	return checkpoint.Save(path, dtype.F32, map[string]string{"foundling_training": string(meta)}, src, 0)
}

// identity is the options that a checkpoint must share with the run that goes
// on from it. An earlier end (Cut) is not among them, nor how often it saves.
func (t *Trainer) identity() string {
	o := t.o
	o.Schedule.Cuts, o.SaveEvery, o.EvalEvery = nil, 0, 0
	data, err := json.Marshal(o)
	if err != nil {
		panic("train: options: " + err.Error())
	}
	return string(data)
}

// Load restores the state from path. It reports false where there is no such
// file. A checkpoint of other options or of another model is an error.
func (t *Trainer) Load(path string) (bool, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	f, err := checkpoint.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var s state
	if err := json.Unmarshal([]byte(f.Metadata()["foundling_training"]), &s); err != nil {
		return false, fmt.Errorf("%s: metadata foundling_training: %w: this is no training checkpoint", path, err)
	}
	if o := t.identity(); s.Options != o {
		return false, fmt.Errorf("%s was written by a run with other options:\n  then %s\n  now  %s\nuse the same options, or another --out", path, s.Options, o)
	}
	for _, src := range model.Sources(t.b, t.params) {
		if err := load(f, path, src.Name, src.Shape); err != nil {
			return false, err
		}
	}
	for _, w := range t.params {
		x := make([]float32, w.Len())
		c, _ := f.Tensor(w.Name)
		if err := c.Float32s(x); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		t.b.Upload(w.T, x)
		w.Changed()
	}
	for _, st := range t.opt.States() {
		if err := load(f, path, st.Name, []int{st.T.Rows, st.T.Cols}); err != nil {
			return false, err
		}
		x := make([]float32, st.T.Len())
		c, _ := f.Tensor(st.Name)
		if err := c.Float32s(x); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		t.b.Upload(st.T, x)
	}
	t.state = s
	return true, nil
}

// load checks that the file has the tensor in that shape.
func load(f *checkpoint.File, path, name string, shape []int) error {
	c, ok := f.Tensor(name)
	if !ok {
		return fmt.Errorf("%s: tensor %s is missing: this is a checkpoint of another model or optimizer", path, name)
	}
	if fmt.Sprint(c.Shape) != fmt.Sprint(shape) {
		return fmt.Errorf("%s: tensor %s has shape %v, this run needs %v", path, name, c.Shape, shape)
	}
	return nil
}
