package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/text/chat"
)

// chatCmd talks with a model.
type chatCmd struct {
	Model         string `help:"Model directory." required:"" placeholder:"DIR"`
	System        string `help:"Instructions before the conversation."`
	decodingFlags `embed:"" set:"maxtokens=256"`
	computeFlags
}

// Help is the detail of --help.
func (chatCmd) Help() string {
	return `Type a message and press enter; /help lists what else can be typed. Ctrl-C stops
an answer; at the prompt it ends the program, as Ctrl-D does. Without a terminal
each line of standard input is a message. A base model continues each line as
text. When the conversation outgrows the context its oldest turns are left out,
and that is said.

Examples:

    foundling chat --model run1
    echo "What does strings.Cut do?" | foundling chat --model run1 --temperature 0`
}

// answerRoom is how much of the context is kept for an answer, at most.
const answerRoom = 64

// talk is a conversation in progress.
type talk struct {
	c    *chatCmd
	m    *opened
	in   lineReader
	out  io.Writer
	msgs []chat.Message // without the system message
}

// lineReader reads the user's lines: term.Terminal, or plain input.
type lineReader interface{ ReadLine() (string, error) }

// Run talks until the input ends.
func (c *chatCmd) Run(ctx context.Context) error {
	m, err := openModel(c.computeFlags, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Tokenizer == nil {
		return fmt.Errorf("%s has no tokenizer to talk with: %w", c.Model, m.NoTokens)
	}
	t := &talk{c: c, m: m, out: os.Stdout}
	if term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) {
		fmt.Println("/help lists the commands, /quit ends")
		t.in = terminal{}
	} else {
		t.in = &plainLines{bufio.NewReader(interruptible(ctx, os.Stdin))}
	}
	if !m.Chat {
		fmt.Fprintln(os.Stderr, "this is a base model: it continues each line as text instead of answering")
	}
	return t.run(ctx)
}

// terminal edits lines with history; the terminal is raw only while a line is
// being read, so that Ctrl-C stops an answer as usual.
type terminal struct{}

var history = term.NewTerminal(struct {
	io.Reader
	io.Writer
}{os.Stdin, os.Stdout}, "> ")

func (terminal) ReadLine() (string, error) {
	old, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return "", err
	}
	defer term.Restore(int(os.Stdin.Fd()), old)
	return history.ReadLine()
}

// plainLines reads lines of any length.
type plainLines struct{ r *bufio.Reader }

func (p *plainLines) ReadLine() (string, error) {
	s, err := p.r.ReadString('\n')
	if s != "" && errors.Is(err, io.EOF) {
		err = nil
	}
	return strings.TrimRight(s, "\r\n"), err
}

func (t *talk) run(ctx context.Context) error {
	for {
		line, err := t.in.ReadLine()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case strings.TrimSpace(line) == "":
			continue
		case strings.HasPrefix(line, "/"):
			if quit, err := t.command(line); quit {
				return nil
			} else if err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			continue
		}
		if err := t.answer(ctx, line); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// answer writes the model's answer to a message, or its continuation of a line.
func (t *talk) answer(ctx context.Context, line string) error {
	ids, err := t.prompt(line)
	if err != nil {
		return err
	}
	stop, cancel := signal.NotifyContext(ctx, os.Interrupt) // Ctrl-C ends the answer, not the program
	defer cancel()
	o := t.c.options(t.m.Generation)
	o.Stream = uint64(len(t.msgs))
	r, err := t.m.engine.Generate(stop, ids, o, func(p generate.Piece) bool {
		_, err := io.WriteString(t.out, p.Text)
		return err == nil
	})
	if r == nil {
		return err
	}
	fmt.Fprintln(t.out)
	if r.Finish == generate.FinishContext {
		fmt.Fprintln(os.Stderr, "(the context is full: the answer is cut off)")
	}
	if t.m.Chat {
		t.msgs = append(t.msgs, chat.Message{Role: chat.RoleUser, Content: line}, chat.Message{Role: chat.RoleAssistant, Content: r.Text})
	}
	if err != nil && stop.Err() != nil && ctx.Err() == nil {
		return nil // stopped by the user
	}
	return err
}

// prompt is the conversation with the new line at its end.
func (t *talk) prompt(line string) ([]int32, error) {
	if !t.m.Chat {
		return t.m.TextPrompt(line)
	}
	var msgs []chat.Message
	if t.c.System != "" {
		msgs = append(msgs, chat.Message{Role: chat.RoleSystem, Content: t.c.System})
	}
	msgs = append(msgs, t.msgs...)
	ids, dropped, err := t.m.ChatPrompt(append(msgs, chat.Message{Role: chat.RoleUser, Content: line}), min(answerRoom, t.m.Model.Dims().Context/4))
	if dropped > 0 {
		fmt.Fprintf(os.Stderr, "(the context is full: the oldest %d messages are left out)\n", dropped)
		t.msgs = t.msgs[min(dropped, len(t.msgs)):]
	}
	return ids, err
}
