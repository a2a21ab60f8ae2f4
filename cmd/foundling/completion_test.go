package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestShellsComplete lets the shells that are installed complete lines with the
// script made for them.
func TestShellsComplete(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for shell, ask := range map[string]string{
		"bash": `source "$0"; COMP_WORDS=($1); [[ $1 != *" " ]] || COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _foundling; printf '%s\n' "${COMPREPLY[@]}"`,
		"fish": `source $argv[1]; complete -C $argv[2]`,
	} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(err)
			}
			script, err := exec.Command(program, "completion", shell).Output()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, shell)
			if err := os.WriteFile(file, script, 0o644); err != nil {
				t.Fatal(err)
			}
			for line, want := range map[string][]string{
				"foundling tok":                  {"tokenizer"},
				"foundling tokenizer enc":        {"encode"},
				"foundling tokenizer encode --m": {"--model"},
				"foundling completion z":         {"zsh"},
				"foundling models --j":           {"--json"},
				"foundling models ":              {"list", "path", "rm"},
				"foundling chat --top-":          {"--top-k", "--top-p"},
			} {
				out, err := exec.Command(path, "-c", ask, file, line).Output()
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, word := range strings.Fields(string(out)) {
					if !strings.HasSuffix(line, " ") || !strings.HasPrefix(word, "--") {
						got = append(got, word)
					}
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("%q: got %q, want %q", line, got, want)
				}
			}
		})
	}
}
