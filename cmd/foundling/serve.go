package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/serve"
)

type serveCmd struct {
	Model     []string      `help:"Model directory or GGUF file, or the name of a model of the store; NAME=MODEL gives it a name of its own. Repeat it for more models: the first answers requests that name none." required:"" placeholder:"MODEL" sep:"none"`
	Addr      string        `help:"Address of this machine's own (loopback) to listen on; port 0 takes a free one." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	MaxTokens int           `help:"New tokens of one text at most; 0: what the model's context holds." placeholder:"N"`
	Queue     int           `help:"Texts of a model that are written or wait at a time; requests beyond are told to come again (429)." default:"256"`
	Drain     time.Duration `help:"What texts get to end in after Ctrl-C." default:"30s"`
	Quiet     bool          `help:"Log no requests."`
	speculateFlags
	openFlags
}

// Help is the detail of --help.
func (serveCmd) Help() string {
	return `The interface is OpenAI's: /v1/chat/completions, /v1/completions, /v1/models. Besides
there are /tokenize, /detokenize, /health, /ready, /metrics and /version. A text is
the one that generate writes for its seed, whatever runs beside it. The seed of a
request without one is in the answer's header Foundling-Seed. Fields that are
unknown are errors; those that change nothing here are named in the header
Foundling-Ignored. Logs go to standard error and hold no texts.

There are no keys and no encryption: it listens on loopback addresses alone.

Examples:

    foundling serve --model run1
    foundling serve --model small=run1 --model big=SmolLM2-135M-Q8_0.gguf --addr 127.0.0.1:9000
    curl localhost:8080/v1/completions -H 'Content-Type: application/json' -d '{"prompt":"func main() {","seed":1}'`
}

// Validate is called by kong, before models are opened.
func (c *serveCmd) Validate() error {
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("--addr: %q is not an address of this machine's own, as 127.0.0.1 is: there are no keys yet that would keep others out", host)
	}
	switch {
	case c.MaxTokens < 0:
		return fmt.Errorf("--max-tokens is %d: it must be positive, or 0 for what the context holds", c.MaxTokens)
	case c.Queue < 1:
		return fmt.Errorf("--queue is %d: it must be 1 or more", c.Queue)
	case c.Drain <= 0:
		return fmt.Errorf("--drain is %v: it must be positive", c.Drain)
	case c.Adapter != "" && len(c.Model) > 1:
		return errors.New("--adapter belongs to one model: merge it into its model (foundling merge), or serve that alone")
	}
	return validate(c.speculateFlags, c.cacheFlags)
}

// Run serves until Ctrl-C.
func (c *serveCmd) Run(ctx context.Context) error {
	var w net.ListenConfig
	l, err := w.Listen(ctx, "tcp", c.Addr) // before the models: it may be taken
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	defer l.Close()
	o := serve.Options{Version: programVersion(), MaxTokens: c.MaxTokens, Queue: c.Queue, Drain: c.Drain}
	if !c.Quiet {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	for _, given := range c.Model {
		name, path := modelName(given)
		m, err := openSpeculating(c.openFlags, c.speculateFlags, path)
		if err != nil {
			return err
		}
		defer m.Close()
		o.Models = append(o.Models, serve.Model{Name: name, Model: m})
	}
	s, err := serve.New(o)
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	for _, m := range o.Models {
		fmt.Printf("%s: context %d tokens\n", m.Name, m.Bundle.Model.Dims().Context)
	}
	fmt.Printf("serving on http://%s, Ctrl-C ends\n", l.Addr())
	return s.Serve(ctx, l)
}

// modelName is NAME=MODEL in its parts; without a name it is the last part of the path.
func modelName(given string) (name, path string) {
	if name, path, ok := strings.Cut(given, "="); ok && name != "" && !strings.ContainsAny(name, `/\`) {
		return name, path
	}
	name = filepath.Base(filepath.Clean(given))
	if abs, err := filepath.Abs(given); err == nil && name == "." {
		name = filepath.Base(abs)
	}
	return strings.TrimSuffix(name, ".gguf"), given
}
