package lora

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Files of an adapter's directory, as Hugging Face's PEFT names them.
const (
	ConfigFile  = "adapter_config.json"
	WeightsFile = "adapter_model.safetensors"
)

// A tensor is called as its layer is, with these around the name.
const (
	peftPrefix = "base_model.model."
	suffixA    = ".lora_A.weight"
	suffixB    = ".lora_B.weight"
)

// config is adapter_config.json.
type config struct {
	Type        string   `json:"peft_type"` // "LORA"
	Task        string   `json:"task_type,omitempty"`
	Base        string   `json:"base_model_name_or_path"`
	Rank        int      `json:"r"`
	Alpha       float64  `json:"lora_alpha"`
	Dropout     float64  `json:"lora_dropout"`
	Targets     any      `json:"target_modules"` // a list, or one expression
	FanInFanOut bool     `json:"fan_in_fan_out"` // the weights below are input-major; changes lie the same either way
	Bias        string   `json:"bias"`
	RSLoRA      bool     `json:"use_rslora"` // Kalajdzievski 2023, arXiv 2312.03732: alpha is divided by the root of the rank
	DoRA        bool     `json:"use_dora"`
	LoRABias    bool     `json:"lora_bias"`
	Modules     []string `json:"modules_to_save"`
	Inference   bool     `json:"inference_mode"`

	Ranks  map[string]int     `json:"rank_pattern"` // other ranks, by expressions for names; the tensors say it too
	Alphas map[string]float64 `json:"alpha_pattern"`
}

// Save writes the adapter to dir for Open and for PEFT; base names the model
// below it, as a directory or by its name on a hub.
func (a *Adapter) Save(dir, base string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	c := config{
		Type: "LORA", Task: "CAUSAL_LM", Base: base, Rank: a.Rank, Alpha: a.Alpha, Dropout: a.Dropout, Bias: "none", Inference: true,
		Ranks: map[string]int{}, Alphas: map[string]float64{},
	}
	targets := a.Targets
	if slices.Contains(targets, AllLinear) {
		targets = kinds(a.changed)
	}
	c.Targets = targets
	for _, w := range a.changed {
		c.FanInFanOut = c.FanInFanOut || w.InOut
	}
	if err := checkpoint.Save(filepath.Join(dir, WeightsFile), dtype.F32, nil, model.Sources(a.b, a.Params()), 0); err != nil {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(dir, ConfigFile), c)
}

// Is says whether dir holds an adapter.
func Is(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, ConfigFile))
	return err == nil
}

// Open attaches the adapter in dir, written by Save or by PEFT, to m.
func Open(b tensor.Backend, m model.Model, dir string) (*Adapter, error) {
	a, err := Read(b, m, dir)
	if err == nil {
		a.attach()
	}
	return a, err
}

