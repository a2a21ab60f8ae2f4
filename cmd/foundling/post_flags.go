package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/foundling-lm/foundling/model/lora"
)

// postFlags are the options of all post-training; see trainFlags.
type postFlags struct {
	Model   *string  `json:"model,omitempty" help:"Model to start from: a directory, a GGUF file, or a name of the store." placeholder:"MODEL"`
	Data    []string `json:"data,omitempty" sep:"none" placeholder:"PATH" help:"Files and folders to learn from. Repeat it, or list more at the end."`
	Context *int     `json:"context,omitempty" help:"Tokens of a sequence (default: the model's, at most 2048)." placeholder:"N"`
	Epochs  *float64 `json:"epochs,omitempty" help:"Readings of all data, instead of --steps." placeholder:"X"`
	Budget  *span    `json:"budget,omitempty" help:"Wall-clock time of the whole command, instead of --steps; turned into steps once." placeholder:"5m"`

	LoRA        *int     `json:"lora,omitempty" name:"lora" help:"Train a low-rank adapter of this rank; the weights stay, in the format that they have (default: train all weights, as f32)." placeholder:"RANK"`
	LoRAAlpha   *float64 `json:"lora-alpha,omitempty" name:"lora-alpha" help:"The adapter's changes are multiplied by alpha / rank (default: twice the rank)." placeholder:"X"`
	LoRATargets []string `json:"lora-targets,omitempty" name:"lora-targets" help:"Layers that get changes, by the ends of their names, as q_proj,v_proj (default all-linear)." placeholder:"NAME"`
	LoRADropout *float64 `json:"lora-dropout,omitempty" name:"lora-dropout" help:"Probability of dropout of what goes into the adapter (default 0)." placeholder:"X"`
	trainFlags
}

// postOptions are postFlags with every field known.
type postOptions struct {
	Model   string   `json:"model"` // absolute
	Data    []string `json:"data"`  // absolute
	Context int      `json:"context"`
	Epochs  float64  `json:"epochs,omitempty"` // 0: --steps or --budget
	Budget  span     `json:"budget,omitempty"` // 0: none

	LoRA        int      `json:"lora,omitempty"` // 0: all weights are trained
	LoRAAlpha   float64  `json:"lora-alpha,omitempty"`
	LoRATargets []string `json:"lora-targets,omitempty"`
	LoRADropout float64  `json:"lora-dropout,omitempty"`

	Weights string `json:"weights"` // hash of the model's
	trainOptions
}

// postCmd are the flags of all post-training that the result does not depend on.
type postCmd struct {
	storeFlags
	computeFlags

	Out       string        `required:"" placeholder:"DIR" help:"Directory of the run and of the finished model or adapter."`
	SaveEvery time.Duration `help:"Time between checkpoints." default:"60s"`
	JSON      bool          `name:"json" help:"Print the result as one JSON object."`

	More []string `arg:"" optional:"" name:"path" help:"More data."`
}

// defaultContext is the longest sequence that is taken without being asked for.
const defaultContext = 2048

// loraRate is the default learning rate of an adapter in a model as wide as
// peakWidth; it falls with the square root of the width.
const loraRate = 2e-3

// resolve fills in and checks what the flags f leave open in a new run of a model
// of the given context and width; rate is the default learning rate as a share
// of that of pre-training.
func (o *postOptions) resolve(f *postFlags, context, width int, rate float64) error {
	if f.Context == nil {
		o.Context = min(context, defaultContext)
	}
	switch {
	case o.Context <= 0 || o.Context > context:
		return fmt.Errorf("--context is %d: it must lie between 1 and the model's %d", o.Context, context)
	case f.Epochs != nil && !(o.Epochs > 0 && o.Epochs <= 1000):
		return fmt.Errorf("--epochs is %g: it must be positive (and at most 1000)", o.Epochs)
	case f.Budget != nil && o.Budget <= 0:
		return fmt.Errorf("--budget is %s: it must be positive", time.Duration(o.Budget))
	}
	if err := o.resolveLength(f); err != nil {
		return err
	}
	if o.LoRA != 0 && f.Optimizer == nil {
		o.Optimizer = "adamw"
	}
	if err := o.trainOptions.resolve(&f.trainFlags, o.Context, width); err != nil {
		return err
	}
	if f.LR == nil {
		if o.LR *= rate; o.LoRA != 0 {
			o.LR = loraRate * math.Sqrt(peakWidth/float64(width))
		}
	}
	return o.resolveLoRA(f)
}

// resolveLength decides between steps, epochs and a budget.
func (o *postOptions) resolveLength(f *postFlags) error {
	given := 0
	for _, is := range []bool{f.Steps != nil, f.Epochs != nil, f.Budget != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		return errors.New("--steps, --epochs and --budget all say how long: give one of them")
	}
	if f.Steps != nil || f.Budget != nil {
		o.Epochs = 0
	}
	if given == 0 && o.Epochs == 0 && o.Steps == 0 {
		return errors.New("how long? give --steps N or --budget 5m")
	}
	return nil
}

func (o *postOptions) resolveLoRA(f *postFlags) error {
	switch {
	case f.LoRA == nil && (f.LoRAAlpha != nil || f.LoRATargets != nil || f.LoRADropout != nil):
		return errors.New("--lora-alpha, --lora-targets and --lora-dropout are of an adapter: give its rank with --lora RANK")
	case f.LoRA == nil:
		return nil
	case o.LoRA <= 0:
		return fmt.Errorf("--lora is %d: the rank must be positive", o.LoRA)
	case f.LoRAAlpha != nil && !(o.LoRAAlpha > 0):
		return fmt.Errorf("--lora-alpha is %g: it must be positive", o.LoRAAlpha)
	}
	if f.LoRAAlpha == nil {
		o.LoRAAlpha = 2 * float64(o.LoRA)
	}
	if o.LoRATargets == nil {
		o.LoRATargets = []string{lora.AllLinear}
	}
	if err := o.adapter().Validate(); err != nil {
		return fmt.Errorf("--lora-%w", err)
	}
	return nil
}

// adapter is what a new adapter is told.
func (o *postOptions) adapter() lora.Options {
	return lora.Options{Rank: o.LoRA, Alpha: o.LoRAAlpha, Targets: o.LoRATargets, Dropout: o.LoRADropout, Seed: o.Seed}
}

// rows is the sequences of a micro-batch.
func (o *postOptions) rows() int { return o.BatchTokens / o.Accumulate / o.Context }
