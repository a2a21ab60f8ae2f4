package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/chat"
)

// errQuit ends a conversation.
var errQuit = errors.New("quit")

// chatCommands are the lines that are no messages, in the order of /help.
var chatCommands = []struct {
	name, argument, help string
	do                   func(t *talk, argument string) error
}{
	{"help", "", "list these commands", nil}, // set below: it reads this table
	{"reset", "", "forget the conversation", func(t *talk, _ string) error {
		t.msgs, t.turns = nil, 0
		return nil
	}},
	{"system", "TEXT", "tell the model this before the conversation; empty: nothing", func(t *talk, s string) error {
		if !t.Bundle.Chat {
			return errors.New("/system: a base model takes no system message: fine-tune it first")
		}
		t.system = s
		return nil
	}},
	{"temperature", "X", "0 takes the most probable token", setNumber(func(d *decodingFlags, x float64) { d.Temperature = &x })},
	{"top-p", "X", "sample among the tokens that together reach this probability", setNumber(func(d *decodingFlags, x float64) { d.TopP = &x })},
	{"top-k", "N", "sample among so many tokens", setInt(func(d *decodingFlags, n int64) { k := int(n); d.TopK = &k })},
	{"seed", "N", "other random numbers", func(t *talk, s string) error {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no whole number from 0 up", s)
		}
		t.decode.Seed, t.turns = n, 0
		return nil
	}},
	{"max-tokens", "N", "end answers after so many tokens; 0: when the context is full", setInt(func(d *decodingFlags, n int64) { d.MaxTokens = int(n) })},
	{"save", "FILE", "write the conversation as one line of JSON", func(t *talk, path string) error { return t.save(path) }},
	{"quit", "", "leave; Ctrl-D does too", func(*talk, string) error { return errQuit }},
}

func init() { chatCommands[0].do = func(t *talk, _ string) error { t.help(); return nil } }

// isCommand tells a command from a message that begins with a slash, such as a
// path or a comment of C.
func isCommand(line string) bool {
	name, _, _ := strings.Cut(line, " ")
	return strings.HasPrefix(name, "/") && len(name) > 1 && !strings.ContainsAny(name[1:], "/*.")
}

// command does "/name argument".
func (t *talk) command(line string) error {
	name, argument, _ := strings.Cut(line[1:], " ")
	argument = strings.TrimSpace(argument)
	for _, c := range chatCommands {
		if c.name != name {
			continue
		}
		if c.argument == "" && argument != "" {
			return fmt.Errorf("/%s takes nothing after it", name)
		}
		if c.argument != "" && c.argument != "TEXT" && argument == "" {
			return fmt.Errorf("/%s needs a value: /%s %s", name, name, c.argument)
		}
		if err := c.do(t, argument); err != nil && err != errQuit {
			return fmt.Errorf("/%s: %w", name, err)
		} else if err != nil {
			return err
		}
		return nil
	}
	return fmt.Errorf("there is no command /%s: /help lists them", name)
}

func (t *talk) help() {
	for _, c := range chatCommands {
		t.note("  %-16s %s", strings.TrimSpace("/"+c.name+" "+c.argument), c.help)
	}
}

// setNumber makes a command that changes how answers are drawn. An impossible
// value changes nothing.
func setNumber(set func(*decodingFlags, float64)) func(*talk, string) error {
	return func(t *talk, s string) error {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return fmt.Errorf("%q is no number", s)
		}
		return t.change(func(d *decodingFlags) { set(d, x) })
	}
}

func setInt(set func(*decodingFlags, int64)) func(*talk, string) error {
	return func(t *talk, s string) error {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is no whole number", s)
		}
		return t.change(func(d *decodingFlags) { set(d, n) })
	}
}

func (t *talk) change(set func(*decodingFlags)) error {
	d := *t.decode
	set(&d)
	if err := d.Validate(); err != nil {
		return err
	}
	*t.decode = d
	return nil
}

// save writes the conversation as a line that training reads (text/corpus).
func (t *talk) save(path string) error {
	if len(t.msgs) == 0 {
		return errors.New("nothing has been said yet")
	}
	msgs := t.msgs
	if t.system != "" {
		msgs = append([]chat.Message{{Role: chat.RoleSystem, Content: t.system}}, msgs...)
	}
	data, err := json.Marshal(map[string]any{"model": filepath.Base(t.Bundle.Dir), "messages": msgs})
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(path, append(data, '\n')); err != nil {
		return err
	}
	t.note("(%d messages in %s)", len(msgs), path)
	return nil
}