// Read is Open without attaching: m, which may be at work, computes what it did.
func Read(b tensor.Backend, m model.Model, dir string) (*Adapter, error) {
	c, path, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	scale, err := c.scales()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	path = filepath.Join(dir, WeightsFile)
	f, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a := &Adapter{Options: Options{Rank: c.Rank, Alpha: c.Alpha, Dropout: c.Dropout}, b: b}
	if err := a.read(m, f, scale); err != nil {
		a.Detach()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	a.Targets = kinds(a.changed)
	return a, nil
}

// scales checks the configuration and returns the factor of the change of a
// layer, by its rank.
func (c *config) scales() (func(layer string, rank int) float64, error) {
	switch {
	case c.Type != "LORA":
		return nil, fmt.Errorf("peft_type is %q: only LORA is supported", c.Type)
	case c.Rank <= 0 || c.Rank > mostRank:
		return nil, fmt.Errorf("r is %d: it must lie between 1 and %d", c.Rank, mostRank)
	case !(math.Abs(c.Alpha) > 0) || math.IsInf(c.Alpha, 0):
		return nil, fmt.Errorf("lora_alpha is %g: it must not be 0", c.Alpha)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return nil, fmt.Errorf("lora_dropout is %g: it must lie in [0, 1)", c.Dropout)
	case c.DoRA:
		return nil, errors.New("use_dora is true: changes of directions and magnitudes apart are not supported, merge the adapter where it was made")
	case c.LoRABias || c.Bias != "" && c.Bias != "none":
		return nil, fmt.Errorf("bias is %q, lora_bias %t: adapters with biases are not supported, merge the adapter where it was made", c.Bias, c.LoRABias)
	case len(c.Modules) > 0:
		return nil, fmt.Errorf("modules_to_save is %v: adapters that replace whole layers are not supported, merge the adapter where it was made", c.Modules)
	}
	patterns := slices.Sorted(maps.Keys(c.Alphas))
	var expressions []*regexp.Regexp
	for _, pattern := range patterns {
		e, err := regexp.Compile(`^(.*\.)?(` + pattern + `)$`)
		if err != nil {
			return nil, fmt.Errorf("alpha_pattern: %w", err)
		}
		expressions = append(expressions, e)
	}
	return func(layer string, rank int) float64 {
		alpha := c.Alpha
		if i := slices.IndexFunc(expressions, func(e *regexp.Regexp) bool { return e.MatchString(layer) }); i >= 0 {
			alpha = c.Alphas[patterns[i]]
		}
		if c.RSLoRA {
			return alpha / math.Sqrt(float64(rank))
		}
		return alpha / float64(rank)
	}, nil
}

// read attaches the changes of f's tensors to the layers that they name.
func (a *Adapter) read(m model.Model, f *checkpoint.File, scale func(layer string, rank int) float64) error {
	all, err := matrices(m)
	if err != nil {
		return err
	}
	byName := map[string]*op.Param{}
	for _, w := range all {
		byName[layer(w)] = w
	}
	left := map[string]string{} // layer -> the layer's name in the file
	for _, name := range f.Names() {
		theirs, ok := strings.CutSuffix(name, suffixA)
		if !ok {
			if theirs, ok = strings.CutSuffix(name, suffixB); !ok {
				return fmt.Errorf("tensor %s: only %s and %s of layers are supported", name, suffixA[1:], suffixB[1:])
			}
		}
		ours := strings.TrimPrefix(theirs, peftPrefix)
		if r, ok := m.(model.Repairer); ok && byName[ours] == nil {
			ours = strings.TrimSuffix(r.Repair(ours+".weight"), ".weight")
		}
		if byName[ours] == nil {
			return fmt.Errorf("tensor %s: this %s model has no layer %s: the adapter belongs to another model", name, m.Family(), ours)
		}
		left[ours] = theirs
	}
	if len(left) == 0 {
		return errors.New("it has no tensors")
	}
	for _, w := range all { // in the order of the network
		theirs, ok := left[layer(w)]
		if !ok {
			continue
		}
		if err := a.readOne(w, f, theirs, scale); err != nil {
			return err
		}
	}
	return nil
}

// readOne attaches the change of w, whose layer the file calls name.
func (a *Adapter) readOne(w *op.Param, f *checkpoint.File, name string, scale func(layer string, rank int) float64) error {
	t, ok := f.Tensor(name + suffixA)
	if !ok {
		return fmt.Errorf("tensor %s is missing: the file has its other half", name+suffixA)
	}
	if len(t.Shape) != 2 || t.Shape[0] <= 0 || t.Shape[0] > mostRank {
		return fmt.Errorf("tensor %s has shape %v: (rank, inputs) is needed", t.Name, t.Shape)
	}
	l := a.change(w, t.Shape[0], scale(layer(w), t.Shape[0]))
	for _, part := range []struct {
		p    *op.Param
		name string
	}{{l.A, name + suffixA}, {l.B, name + suffixB}} {
		t, ok := f.Tensor(part.name)
		if !ok {
			return fmt.Errorf("tensor %s is missing: the file has its other half", part.name)
		}
		if !slices.Equal(t.Shape, part.p.Shape) {
			return fmt.Errorf("tensor %s has shape %v, the model's layer asks for %v: the adapter belongs to another model", part.name, t.Shape, part.p.Shape)
		}
		x := make([]float32, part.p.Len())
		if err := t.Float32s(x); err != nil {
			return err
		}
		a.b.Upload(part.p.T, x)
	}
	return nil
}

// BaseOf is the model that the adapter in dir is of, as its file names it: a
// directory, or a name on a hub.
func BaseOf(dir string) (string, error) {
	c, path, err := readConfig(dir)
	if err == nil && c.Base == "" {
		err = fmt.Errorf("%s does not name the model below: write it there as base_model_name_or_path", path)
	}
	return c.Base, err
}

// readConfig reads adapter_config.json and says where it lies.
func readConfig(dir string) (c config, path string, err error) {
	path = filepath.Join(dir, ConfigFile)
	found, err := atomicfile.ReadJSON(path, &c)
	if err == nil && !found {
		err = fmt.Errorf("%s is no adapter: it has no %s", dir, ConfigFile)
	}
	return c, path, err
}
