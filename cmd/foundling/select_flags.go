package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/generate/search"
)

// selectFlags are shared by the commands that choose among texts.
type selectFlags struct {
	Select        []string `help:"How to choose: sumlogp, meanlogp, gnmt, majority, weighted, verifier, verified-vote, reward, heuristic, first, pick. Empty: all that the other flags allow." placeholder:"NAME"`
	Extract       string   `type:"filled" help:"What the answer of a text is, for votes: number, choice, json, code, text, or regex:EXPRESSION." placeholder:"KIND"`
	LengthPenalty *float64 `help:"Exponent of gnmt's length penalty; 0 is sumlogp. Default: 0.6." placeholder:"ALPHA"`
	verifyFlags
	ruleFlags
}

// verifyFlags say what a text is judged by.
type verifyFlags struct {
	Schema      string        `type:"filled" help:"Verify that the text holds JSON that is valid under this JSON Schema." placeholder:"FILE"`
	Verify      []string      `help:"Verify that the text is Go code that parses (go), or that the equations it shows are right (arithmetic)." enum:"go,arithmetic" placeholder:"go|arithmetic"`
	VerifyCmd   string        `type:"filled" help:"Verify with a command for the shell: the text is its standard input, exit code 0 passes it, a number on its first line grades it." placeholder:"COMMAND"`
	VerifyURL   string        `type:"filled" name:"verify-url" help:"Verify with a service: it is sent {\"prompt\":...,\"text\":...} and answers {\"pass\":bool,\"score\":number,\"why\":text}." placeholder:"URL"`
	VerifyLimit time.Duration `help:"Time that a command or a service has for one text." default:"10s"`
	RewardCmd   string        `type:"filled" help:"Grade with a command for the shell: the text is its standard input, the first line of its output the reward, a number." placeholder:"COMMAND"`
}

// ruleFlags are plain rules of a text.
type ruleFlags struct {
	MinChars      int     `help:"Rule of heuristic: characters at least." placeholder:"N"`
	MaxChars      int     `help:"Rule of heuristic: characters at most." placeholder:"N"`
	MaxRepetition float64 `help:"Rule of heuristic: share of repeated phrases of four words at most." placeholder:"SHARE"`
	Format        string  `type:"filled" help:"Rule of heuristic: an expression that the text must match." placeholder:"REGEX"`
}

// Validate says which flag is impossible.
func (f *selectFlags) Validate() error {
	if err := f.verifyFlags.check(); err != nil {
		return err
	}
	for i, name := range f.Select {
		if !slices.Contains(search.Names(), name) {
			_, err := search.Named(name, search.Options{})
			return fmt.Errorf("--select: %w", err)
		}
		if slices.Contains(f.Select[:i], name) {
			return fmt.Errorf("--select names %s twice", name)
		}
	}
	for _, need := range []struct {
		flag  string
		given bool
		of    []string
	}{
		{"--extract", f.Extract != "", []string{"majority", "weighted", "verified-vote"}},
		{"--schema, --verify, --verify-cmd or --verify-url", f.verifies(), []string{"verifier", "verified-vote"}},
		{"--reward-cmd", f.RewardCmd != "", []string{"reward"}},
	} {
		for _, name := range f.Select {
			if !need.given && slices.Contains(need.of, name) {
				return fmt.Errorf("--select %s needs %s", name, need.flag)
			}
		}
	}
	for _, idle := range []struct {
		flag  string
		given bool
		of    []string
	}{
		{"--reward-cmd", f.RewardCmd != "", []string{"reward", "weighted"}},
		{"--length-penalty", f.LengthPenalty != nil, []string{"gnmt"}},
		{"--min-chars, --max-chars, --max-repetition and --format", f.rules(), []string{"heuristic"}},
	} {
		used := func(name string) bool { return slices.Contains(idle.of, name) }
		if idle.given && len(f.Select) > 0 && !slices.ContainsFunc(f.Select, used) {
			return fmt.Errorf("%s: --select has no %s, which it is of", idle.flag, strings.Join(idle.of, " or "))
		}
	}
	o, err := f.plain()
	if err != nil {
		return err
	}
	_, err = search.Named("gnmt", o)
	return errors.Join(err, o.Heuristics.Validate())
}

func (f *verifyFlags) check() error {
	if f.VerifyLimit <= 0 {
		return errors.New("--verify-limit must be more than 0")
	}
	return nil
}

