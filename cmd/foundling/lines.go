package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// What ends the wait for a line, besides the end of input.
var (
	errInterrupt  = errors.New("interrupted")
	errTerminated = errors.New("terminated")
)

// lineReader gives the lines of a conversation, without their ends.
type lineReader interface {
	// Line returns errInterrupt for Ctrl-C and io.EOF for Ctrl-D.
	Line() (string, error)
	terminal() bool
	Close()
}

// newLineReader reads standard input: with line editing and history where input
// and output are terminals.
func newLineReader(signals <-chan os.Signal) lineReader {
	in, out := int(os.Stdin.Fd()), int(os.Stdout.Fd())
	if term.IsTerminal(in) && term.IsTerminal(out) {
		e := &editor{in: in, out: out}
		e.term = term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{e, os.Stdout}, "> ")
		return e
	}
	p := &pipe{lines: make(chan pipeLine), signals: signals}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go p.read(ctx, os.Stdin)
	return p
}

// editor is a terminal in raw mode while a line is typed, and only then: at
// other times Ctrl-C is a signal.
type editor struct {
	in, out int
	term    *term.Terminal
	ctrlC   bool // the last bytes read held one
}

// Read hands on what is typed and notices Ctrl-C, which term reports as the end
// of input.
func (e *editor) Read(p []byte) (int, error) {
	n, err := os.Stdin.Read(p)
	e.ctrlC = bytes.IndexByte(p[:n], 3) >= 0
	return n, err
}

func (e *editor) Line() (string, error) {
	old, err := term.MakeRaw(e.in)
	if err != nil {
		return "", err
	}
	defer term.Restore(e.in, old)
	if w, h, err := term.GetSize(e.out); err == nil && w > 0 {
		e.term.SetSize(w, h)
	}
	e.ctrlC = false
	line, err := e.term.ReadLine()
	switch {
	case err == term.ErrPasteIndicator:
		err = nil
	case err == io.EOF:
		io.WriteString(os.Stdout, "\r\n")
		if e.ctrlC {
			// What was typed before Ctrl-C would stay in the editor.
			history := e.term.History
			e.term = term.NewTerminal(struct {
				io.Reader
				io.Writer
			}{e, os.Stdout}, "> ")
			e.term.History = history
			err = errInterrupt
		}
	}
	return strings.TrimSpace(line), err
}

func (e *editor) terminal() bool { return true }
func (e *editor) Close()         {}

// pipe is input from a file or another program. A signal ends the wait.
type pipe struct {
	lines   chan pipeLine
	signals <-chan os.Signal
	stop    context.CancelFunc
}

type pipeLine struct {
	text string
	err  error
}

func (p *pipe) read(ctx context.Context, in io.Reader) {
	r := bufio.NewReader(in)
	for {
		s, err := r.ReadString('\n')
		if err == io.EOF && s != "" {
			err = nil // a last line without an end; EOF comes next
		}
		select {
		case p.lines <- pipeLine{strings.TrimSpace(s), err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *pipe) Line() (string, error) {
	select {
	case l := <-p.lines:
		return l.text, l.err
	case s := <-p.signals:
		if s == syscall.SIGTERM {
			return "", errTerminated
		}
		return "", errInterrupt
	}
}

func (p *pipe) terminal() bool { return false }
func (p *pipe) Close()         { p.stop() }
