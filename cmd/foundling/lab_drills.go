package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/eval/report"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/serve/drill"
	"github.com/foundling-lm/foundling/serve/keys"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// labDrillsCmd tries the server out.
type labDrillsCmd struct {
	Out     string        `help:"Folder for drills.json and report.html." default:"drills"`
	Model   string        `help:"Model directory or GGUF file that is served for the drills; without it a tiny one with random weights." placeholder:"MODEL"`
	URL     string        `name:"url" help:"A server that runs already, in place of one that is started. It is not killed." placeholder:"http://HOST:PORT"`
	Name    string        `help:"Model that is asked at --url; without it the server's first." placeholder:"NAME"`
	Key     string        `help:"Key that the server at --url asks for." env:"FOUNDLING_API_KEY" placeholder:"KEY"`
	Hostile int           `help:"Hostile requests; 0: none." default:"10000"`
	Soak    time.Duration `help:"Time of mixed load; 0: none." default:"3m"`
	Kills   int           `help:"Kills in the middle of load; 0: none." default:"10"`
	labOutput
}

// Help is the detail of --help.
func (labDrillsCmd) Help() string {
	return `Three drills, of a server of its own or of the one at --url:

Hostile: requests that are malformed or wicked: broken JSON, nesting, huge numbers, wrong
types, header and path tricks, forged special tokens, wrong keys, heavy schemas. Each
must be refused with a 4xx, and the server be as before.

Soak: clients that check their answers, go, read slowly or send garbage. Answers must be
those of a quiet server, memory and goroutines stay.

Kill: kill -9 under load, again and again. It must be ready soon, say the same, and hold
what it had acknowledged.

The exit status is 1 if anything was wrong.

Examples:

    foundling lab drills
    foundling lab drills --soak 30m --kills 0 --hostile 0 --model run1
    foundling lab drills --url http://127.0.0.1:8080 --kills 0`
}

// Validate is called by kong.
func (c *labDrillsCmd) Validate() error {
	switch {
	case c.Hostile < 0 || c.Soak < 0 || c.Kills < 0:
		return errors.New("--hostile, --soak and --kills must not be negative")
	case c.Hostile == 0 && c.Soak == 0 && (c.Kills == 0 || c.URL != ""):
		return errors.New("no drill is left: give one of --hostile, --soak, --kills")
	case c.URL != "" && c.Model != "":
		return errors.New("--model is for a server that is started: not with --url")
	case c.URL == "" && (c.Name != "" || c.Key != ""):
		return errors.New("--name and --key are for a server at --url")
	}
	return nil
}

// drillsResult is drills.json.
type drillsResult struct {
	Hostile *drill.HostileReport `json:"hostile,omitempty"`
	Soak    *drill.SoakReport    `json:"soak,omitempty"`
	Kill    *drill.KillReport    `json:"kill,omitempty"`
	Faults  []string             `json:"faults"`
}

// Run makes the drills one after the other.
func (c *labDrillsCmd) Run(ctx context.Context) error {
	t := &drill.Target{URL: c.URL, Model: c.Name, Key: c.Key}
	var start func() *exec.Cmd
	if c.URL == "" {
		dir, err := os.MkdirTemp("", "foundling-drills")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if start, err = c.server(dir, t); err != nil {
			return err
		}
	}
	r, tables, err := c.drills(ctx, t, start)
	if ctx.Err() != nil {
		return interrupted("nothing was written")
	}
	if err != nil {
		return err
	}
	page := &report.Page{Title: "Drills of the server", Sections: []report.Section{{Title: "Drills"}}}
	for _, table := range tables {
		page.Sections[0].Blocks = append(page.Sections[0].Blocks, table)
	}
	if err := c.write(c.Out, "drills", r, page, tables); err != nil {
		return err
	}
	if n := len(r.Faults); n > 0 {
		return fmt.Errorf("%d faults, the first: %s", n, r.Faults[0])
	}
	return nil
}

// drills runs those that are asked for, the kills last.
func (c *labDrillsCmd) drills(ctx context.Context, t *drill.Target, start func() *exec.Cmd) (r drillsResult, tables []report.Table, err error) {
	p := newProgress("drills")
	defer p.Close()
	r.Faults = []string{}
	note := func(faults []string, table report.Table) {
		r.Faults, tables = append(r.Faults, faults...), append(tables, table)
	}
	end := func() {}
	if start != nil && (c.Hostile > 0 || c.Soak > 0) {
		cmd := start()
		if err := cmd.Start(); err != nil {
			return r, nil, err
		}
		end = sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait() })
		defer end()
	}
	if c.Hostile > 0 || c.Soak > 0 {
		ready, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if _, err := t.Ready(ready); err != nil {
			return r, nil, err
		}
	}
	if c.Hostile > 0 {
		o := drill.HostileOptions{Requests: c.Hostile, Seed: c.Seed, Progress: func(done, total int) { p.Set("hostile requests", int64(done), int64(total)) }}
		if r.Hostile, err = drill.Hostile(ctx, t, o); err != nil {
			return r, nil, err
		}
		note(r.Hostile.Faults(), r.Hostile.Table())
	}
	if c.Soak > 0 {
		o := drill.SoakOptions{Duration: c.Soak, Seed: c.Seed, Progress: func(done, total time.Duration) { p.Set("soak", int64(done), int64(total)) }}
		if r.Soak, err = drill.Soak(ctx, t, o); err != nil {
			return r, nil, err
		}
		note(r.Soak.Faults(), r.Soak.Table())
	}
	if c.Kills > 0 && start != nil {
		end()
		o := drill.KillOptions{Start: start, Kills: c.Kills, Seed: c.Seed, Progress: func(done, total int) { p.Set("kills", int64(done), int64(total)) }}
		if r.Kill, err = drill.Kill(ctx, t, o); err != nil {
			return r, nil, err
		}
		note(r.Kill.Faults(), r.Kill.Table())
	}
	return r, tables, nil
}

// server is a command that serves a model at a free port; all that it writes lies in dir.
func (c *labDrillsCmd) server(dir string, t *drill.Target) (start func() *exec.Cmd, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	model := c.Model
	if model == "" {
		model = filepath.Join(dir, "model")
		if err := saveTiny(model, true, 512); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a free port
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	k, secret, err := keys.New(keys.Key{Name: "drills", Scopes: keys.Scopes})
	if err != nil {
		return nil, err
	}
	ring := filepath.Join(dir, "keys.json")
	if err := keys.Add(ring, k, false); err != nil {
		return nil, err
	}
	*t = drill.Target{URL: "http://" + addr, Key: secret, Own: true}
	return func() *exec.Cmd {
		cmd := exec.Command(program, "serve", "--model", model, "--addr", addr, "--quiet", "--keys", ring, "--database", filepath.Join(dir, "serve.db"), "--answers", "database")
		cmd.Stderr = os.Stderr
		return cmd
	}, nil
}

// saveTiny writes a model that is nearly no work; chats makes it one of conversations.
func saveTiny(dir string, chats bool, context int) error {
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer b.Close()
	tok := tokenizer.Bytes(chat.SpecialTokens()...)
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 2, Width: 32, Heads: 2, Vocab: tok.VocabSize(), Context: context, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		return err
	}
	m.Init(b, 1)
	z := &bundle.Bundle{Dir: dir, Model: m, Tokenizer: tok, Chat: chats}
	for _, name := range []string{chat.EndOfText, chat.End} {
		id, _ := tok.SpecialID(name)
		z.Generation.EOS = append(z.Generation.EOS, id)
	}
	return z.Save(b, dtype.F32)
}
