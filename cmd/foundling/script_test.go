package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script against the program. Each script finds a
// base model in $WORK/base, one that answers in $WORK/chat, and one with room for
// more in $WORK/wide, all with random weights.
func TestScripts(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(program, filepath.Join(bin, "foundling")); err != nil {
		t.Skip("no symbolic links: ", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:  filepath.Join("testdata", "script"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			e.Setenv(asProgram, "1")
			e.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			for _, m := range []struct {
				name    string
				chats   bool
				context int
			}{{"base", false, 96}, {"chat", true, 96}, {"wide", true, 512}} {
				if err := saveTiny(filepath.Join(e.WorkDir, m.name), m.chats, m.context); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// exits runs a program that must end with the exit code given first.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [argument ...]")
	}
	var exit *exec.ExitError
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got := strconv.Itoa(code); got != args[0] {
		ts.Fatalf("exit code %s, want %s\n%s", got, args[0], ts.ReadFile("stderr"))
	}
}

// saveModel writes a tiny model directory.
func saveModel(dir string, chats bool) error { return saveTiny(dir, chats, 96) }
