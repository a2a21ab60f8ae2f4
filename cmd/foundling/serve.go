package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/serve"
)

type serveCmd struct {
	Model     []string      `help:"Model directory or GGUF file, or the name of a model of the store; NAME=MODEL gives it a name of its own. Repeat it for more models: the first answers requests that name none." required:"" placeholder:"MODEL" sep:"none"`
	Addr      string        `help:"Address to listen on; port 0 takes a free one. One that other machines can reach needs --keys." default:"127.0.0.1:8080"`
	MaxTokens int           `help:"New tokens of one text at most; 0: what the model's context holds." placeholder:"N"`
	Queue     int           `help:"Texts of a model that are written or wait at a time; requests beyond are told to come again (429)." default:"256"`
	Drain     time.Duration `help:"What texts get to end in after Ctrl-C." default:"30s"`
	Runs      string        `help:"Folder of run directories whose curves, samples and reports are shown (/v1/runs)." placeholder:"DIR"`
	NoPage    bool          `help:"Show no page at /: answer programs only."`
	modelsFlags
	Check bool `help:"Open all that the options name, print them as they are in force, and end: exit status 0 says that it would serve."`
	keepFlags
	guardFlags
	watchFlags
	speculateFlags
	openFlags

	env     *environment // what the variables say
	options []option     // as they are in force
}

// Help is the detail of --help.
func (serveCmd) Help() string {
	return `The interface is OpenAI's: /v1/chat/completions (with tools: calls always fit their
schemas), /v1/completions, /v1/responses (nothing is kept of one), /v1/models. best_of
takes a selector by name, as the command best does. Besides there are /v1/explain (the
sampling chain's steps at a token), /v1/mask (which tokens a format lets come next),
/v1/attention, /v1/embeddings, /v1/score (log-probabilities of given texts, or the number
of a reward model), /v1/classify, /v1/rerank, /v1/runs (what is in --runs), /tokenize,
/detokenize, /health, /ready, /metrics and /version. A text is
the one that generate writes for its seed, whatever runs beside it. The seed of a
request without one is in the answer's header Foundling-Seed. Fields that are
unknown are errors; those that change nothing here are named in the header
Foundling-Ignored. The fields confidence, policy and preset ask how far a text can be
believed, and what becomes of one that is not. The page at / is for people. Logs go to standard error and hold
no texts, unless --log-text asks for them.

Votes on answers (/v1/votes) and facts about users (/v1/memory) are kept in
--database; a request with "memory":true has the facts that its question is about in
its prompt. With --answers a request that came before has its answer again: the header
Foundling-Cache says hit, semantic or miss, and in a request bypass, refresh or only.

--lora gives a model adapters: a request names one by the field lora, or asks for
MODEL:NAME. POST /v1/models/load {"model","path"} serves a model or an adapter, in the
place of the one that had its name, and /v1/models/unload {"model"} ends it; requests
that have begun end on the old one. On SIGHUP all models are read again.

On a loopback address no key is asked for, unless --keys names a file of them; on others
it must. Files of keys and certificates are read again when they change. Behind a proxy,
list its name by --host.

Options may stand in a YAML file (--config FILE, the same as --recipe) under the names
of the flags, and in variables: --max-tokens is FOUNDLING_SERVE_MAX_TOKENS, lists are cut
at commas. Flags win over variables, variables over the file; unknown names are errors.
--check says what is in force, in the form of such a file.

Ctrl-C (SIGTERM) lets texts end for as long as --drain says; a second one ends the server
at once.

Examples:

    foundling serve --model run1
    foundling serve --model small=run1 --model big=SmolLM2-135M-Q8_0.gguf --addr 127.0.0.1:9000
    foundling keys add --keys keys.json laptop
    foundling serve --model run1 --addr 0.0.0.0:8443 --keys keys.json --tls-cert cert.pem --tls-key key.pem --host models.example.com
    foundling serve --model base=run1/base --model tuned=run1/tuned --model run1 --runs .
    foundling serve --config serve.yaml --check
    curl localhost:8080/v1/completions -H 'Content-Type: application/json' -d '{"prompt":"func main() {","seed":1}'`
}

// Validate is called by kong, before models are opened.
func (c *serveCmd) Validate() error {
	if err := c.guardFlags.validate(c.Addr); err != nil {
		return err
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
	return validate(&c.modelsFlags, c.keepFlags, c.speculateFlags, c.cacheFlags, c.watchFlags)
}

// Run serves until Ctrl-C.
func (c *serveCmd) Run(ctx context.Context) error {
	var w net.ListenConfig
	l, err := w.Listen(ctx, "tcp", c.Addr) // before the models: it may be taken
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	defer l.Close()
	o := serve.Options{Version: programVersion(), MaxTokens: c.MaxTokens, Queue: c.Queue, Drain: c.Drain, NoPage: c.NoPage}
	stop, err := c.watchFlags.apply(ctx, &o)
	if err != nil {
		return usageError{err}
	}
	defer stop()
	if err := c.guardFlags.apply(&o); err != nil {
		return err
	}
	if c.Runs != "" {
		if o.Runs, err = os.OpenRoot(c.Runs); err != nil {
			return fmt.Errorf("--runs: %w", err)
		}
		defer o.Runs.Close()
	}
	shut, err := c.keepFlags.open(ctx, &o, c.Check)
	if err != nil {
		return err
	}
	defer shut()
	opener, models, err := c.open()
	if err != nil {
		return err
	}
	o.Models, o.Opener, o.Timeout = models, opener, c.Timeout
	s, err := serve.New(o)
	if err != nil {
		return err
	}
	defer s.Close()
	if c.Check {
		writeOptions(os.Stdout, c.options)
		return nil
	}
	c.announce(&o, l.Addr())
	if host, _, _ := net.SplitHostPort(c.Addr); o.Log != nil && o.TLS == nil && !own(host) {
		o.Log.Warn("keys and texts go over the network unencrypted: give --tls-cert, or let a proxy on this network encrypt")
	}
	if err := notify("READY=1"); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() {
		if o.Log != nil {
			o.Log.Info("ending", "within", c.Drain.String())
		}
		notify("STOPPING=1")
	})
	defer reloadOnHangup(s, o.Log)()
	return s.Serve(ctx, l)
}

// announce says what is served and where: in lines, or in the log where that is for
// programs.
func (c *serveCmd) announce(o *serve.Options, at net.Addr) {
	scheme := "http"
	if o.TLS != nil {
		scheme = "https"
	}
	url := scheme + "://" + at.String()
	if o.Log != nil && c.LogFormat == "json" {
		for _, m := range o.Models {
			o.Log.Info("model", "name", m.Name, "context", m.Bundle.Model.Dims().Context)
		}
		o.Log.Info("serving", "url", url)
		return
	}
	for _, m := range o.Models {
		fmt.Printf("%s: context %d tokens\n", m.Name, m.Bundle.Model.Dims().Context)
	}
	fmt.Printf("serving on %s, Ctrl-C ends\n", url)
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
