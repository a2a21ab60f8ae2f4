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

// convertCmd writes a model in another format.
type convertCmd struct {
	In      string `arg:"" help:"Model: a directory in the layout of Hugging Face, a GGUF file, or the name of a model of the store." placeholder:"IN"`
	Out     string `arg:"" help:"What to write: a GGUF file where the name ends in .gguf, else a directory." placeholder:"OUT"`
	Type    string `help:"Number format of the weights: f32, f16, bf16, and for GGUF files q8_0, q4_0, q4_k_m, q5_k_m, q6_k, ... Default: as it is, or f32 where it is a block format." placeholder:"TYPE"`
	Force   bool   `help:"Replace what is there."`
	Threads int    `help:"Compute threads; 0 means all processors. The bytes do not depend on it." default:"0"`
	storeFlags
}

// Help is the detail of --help.
func (convertCmd) Help() string {
	return `Types of GGUF files: ` + strings.Join(gguf.Types(), " ") + `.
q4_k_m and q5_k_m are llama.cpp's mixes; rows that are not whole blocks take the
next wider format. llama.cpp loads the files.

Examples:

    foundling convert run1 run1-q4_k_m.gguf --type q4_k_m
    foundling convert model.gguf model --type bf16`
}

// Run converts.
func (c *convertCmd) Run() error {
	c.Type = strings.ToLower(c.Type)
	if c.Type != "" && !slices.Contains(gguf.Types(), c.Type) {
		return usageError{fmt.Errorf("--type %q is unknown: %s are supported", c.Type, strings.Join(gguf.Types(), ", "))}
	}
	if _, err := os.Stat(c.Out); err == nil && !c.Force {
		return usageError{errors.New(c.Out + " is there already: choose another name or give --force")}
	}
	if err := checkThreads(c.Threads); err != nil {
		return err
	}
	in, err := c.modelPath(c.In)
	if err != nil {
		return err
	}
	p := newProgress("converting " + c.In)
	defer p.Close()
	return bundle.Convert(in, c.Out, bundle.ConvertOptions{
		Type: c.Type, Threads: c.Threads,
		Progress: func(done, total int64) { p.Set("converting "+c.In, done, total) },
	})
}
