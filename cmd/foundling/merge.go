package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/gguf"
)

// mergeCmd adds an adapter to the weights below it.
type mergeCmd struct {
	Model   string `required:"" help:"Model below the adapter: a directory, a GGUF file, or the name of a model of the store." placeholder:"MODEL"`
	Adapter string `required:"" help:"Directory of the adapter (LoRA in PEFT's layout), as sft --lora writes it." placeholder:"DIR" type:"existingdir"`
	Out     string `required:"" help:"What to write: a GGUF file where the name ends in .gguf, else a directory." placeholder:"OUT"`
	Type    string `help:"Number format of the weights, as of convert. Default: as it is, or f32 where it is a block format." placeholder:"TYPE"`
	Force   bool   `help:"Replace what is there."`
	storeFlags
	computeFlags
}

// Help is the detail of --help.
func (mergeCmd) Help() string {
	return `The result needs no adapter any more and computes what both compute together, but
for the rounding of its number format. The sum is made in f32, also over weights in
block formats.

Example:

    foundling merge --model base --adapter adapter --out tuned
    foundling merge --model base.gguf --adapter adapter --out tuned.gguf --type q8_0`
}

// Run merges.
func (c *mergeCmd) Run() error {
	c.Type = strings.ToLower(c.Type)
	if c.Type != "" && !slices.Contains(gguf.Types(), c.Type) {
		return usageError{fmt.Errorf("--type %q is unknown: %s are supported", c.Type, strings.Join(gguf.Types(), ", "))}
	}
	if _, err := os.Stat(c.Out); err == nil && !c.Force {
		return usageError{errors.New(c.Out + " is there already: choose another name or give --force")}
	}
	in, err := c.modelPath(c.Model)
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	b, err := c.exact().backend()
	if err != nil {
		return err
	}
	defer b.Close()
	p := newProgress("merging " + c.Adapter)
	defer p.Close()
	return bundle.Convert(in, c.Out, bundle.ConvertOptions{
		Type: c.Type, Threads: c.Threads, Adapter: c.Adapter, Backend: b,
		Progress: func(done, total int64) { p.Set("merging "+c.Adapter, done, total) },
	})
}