func (f *verifyFlags) verifies() bool {
	return f.Schema != "" || len(f.Verify) > 0 || f.VerifyCmd != "" || f.VerifyURL != ""
}

func (f *ruleFlags) rules() bool {
	return f.MinChars != 0 || f.MaxChars != 0 || f.MaxRepetition != 0 || f.Format != ""
}

// plain is the options that need neither a file nor the prompt.
func (f *selectFlags) plain() (o search.Options, err error) {
	o.Alpha = f.LengthPenalty
	if o.Heuristics, err = f.heuristics(); err != nil {
		return o, err
	}
	if f.Extract != "" {
		if o.Extract, err = search.ParseExtractor(f.Extract); err != nil {
			return o, fmt.Errorf("--extract: %w", err)
		}
	}
	return o, nil
}

// heuristics are the rules as the package has them.
func (f *ruleFlags) heuristics() (h search.Heuristics, err error) {
	h = search.Heuristics{MinChars: f.MinChars, MaxChars: f.MaxChars, MaxRepetition: f.MaxRepetition}
	if f.Format != "" {
		if h.Format, err = regexp.Compile(f.Format); err != nil {
			return h, fmt.Errorf("--format: %w", err)
		}
	}
	return h, nil
}

// options is what the selectors need, for candidates of a prompt.
func (f *selectFlags) options(prompt string) (search.Options, error) {
	o, err := f.plain()
	if err != nil {
		return o, usageError{err}
	}
	return o, f.judges(prompt, &o)
}

// judges sets the verifier and the reward for texts after a prompt, where there are
// any.
func (f *verifyFlags) judges(prompt string, o *search.Options) error {
	var all []search.Verifier
	for _, name := range f.Verify {
		all = append(all, map[string]search.Verifier{"go": search.ParsesAsGo, "arithmetic": search.Arithmetic}[name])
	}
	if f.Schema != "" {
		data, err := os.ReadFile(f.Schema)
		if err != nil {
			return fmt.Errorf("--schema: %w", err)
		}
		v, err := search.Schema(data)
		if err != nil {
			return fmt.Errorf("--schema %s: %w", f.Schema, err)
		}
		all = append(all, v)
	}
	if f.VerifyCmd != "" {
		all = append(all, (&search.Command{Argv: shell(f.VerifyCmd), Limit: f.VerifyLimit}).Verify)
	}
	if f.VerifyURL != "" {
		all = append(all, httpVerifier(f.VerifyURL, prompt, f.VerifyLimit))
	}
	if len(all) > 0 {
		o.Verify = search.Remember(search.All(all...))
	}
	if f.RewardCmd != "" {
		o.Reward = search.Remember((&search.Command{Argv: shell(f.RewardCmd), Limit: f.VerifyLimit}).Grade)
	}
	return nil
}

// selectors are those that were named, or all that there is something for.
func (f *selectFlags) selectors(o search.Options) ([]search.Selector, error) {
	names := f.Select
	if len(names) == 0 {
		for _, x := range []struct {
			name string
			can  bool
		}{
			{"majority", o.Extract != nil}, {"weighted", o.Extract != nil}, {"verifier", o.Verify != nil},
			{"verified-vote", o.Verify != nil && o.Extract != nil}, {"reward", o.Reward != nil}, {"heuristic", f.rules()},
			{"sumlogp", true}, {"meanlogp", true}, {"gnmt", true},
		} {
			if x.can {
				names = append(names, x.name)
			}
		}
	}
	out := make([]search.Selector, len(names))
	for i, name := range names {
		var err error
		if out[i], err = search.Named(name, o); err != nil {
			return nil, usageError{fmt.Errorf("--select: %w", err)}
		}
	}
	return out, nil
}

// shell is a command for the system's shell.
func shell(command string) []string {
	if runtime.GOOS == "windows" {
		return []string{"cmd", "/C", command}
	}
	return []string{"/bin/sh", "-c", command}
}

// verdicts are those of all candidates, nil without a verifier.
func verdicts(ctx context.Context, o search.Options, candidates []search.Candidate) ([]search.Verdict, error) {
	if o.Verify == nil {
		return nil, nil
	}
	out := make([]search.Verdict, len(candidates))
	for i := range candidates {
		var err error
		if out[i], err = o.Verify(ctx, &candidates[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
