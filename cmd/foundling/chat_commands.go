package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/chat"
)

const chatHelp = `/help             this list
/reset            forget the conversation
/system TEXT      instructions before the conversation; without TEXT none
/temperature X    0 takes the most probable token, 1 samples the model's distribution
/top-k N          sample among the N most probable tokens; 0 among all
/top-p X          sample among the most probable tokens that reach X together
/seed N           another seed
/max-tokens N     length of an answer; 0: until the context is full
/save FILE        write the conversation as JSON
/quit             end`

// command runs a line that begins with a slash.
func (t *talk) command(line string) (quit bool, err error) {
	name, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
	arg = strings.TrimSpace(arg)
	f := &t.c.decodingFlags
	old := *f
	switch name {
	case "/quit", "/exit":
		return true, nil
	case "/help":
		fmt.Fprintln(t.out, chatHelp)
	case "/reset":
		t.msgs = nil
	case "/system":
		t.c.System = arg
	case "/save":
		return false, t.save(arg)
	case "/temperature":
		f.Temperature, err = number(name, arg, parseFloat)
	case "/top-p":
		f.TopP, err = number(name, arg, parseFloat)
	case "/top-k":
		f.TopK, err = number(name, arg, strconv.Atoi)
	case "/max-tokens":
		err = set(&f.MaxTokens, name, arg, strconv.Atoi)
	case "/seed":
		err = set(&f.Seed, name, arg, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
	default:
		return false, fmt.Errorf("%s is no command: /help lists them", name)
	}
	if err == nil {
		err = f.Validate()
	}
	if err == nil {
		s := f.options(bundle.Generation{}).Sample
		err = s.Validate()
	}
	if err != nil {
		*f = old
	}
	return false, err
}

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

// number parses the argument of a command.
func number[T any](name, arg string, parse func(string) (T, error)) (*T, error) {
	x, err := parse(arg)
	if err != nil {
		return nil, fmt.Errorf("%s %q: want a number", name, arg)
	}
	return &x, nil
}

func set[T any](to *T, name, arg string, parse func(string) (T, error)) error {
	x, err := number(name, arg, parse)
	if err == nil {
		*to = *x
	}
	return err
}

// save writes the conversation.
func (t *talk) save(path string) error {
	if path == "" {
		return fmt.Errorf("/save needs the name of a file")
	}
	msgs := t.msgs
	if t.c.System != "" {
		msgs = append([]chat.Message{{Role: chat.RoleSystem, Content: t.c.System}}, msgs...)
	}
	data, err := json.MarshalIndent(map[string]any{"messages": msgs}, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(path, append(data, '\n')); err != nil {
		return fmt.Errorf("/save: %w", err)
	}
	fmt.Fprintf(os.Stderr, "%d messages written to %s\n", len(msgs), path)
	return nil
}
