//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/train"
)

// writePairs makes a file of n questions and answers.
func writePairs(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"prompt":"What is %d?","response":"It is %d."}`+"\n", i, i*i)
	}
	path := filepath.Join(t.TempDir(), "pairs.jsonl")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSFT fine-tunes a model, stops, goes on, and opens the result.
func TestSFT(t *testing.T) {
	bin, data, pairs := os.Args[0], writeCorpus(t, 20), writePairs(t, 120)
	dir := t.TempDir()
	base := filepath.Join(dir, "base")
	if code, _, stderr := call(t, bin, tiny(data, base, "--steps", "5", "--context", "64", "--batch-tokens", "256")...); code != 0 {
		t.Fatal(stderr)
	}
	args := func(out string) []string {
		return []string{"sft", "--model", base, "--data", pairs, "--epochs", "15", "--batch-tokens", "128", "--threads", "1", "--out", filepath.Join(dir, out)}
	}
	code, stdout, stderr := call(t, bin, append(args("whole"), "--json")...)
	if code != 0 || !strings.Contains(stderr, "pair 120") || !strings.Contains(stderr, "overlap dropped 0") || !strings.Contains(stdout, `"rows"`) {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	z, err := bundle.Open(nil, filepath.Join(dir, "whole"))
	if err != nil || !z.Chat || len(z.Generation.EOS) != 2 {
		t.Fatalf("result = %+v, %v, want a chat model", z, err)
	}

	code, stderr = callInterrupted(t, filepath.Join(dir, "stopped", train.MetricsFile), bin, args("stopped")...)
	if code != exitInterrupted || !strings.Contains(stderr, "foundling sft --out") {
		t.Errorf("exit code %d, error %q", code, stderr)
	}
	if code, _, stderr := call(t, bin, "sft", "--out", filepath.Join(dir, "stopped")); code != 0 {
		t.Fatal(stderr)
	}
	sameFile(t, filepath.Join(dir, "stopped", bundle.WeightsFile), filepath.Join(dir, "whole", bundle.WeightsFile))

	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"other option", append(args("whole"), "--lr", "0.5"), 2, "--lr is 0.5"},
		{"too few", []string{"sft", "--model", base, "--data", writePairs(t, 10), "--out", filepath.Join(dir, "x")}, 1, "10 demonstrations"},
		{"no model", []string{"sft", "--model", dir, "--data", pairs, "--out", filepath.Join(dir, "x")}, 1, "config.json"},
		{"no data", []string{"sft", "--model", base, "--out", filepath.Join(dir, "x")}, 2, "--data"},
		{"same directory", []string{"sft", "--model", base, "--data", pairs, "--out", base}, 2, "--out"},
		{"context", []string{"sft", "--model", base, "--data", pairs, "--context", "65", "--out", filepath.Join(dir, "x")}, 2, "--context is 65"},
	} {
		code, _, stderr := call(t, bin, c.args...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, error %q, want %d and %q", c.name, code, stderr, c.code, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); err == nil {
		t.Errorf("an impossible run left its directory")
	}
}

// TestSFTKeepsHeldOutApart makes demonstrations from the text of which the model
// has seen one part: none comes from the other.
func TestSFTKeepsHeldOutApart(t *testing.T) {
	bin := os.Args[0]
	data, dir := t.TempDir(), t.TempDir()
	for i := range 60 {
		var b strings.Builder
		fmt.Fprintf(&b, "package p%d\n\n", i)
		for j := range 4 {
			fmt.Fprintf(&b, "// F%dx%d returns the sum of its argument and the number %d, as tests want it.\nfunc F%dx%d(x int) int {\n\treturn x + %d\n}\n\n", i, j, 7*i+j, i, j, 7*i+j)
		}
		sub := filepath.Join(data, fmt.Sprintf("p%d", i))
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, "f.go"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	base := filepath.Join(dir, "base")
	if code, _, stderr := call(t, bin, "pretrain", "--data", data, "--tokenizer", "bytes", "--layers", "1", "--width", "16", "--context", "256",
		"--split", "directory", "--split-share", "0.2", "--steps", "2", "--out", base); code != 0 {
		t.Fatal(stderr)
	}
	code, _, stderr := call(t, bin, "sft", "--model", base, "--data", filepath.Join(data, "p1"), data, "--steps", "2", "--out", filepath.Join(dir, "sft"))
	if code != 0 || strings.Contains(stderr, "overlap dropped 0;") || !strings.Contains(stderr, "overlap dropped ") {
		t.Errorf("exit code %d, %s\nwant demonstrations of held-out files dropped", code, stderr)
	}
}
