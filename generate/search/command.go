package search

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Command is an outside program as a verifier.
type Command struct {
	Argv  []string      // program and arguments; no shell
	Limit time.Duration // for one candidate; 0: DefaultLimit
}

// DefaultLimit is the time that a verifier has for one candidate.
const DefaultLimit = 10 * time.Second

// maxOutput bounds what is read of a program's output.
const maxOutput = 1 << 16

// Verify gives the program the text on standard input. Exit code 0 passes the
// candidate, another one refuses it, and so does a program that takes too long,
// which is ended with its children. The reason is its last line of output. A number
// as the first line of standard output is the grade; else it is 1 or 0. A program
// that cannot be started is an error, and so are the exit codes with which shells say
// that.
func (p *Command) Verify(ctx context.Context, c *Candidate) (Verdict, error) {
	v, _, err := p.judge(ctx, c)
	return v, err
}

// Grade is a score: the number that the program writes as the first line of its
// standard output, whatever its exit code is. A program that succeeds without one is
// an error; a candidate with which it fails so, or takes too long, is not fit.
func (p *Command) Grade(ctx context.Context, c *Candidate) (float64, error) {
	v, first, err := p.judge(ctx, c)
	switch x, bad := strconv.ParseFloat(first, 64); {
	case err != nil:
		return 0, err
	case bad == nil && !math.IsInf(x, 0) && !math.IsNaN(x):
		return x, nil
	case v.Pass:
		return 0, fmt.Errorf("%s: its first line is %.60q, and a number is due", p.Argv[0], first)
	}
	return math.NaN(), nil
}

// notFound and notRun are the exit codes of shells that could not start a program.
const (
	notRun   = 126
	notFound = 127
)

// judge is the verdict and the first line of standard output.
func (p *Command) judge(ctx context.Context, c *Candidate) (v Verdict, first string, err error) {
	if len(p.Argv) == 0 {
		return v, "", errors.New("the command of the verifier is empty")
	}
	out, errs := &bounds{most: maxOutput}, &bounds{most: maxOutput}
	state, err := p.run(ctx, c.Text, out, errs)
	switch {
	case errors.Is(err, errTooSlow):
		return Verdict{Why: "the verifier " + err.Error()}, "", nil
	case err != nil && ctx.Err() == nil:
		return v, "", fmt.Errorf("verifier %s: %w", p.Argv[0], err)
	case err != nil:
		return v, "", err
	}
	if code := state.ExitCode(); code == notRun || code == notFound {
		return v, "", fmt.Errorf("verifier %s: exit status %d: %s", strings.Join(p.Argv, " "), code, lastLine(errs.String()))
	}
	if v.Pass = state.Success(); v.Pass {
		v.Score = 1
	} else {
		v.Why = complaint(state, out, errs)
	}
	first, _, _ = strings.Cut(out.String(), "\n")
	first = strings.TrimSpace(first)
	if x, err := strconv.ParseFloat(first, 64); err == nil && !math.IsNaN(x) {
		v.Score = x
	}
	return v, first, nil
}

// errTooSlow reports a program that was ended.
var errTooSlow = errors.New("took longer than")

// run runs the program once with the given input.
func (p *Command) run(ctx context.Context, in string, out, errs *bounds) (*os.ProcessState, error) {
	limit := p.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	own, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(own, p.Argv[0], p.Argv[1:]...)
	cmd.WaitDelay = time.Second // for children that keep the pipes
	endTogether(cmd)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), out, errs
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case own.Err() != nil:
		return nil, fmt.Errorf("%w %v", errTooSlow, limit)
	case err != nil && !errors.As(err, &exit) && cmd.ProcessState == nil:
		return nil, err
	}
	// Of a program that does not read its input the pipe breaks; its exit code counts.
	return cmd.ProcessState, nil
}

// complaint is the last line of what a program that failed has written.
func complaint(state *os.ProcessState, out, errs *bounds) string {
	for _, s := range []string{errs.String(), out.String()} {
		if line := lastLine(s); line != "" {
			return line
		}
	}
	return state.String()
}

// Filter gives the program all of an input and returns its output, of which at most
// so many bytes are read. A program that fails or takes too long is an error.
func (p *Command) Filter(ctx context.Context, in string, most int) (string, error) {
	if len(p.Argv) == 0 {
		return "", errors.New("the command is empty")
	}
	out, errs := &bounds{most: most}, &bounds{most: maxOutput}
	state, err := p.run(ctx, in, out, errs)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", p.Argv[0], err)
	case !state.Success():
		return "", fmt.Errorf("%s: %s", p.Argv[0], complaint(state, out, errs))
	}
	return out.String(), nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// bounds keeps the first bytes and drops the rest.
type bounds struct {
	bytes.Buffer
	most int
}

func (b *bounds) Write(p []byte) (int, error) {
	if room := b.most - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
