package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/foundling-lm/foundling/model/hub"
	"github.com/foundling-lm/foundling/plan/machine"
)

// pullCmd brings a model from a hub to the local store.
type pullCmd struct {
	Name     string   `arg:"" help:"OWNER/NAME for a model directory, OWNER/NAME:FILE for one file; of a GGUF file, a part of the name is enough (Q4_K_M)." placeholder:"OWNER/NAME[:FILE]"`
	Revision string   `help:"Branch, tag or commit." default:"main"`
	Include  []string `help:"Pull the files that match instead of those that a model needs; repeat for more." placeholder:"PATTERN" sep:"none"`
	Endpoint string   `help:"URL of the hub." env:"HF_ENDPOINT" default:"${endpoint}" placeholder:"URL"`
	Parallel int      `help:"Files at a time." default:"4"`
	storeFlags
}

// Help is the detail of --help.
func (pullCmd) Help() string {
	return `What is pulled lies in the store, and every command takes its name for --model. A
pull that is interrupted goes on where it stopped when it is given again; a model
appears in the store when all its files are there and their checksums are right.
The token for models that are not public is read from $HF_TOKEN.

Examples:

    foundling pull HuggingFaceTB/SmolLM2-135M-Instruct
    foundling chat --model SmolLM2-135M-Instruct
    foundling pull Qwen/Qwen2.5-0.5B-Instruct-GGUF:q8_0`
}

// Validate is called by kong.
func (c *pullCmd) Validate() error {
	switch {
	case c.Parallel < 1 || c.Parallel > 64:
		return fmt.Errorf("--parallel is %d: give 1 to 64", c.Parallel)
	case !strings.HasPrefix(c.Endpoint, "https://") && !strings.HasPrefix(c.Endpoint, "http://"):
		return fmt.Errorf("--endpoint is %q: give an address that begins with https://", c.Endpoint)
	}
	ref, err := hub.ParseRef(c.Name)
	if err == nil && ref.File != "" && len(c.Include) > 0 {
		err = fmt.Errorf("a file after the colon and --include exclude each other")
	}
	return err
}

// Run pulls and prints the name of the model.
func (c *pullCmd) Run(ctx context.Context) error {
	ref, err := hub.ParseRef(c.Name)
	if err != nil {
		return usageError{err}
	}
	ref.Revision = c.Revision
	s, err := c.store()
	if err != nil {
		return err
	}
	p := newProgress("pulling " + ref.ID)
	defer p.Close()
	var mu sync.Mutex // notes come from several downloads
	client := &hub.Client{
		Endpoint: c.Endpoint, Token: os.Getenv("HF_TOKEN"), Parallel: c.Parallel, Free: machine.DiskFree,
		Progress: func(q hub.Progress) {
			p.Set(fmt.Sprintf("pulling %s, %.1f of %.1f MB", ref.ID, float64(q.Done)/1e6, float64(q.Total)/1e6), q.Done, q.Total)
		},
		Note: func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(os.Stderr, "note: "+format+"\n", args...)
		},
	}
	name, err := client.Pull(ctx, s, ref, c.Include)
	p.Close()
	if ctx.Err() != nil {
		return interrupted("the same command again goes on from here")
	}
	if err != nil {
		return err
	}
	fmt.Println(name)
	if m, err := s.Find(name); err == nil {
		fmt.Fprintf(os.Stderr, "%.1f MB in %s\n", float64(m.Bytes)/1e6, m.Path)
	}
	return nil
}
