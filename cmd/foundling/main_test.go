package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// asProgram in the environment makes the test binary the program itself, so that
// tests can run, stop and kill it without building it.
const asProgram = "FOUNDLING_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	worker := slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.fuzzworker") })
	if os.Getenv(asProgram) != "" && !worker {
		os.Exit(run(os.Args[1:]))
	}
	os.Setenv(asProgram, "1") // of the processes that tests start
	os.Exit(m.Run())
}

// The parser of one command prints what that of all prints.
func TestGrammarOf(t *testing.T) {
	help := func(grammar any, name string) string {
		var b bytes.Buffer
		parser := newParser(grammar, func(int) {})
		parser.Stdout = &b
		parser.Parse([]string{name, "--help"}) // its error is that nothing has ended the program
		return b.String()
	}
	all := newParser(new(cli), nil).Model.Children
	for _, command := range all {
		part := grammarOf([]string{command.Name})
		if got, want := help(part, command.Name), help(new(cli), command.Name); got != want || want == "" {
			t.Errorf("help of %s:\n%s\nwant\n%s", command.Name, got, want)
		}
		if n := len(newParser(part, nil).Model.Children); n != 1 && command.Name != "completion" {
			t.Errorf("%s: a parser of %d commands", command.Name, n)
		}
	}
	if n := len(newParser(grammarOf([]string{"--help"}), nil).Model.Children); n != len(all) {
		t.Errorf("without a command a parser of %d, want %d", n, len(all))
	}
}

func TestJoined(t *testing.T) {
	for args, want := range map[string]string{
		"generate|--temperature|-1|--n|2":        "generate|--temperature=-1|--n|2",
		"generate|--min-p|-.5|--raw":             "generate|--min-p=-.5|--raw",
		"generate|--prompt|- one = 1":            "generate|--prompt=- one = 1",
		"generate|--prompt|-|--n|2":              "generate|--prompt|-|--n|2",
		"generate|--raw|--prompt=- one|--n=-1":   "generate|--raw|--prompt=- one|--n=-1",
		"generate|--prompt|--raw|--stop|--n=1":   "generate|--prompt|--raw|--stop|--n=1",
		"repair|--json|-|--|-1|--temperature|-1": "repair|--json|-|--|-1|--temperature|-1",
		"generate|--prompt":                      "generate|--prompt",
	} {
		if got := joined(strings.Split(args, "|")); !slices.Equal(got, strings.Split(want, "|")) {
			t.Errorf("%s: %s, want %s", args, strings.Join(got, "|"), want)
		}
	}
}
