package bundle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/tensor"
)

// headless is weights without those of a head.
type headless struct{ model.Weights }

// Names leaves the head out.
func (h headless) Names() []string {
	return slices.DeleteFunc(slices.Clone(h.Weights.Names()), func(name string) bool { return name == model.HeadName })
}

// readHead reads the head of a directory whose weights have one; config is its
// config.json, which names the classes.
func (z *Bundle) readHead(b tensor.Backend, f *checkpoint.File, config []byte) error {
	t, ok := f.Tensor(model.HeadName)
	if !ok {
		return nil
	}
	width := z.Model.Dims().Width
	if len(t.Shape) != 2 || t.Shape[0] < 1 || t.Shape[1] != width {
		return fmt.Errorf("tensor %s has shape %v: a head of this model has rows of %d", model.HeadName, t.Shape, width)
	}
	var c struct {
		Labels map[string]string `json:"id2label"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("%s: id2label: %w", ConfigFile, err)
	}
	z.Head = model.NewHead(b, z.Model, t.Shape[0])
	if n := z.Head.Scores(); n > 1 {
		z.Head.Labels = make([]string, n)
		for i := range n {
			z.Head.Labels[i] = "LABEL_" + strconv.Itoa(i) // Hugging Face's name of one that has none
			if name, ok := c.Labels[strconv.Itoa(i)]; ok {
				z.Head.Labels[i] = name
			}
		}
	}
	x := make([]float32, z.Head.W.Len())
	if err := t.Float32s(x); err != nil {
		return fmt.Errorf("tensor %s: %w", model.HeadName, err)
	}
	b.Upload(z.Head.W.T, x)
	return nil
}

// Release gives the memory of the model and of its head back; neither must be used
// afterwards.
func (z *Bundle) Release(b tensor.Backend) {
	model.Release(b, z.Model.Params())
	if z.Head != nil {
		model.Release(b, z.Head.Params())
	}
}

// config is config.json, with the keys of Hugging Face's models for sequence
// classification where there is a head.
func (z *Bundle) config() (any, error) {
	if z.Head == nil {
		return z.Model.Config(), nil
	}
	data, err := json.Marshal(z.Model.Config())
	if err != nil {
		return nil, err
	}
	c := map[string]any{}
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, err
	}
	if list, ok := c["architectures"].([]any); ok && len(list) > 0 {
		if name, ok := list[0].(string); ok {
			name = strings.TrimSuffix(strings.TrimSuffix(name, "ForCausalLM"), "LMHeadModel")
			c["architectures"] = []string{name + "ForSequenceClassification"}
		}
	}
	n := z.Head.Scores()
	c["num_labels"], c["problem_type"] = n, "regression"
	if n > 1 {
		ids, labels := map[string]string{}, map[string]int{}
		for i, name := range z.Head.Labels {
			ids[strconv.Itoa(i)], labels[name] = name, i
		}
		c["id2label"], c["label2id"], c["problem_type"] = ids, labels, "single_label_classification"
		delete(c, "num_labels") // it is the length of id2label
	}
	return c, nil
}
