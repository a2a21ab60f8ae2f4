package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/text/chat"
)

type chatCmd struct {
	Model         string `help:"Model directory or GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	System        string `help:"What the model is told before the conversation." placeholder:"TEXT"`
	decodingFlags `embed:"" set:"maxtokens=512"`
	structuredFlags
	speculateFlags
	openFlags
}

// Help is the detail of --help.
func (chatCmd) Help() string {
	return `Type a message and Enter. Ctrl-C stops an answer; twice, it quits. /help lists
the commands. Where standard input is no terminal, every line is a message and
answers go to standard output. When the conversation outgrows the model's
context, its oldest turns are left out, and a note says so.

Examples:

    foundling chat --model run1
    printf 'hello\n/seed 2\nhello\n' | foundling chat --model run1 --temperature 0.5`
}

// Validate is called by kong, before the model is opened.
func (c *chatCmd) Validate() error {
	if err := c.structuredFlags.check(); err != nil {
		return err
	}
	return validate(&c.decodingFlags, c.speculateFlags, c.cacheFlags)
}

// Run talks until the end of input.
func (c *chatCmd) Run(ctx context.Context) error {
	// Ctrl-C has a meaning of its own here: the program's context, which it ends
	// for good, is of use until the talk begins.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	m, err := openSpeculating(c.openFlags, c.speculateFlags, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Bundle.Tokenizer == nil {
		return fmt.Errorf("%s has no tokenizer to talk with: %w", c.Model, m.Bundle.NoTokens)
	}
	g, err := c.compile(ctx, m)
	if err != nil {
		return err
	}
	in := newLineReader(signals)
	defer in.Close()
	t := &talk{Model: m, decode: &c.decodingFlags, grammar: g, heal: c.Heal, system: c.System, out: os.Stdout, notes: os.Stderr, stops: m.Bundle.Stops(), signals: signals}
	if c.System != "" && !m.Bundle.Chat {
		return usageError{errors.New("--system: a base model takes no system message: fine-tune it first")}
	}
	t.greet(in.terminal())
	return t.run(in)
}

// talk is one conversation.
type talk struct {
	*foundling.Model
	decode  *decodingFlags
	grammar *foundling.Grammar // of every answer; nil: free
	heal    bool
	system  string
	msgs    []chat.Message // without the system message
	turns   uint64         // answers so far: each draws its own random numbers
	out     io.Writer
	notes   io.Writer
	stops   []int32 // ids that end an answer
	signals <-chan os.Signal
}

func (t *talk) note(format string, args ...any) { fmt.Fprintf(t.notes, format+"\n", args...) }

func (t *talk) greet(terminal bool) {
	switch z := t.Bundle; {
	case z.NoChat != nil:
		t.note("note: the chat format of %s cannot be used, it continues each line as text and remembers none: %v", z.Dir, z.NoChat)
	case !z.Chat:
		t.note("note: %s is a base model, without a chat format: it continues each line as text and remembers none", z.Dir)
	}
	if terminal {
		t.note("%s, context %d tokens. /help lists the commands, Ctrl-D or /quit ends.", t.Bundle.Dir, t.Bundle.Model.Dims().Context)
	}
}

// run reads lines and answers them.
func (t *talk) run(in lineReader) error {
	interrupts := 0 // without a line between them
	for n := 1; ; n++ {
		line, err := in.Line()
		switch {
		case errors.Is(err, errInterrupt):
			if interrupts++; interrupts > 1 || !in.terminal() {
				return interrupted("the conversation is not saved (/save FILE does that)")
			}
			t.note("(Ctrl-C once more, or /quit, leaves)")
			continue
		case errors.Is(err, errTerminated):
			return interrupted("the conversation is not saved")
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("standard input: %w", err)
		}
		if line == "" {
			continue
		}
		stopped, err := t.line(line)
		if errors.Is(err, errQuit) {
			return nil
		}
		if err != nil {
			if !in.terminal() { // a script should not go on
				return fmt.Errorf("line %d of standard input: %w", n, err)
			}
			t.note("%v", err)
		}
		if interrupts = 0; stopped {
			interrupts = 1
			if !in.terminal() {
				return interrupted("an answer was cut")
			}
		}
	}
}

// line does one line; stopped says that a signal cut the answer.
func (t *talk) line(line string) (stopped bool, err error) {
	if isCommand(line) {
		return false, t.command(line)
	}
	ids, err := t.prompt(line)
	if err != nil {
		return false, err
	}
	r, stopped, err := t.answer(ids)
	if err != nil {
		return stopped, err
	}
	t.msgs = append(t.msgs, chat.Message{Role: chat.RoleUser, Content: line}, chat.Message{Role: chat.RoleAssistant, Content: r.Text})
	return stopped, nil
}

// prompt is the conversation and the new message as ids.
func (t *talk) prompt(line string) ([]int32, error) {
	if !t.Bundle.Chat {
		return t.Bundle.TextPrompt(line)
	}
	var msgs []chat.Message
	if t.system != "" {
		msgs = append(msgs, chat.Message{Role: chat.RoleSystem, Content: t.system})
	}
	msgs = append(append(msgs, t.msgs...), chat.Message{Role: chat.RoleUser, Content: line})
	// An answer should have a quarter of the context to unfold in.
	room := max(1, t.Bundle.Model.Dims().Context/4)
	if n := t.decode.MaxTokens; n > 0 {
		room = min(room, n)
	}
	ids, dropped, err := t.Bundle.ChatPrompt(msgs, room)
	if err != nil {
		return nil, err
	}
	if dropped > 0 {
		t.msgs = t.msgs[dropped:]
		t.note("note: the conversation outgrew the context of %d tokens: its %d oldest messages are forgotten", t.Bundle.Model.Dims().Context, dropped)
	}
	return ids, nil
}

// answer streams the model's answer.
func (t *talk) answer(ids []int32) (r *generate.Result, stopped bool, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done, watching := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watching)
		select {
		case <-t.signals:
			cancel()
		case <-done:
		}
	}()
	d := t.decode.decoding()
	d.Grammar, d.Stream = t.grammar, t.turns
	o := t.Options(d)
	o.StopIDs = t.stops
	d.Heal = t.heal
	if ids, err = t.Begin(ids, d, &o); err != nil {
		close(done)
		<-watching
		return nil, false, err
	}
	t.turns++
	r, err = t.Engine.Generate(ctx, ids, o, func(p generate.Piece) bool {
		_, err := io.WriteString(t.out, p.Text)
		return err == nil
	})
	close(done)
	<-watching
	if r == nil {
		return nil, false, err
	}
	fmt.Fprintln(t.out)
	context := t.Bundle.Model.Dims().Context
	switch {
	case err != nil && ctx.Err() != nil:
		t.note("(stopped)")
		return r, true, nil
	case err != nil:
		return r, false, err
	case r.Finish == generate.FinishCaller:
		return r, false, errors.New("standard output cannot be written")
	case r.Finish == generate.FinishLength && t.Bundle.Chat:
		t.note("(cut after %s: /max-tokens N)", count(len(r.IDs), "token"))
	default:
		if s := ending(r, context, &o); s != "" {
			t.note("(%s)", s)
		}
	}
	if s := shifted(r, context); s != "" {
		t.note("(%s)", s)
	}
	return r, false, nil
}
