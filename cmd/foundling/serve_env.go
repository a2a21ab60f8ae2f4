package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// serveEnv begins the names of the variables that set options of serve: --max-tokens is
// FOUNDLING_SERVE_MAX_TOKENS. Lists are cut at commas.
const serveEnv = "FOUNDLING_SERVE_"

// environment is the options of a command that variables set. They win over a recipe and
// lose against flags on the command line.
type environment struct {
	prefix string
	values map[string]string // by flag name
}

// readEnvironment checks that every variable with the prefix is a flag of the command.
func readEnvironment(prefix string, k *kong.Context, variables []string) (*environment, error) {
	e := &environment{prefix: prefix, values: map[string]string{}}
	names := optionNames(k.Selected())
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, prefix), "_", "-"))
		if !slices.Contains(names, flag) || e.variable(flag) != name {
			return nil, fmt.Errorf("the environment's %s: %s has no option %q: it has %s", name, k.Command(), flag, strings.Join(names, ", "))
		}
		e.values[flag] = value
	}
	return e, nil
}

// variable is the name of a flag's.
func (e *environment) variable(flag string) string {
	return e.prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Validate is asked by kong; names were checked when the variables were read.
func (e *environment) Validate(*kong.Application) error { return nil }

// Resolve gives a flag the value of its variable, tried out first so that an error can
// name it.
func (e *environment) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	text, ok := e.values[f.Name]
	if !ok {
		return nil, nil
	}
	var v any = text
	if f.Target.Kind() == reflect.Slice {
		list := []any{}
		for part := range strings.SplitSeq(text, ",") {
			list = append(list, strings.TrimSpace(part))
		}
		v = list
	}
	scratch := reflect.New(f.Target.Type()).Elem()
	if err := f.Parse(kong.Scan().PushTyped(v, kong.FlagValueToken), scratch); err != nil {
		return nil, fmt.Errorf("the environment's %s: %w", e.variable(f.Name), err)
	}
	return v, nil
}

// BeforeResolve lets variables of the environment set options.
func (c *serveCmd) BeforeResolve(k *kong.Context) (err error) {
	if c.env, err = readEnvironment(serveEnv, k, os.Environ()); err == nil {
		k.AddResolver(c.env)
	}
	return err
}

// AfterApply notes what is in force, for --check.
func (c *serveCmd) AfterApply(k *kong.Context) error {
	if err := c.keepFlags.fill(); err != nil {
		return err
	}
	c.options = optionsInForce(k, c.env)
	return nil
}
