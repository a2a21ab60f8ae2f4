package search

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
// candidate, another one refuses it, and so does a program that takes too long; its
// last line of output is the reason. A number as the first line of standard output
// is the grade; else it is 1 or 0. A program that cannot be started is an error.
func (p *Command) Verify(ctx context.Context, c *Candidate) (Verdict, error) {
	if len(p.Argv) == 0 {
		return Verdict{}, errors.New("the command of the verifier is empty")
	}
	limit := p.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	own, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(own, p.Argv[0], p.Argv[1:]...)
	cmd.WaitDelay = time.Second // for children that keep the pipes
	var out, errs bounds
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.Text), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return Verdict{}, ctx.Err()
	case own.Err() != nil:
		return Verdict{Why: fmt.Sprintf("the verifier took longer than %v", limit)}, nil
	case err != nil && !errors.As(err, &exit) && cmd.ProcessState == nil:
		return Verdict{}, fmt.Errorf("verifier %s: %w", p.Argv[0], err)
	}
	// Of a program that does not read its input the pipe breaks; its exit code counts.
	v := Verdict{Pass: cmd.ProcessState.Success()}
	if v.Pass {
		v.Score = 1
	} else if v.Why = lastLine(errs.String()); v.Why == "" {
		if v.Why = lastLine(out.String()); v.Why == "" {
			v.Why = cmd.ProcessState.String()
		}
	}
	first, _, _ := strings.Cut(out.String(), "\n")
	if x, err := strconv.ParseFloat(strings.TrimSpace(first), 64); err == nil {
		v.Score = x
	}
	return v, nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// bounds keeps the first maxOutput bytes and drops the rest.
type bounds struct{ bytes.Buffer }

func (b *bounds) Write(p []byte) (int, error) {
	if room := maxOutput - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
