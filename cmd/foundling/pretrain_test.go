//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/train"
)

// call runs the program and returns its exit code and both outputs.
func call(t *testing.T, bin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); e != nil {
		var exit *exec.ExitError
		if !errors.As(e, &exit) {
			t.Fatal(e)
		}
	}
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

// tiny is a pre-training of a second.
func tiny(data, out string, more ...string) []string {
	return append([]string{
		"pretrain", "--data", data, "--tokenizer", "bytes", "--layers", "1", "--width", "16", "--heads", "2", "--context", "16",
		"--batch-tokens", "64", "--split", "content", "--split-share", "0.1", "--threads", "1", "--out", out,
	}, more...)
}

func TestPretrainBadOptions(t *testing.T) {
	bin, data := os.Args[0], writeCorpus(t, 20)
	empty, dir := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken.txt.gz")
	if err := os.WriteFile(broken, []byte("\x1f\x8b\x08 this is no gzip"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string // after --data, --out and --steps; the last one of a flag counts
		code int
		want string
	}{
		{"heads", []string{"--width", "30", "--heads", "4"}, 2, "--heads 4 does not divide --width 30"},
		{"odd head", []string{"--width", "6", "--heads", "2"}, 2, "--width 6"},
		{"kv heads", []string{"--heads", "4", "--kv-heads", "3"}, 2, "--kv-heads 3"},
		{"kv heads of gpt2", []string{"--arch", "gpt2", "--kv-heads", "1"}, 2, "--kv-heads"},
		{"context 0", []string{"--context", "0"}, 2, "--context is 0"},
		{"layers", []string{"--layers=-1"}, 2, "--layers is -1"},
		{"batch", []string{"--context", "64", "--batch-tokens", "32"}, 2, "--batch-tokens 32 is less than --context 64"},
		{"ragged batch", []string{"--batch-tokens", "100"}, 2, "--batch-tokens 100"},
		{"arch", []string{"--arch", "rnn"}, 2, `--arch "rnn"`},
		{"vocab", []string{"--tokenizer", "bpe", "--vocab", "100"}, 2, "--vocab 100 is too small"},
		{"vocab of bytes", []string{"--vocab", "1000"}, 2, "--vocab 1000"},
		{"rate", []string{"--lr=-1"}, 2, "--lr is -1"},
		{"rate NaN", []string{"--lr", "NaN"}, 2, "NaN"},
		{"dropout", []string{"--dropout", "1"}, 2, "--dropout is 1"},
		{"optimizer", []string{"--optimizer", "sgd"}, 2, `--optimizer "sgd"`},
		{"schedule", []string{"--schedule", "step"}, 2, `--schedule "step"`},
		{"warmup", []string{"--warmup=-3"}, 2, "--warmup"},
		{"clip", []string{"--clip", "0"}, 2, "--clip"},
		{"steps", []string{"--steps", "0"}, 2, "--steps is 0"},
		{"both lengths", []string{"--budget", "5s"}, 2, "--steps and --budget"},
		{"split", []string{"--split", "half"}, 2, "--split"},
		{"share", []string{"--split-share", "1"}, 2, "--split-share 1"},
		{"mode", []string{"--mode", "sliding"}, 2, "--mode"},
		{"kernels", []string{"--kernels", "abacus"}, 2, "abacus"},
		{"unknown flag", []string{"--colour", "red"}, 2, "--colour"},
		{"too large", []string{"--width", "65536", "--heads", "64"}, 2, "training needs about"},
		{"no such tokenizer", []string{"--tokenizer", filepath.Join(dir, "none.json")}, 1, "none.json"},
		{"no such data", []string{"--data", filepath.Join(dir, "nowhere")}, 1, "nowhere"},
		{"broken data", []string{"--data", broken}, 1, "broken.txt.gz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(dir, "out")
			code, stdout, stderr := call(t, bin, tiny(data, out, append([]string{"--steps", "5"}, c.args...)...)...)
			if code != c.code || !strings.Contains(stderr, c.want) || stdout != "" {
				t.Errorf("exit code %d, error %q, output %q\nwant %d and %q", code, stderr, stdout, c.code, c.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Errorf("--out was made")
			}
		})
	}
	for _, c := range []struct {
		name, data, out, want string
		code                  int
	}{
		{"empty data", empty, filepath.Join(dir, "out"), "no documents", 1},
		{"out is a file", data, file, "is a file", 2},
		{"out below a file", data, filepath.Join(file, "out"), "file", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := call(t, bin, tiny(c.data, c.out, "--steps", "5")...)
			if code != c.code || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d, error %q, want %d and %q", code, stderr, c.code, c.want)
			}
		})
	}
	t.Run("no length", func(t *testing.T) {
		if code, _, stderr := call(t, bin, tiny(data, filepath.Join(dir, "out"))...); code != 2 || !strings.Contains(stderr, "--steps") {
			t.Errorf("exit code %d, error %q", code, stderr)
		}
	})
}

// TestPretrainDirectory runs in a directory that is there.
func TestPretrainDirectory(t *testing.T) {
	bin, data := os.Args[0], writeCorpus(t, 20)
	out := filepath.Join(t.TempDir(), "run")
	if code, _, stderr := call(t, bin, tiny(data, out, "--steps", "20")...); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	code, stdout, stderr := call(t, bin, "pretrain", "--out", out, "--json")
	var got result
	if err := json.Unmarshal([]byte(stdout), &got); code != 0 || err != nil || got.Steps != 20 || got.Validation.Tokens == 0 {
		t.Errorf("again: exit code %d, %q, %v, %+v, want the result of 20 steps", code, stderr, err, got)
	}
	if v := got.Validation; v.Context != 16 || v.Stride != 16 || v.BitsPerByte <= 0 || got.NatsPerChr < v.NatsPerByte {
		t.Errorf("validation = %+v", got)
	}
	for _, c := range []struct{ name, flag, value string }{
		{"rate", "--lr", "0.1"}, {"steps", "--steps", "30"}, {"shape", "--layers", "2"}, {"tokenizer", "--tokenizer", "char"}, {"seed", "--seed", "2"},
	} {
		code, _, stderr := call(t, bin, "pretrain", "--out", out, c.flag, c.value)
		if code != 2 || !strings.Contains(stderr, c.flag+" is ") {
			t.Errorf("%s: exit code %d, error %q, want 2 and the option's name", c.name, code, stderr)
		}
	}
	if err := os.WriteFile(filepath.Join(data, "more.txt"), []byte("one more text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := call(t, bin, "pretrain", "--out", out); code != 1 || !strings.Contains(stderr, "no longer") {
		t.Errorf("changed data: exit code %d, error %q", code, stderr)
	}
	os.Remove(filepath.Join(out, runFileName))
	if code, _, stderr := call(t, bin, tiny(data, out, "--steps", "20")...); code != 2 || !strings.Contains(stderr, "name another directory") {
		t.Errorf("a model without run.json: exit code %d, error %q", code, stderr)
	}
}

// callInterrupted runs the program, sends it what Ctrl-C does once log shows some
// steps, and returns its exit code and errors. On a busy machine that takes long.
func callInterrupted(t *testing.T, log, bin string, args ...string) (code int, stderr string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	var text bytes.Buffer
	cmd.Stderr = &text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			t.Fatalf("the program ended before it was interrupted: %v, %s", err, &text)
		case <-deadline:
			cmd.Process.Kill()
			<-ended
			t.Fatalf("no steps in %s: %s", log, &text)
		case <-tick.C:
			if info, err := os.Stat(log); err != nil || info.Size() <= 500 {
				continue
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			<-ended
			return cmd.ProcessState.ExitCode(), text.String()
		}
	}
}

// TestPretrainInterrupt stops a run by Ctrl-C and goes on with the command that
// it prints.
func TestPretrainInterrupt(t *testing.T) {
	bin, data := os.Args[0], writeCorpus(t, 20)
	whole, out := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "run")
	if code, _, stderr := call(t, bin, tiny(data, whole, "--steps", "250")...); code != 0 {
		t.Fatal(stderr)
	}
	code, stderr := callInterrupted(t, filepath.Join(out, train.MetricsFile), bin, tiny(data, out, "--steps", "250")...)
	if code != exitInterrupted || !strings.Contains(stderr, "foundling pretrain --out "+out) {
		t.Errorf("exit code %d, want %d; error %q", code, exitInterrupted, stderr)
	}
	if _, err := os.Stat(filepath.Join(out, train.CheckpointFile)); err != nil {
		t.Errorf("nothing was saved: %v", err)
	}
	if code, _, stderr := call(t, bin, "pretrain", "--out", out); code != 0 {
		t.Fatal(stderr)
	}
	sameFile(t, filepath.Join(out, bundle.WeightsFile), filepath.Join(whole, bundle.WeightsFile))
}

// sameFile compares two files.
func sameFile(t *testing.T, got, want string) {
	t.Helper()
	g, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(g, w) {
		t.Errorf("%s and %s differ (%d and %d bytes)", got, want, len(g), len(w))
	}
}

// TestPretrainFullDisk bounds the size of files: no state is half written, and
// the run goes on when there is room.
func TestPretrainFullDisk(t *testing.T) {
	bin, data := os.Args[0], writeCorpus(t, 20)
	out := filepath.Join(t.TempDir(), "run")
	args := tiny(data, out, "--steps", "10")
	quoted := fmt.Sprintf("'%s'", strings.Join(append([]string{bin}, args...), "' '"))
	code, _, stderr := call(t, "/bin/sh", "-c", "ulimit -f 64; exec "+quoted)
	if code != 1 || !strings.Contains(stderr, "too large") && !strings.Contains(stderr, "no space") {
		t.Errorf("exit code %d, error %q, want 1 and the reason", code, stderr)
	}
	if stale, _ := filepath.Glob(filepath.Join(out, ".*")); len(stale) > 0 || pretrainDone(out) {
		t.Errorf("left behind: %v", stale)
	}
	if code, _, stderr := call(t, bin, args...); code != 0 || !pretrainDone(out) {
		t.Errorf("with room: exit code %d, %s", code, stderr)
	}
}

func pretrainDone(out string) bool {
	_, err := os.Stat(filepath.Join(out, bundle.WeightsFile))
	return err == nil
}

// TestPretrainBudget turns time into steps once.
func TestPretrainBudget(t *testing.T) {
	bin, data := os.Args[0], writeCorpus(t, 20)
	out := filepath.Join(t.TempDir(), "run")
	code, _, stderr := call(t, bin, tiny(data, out, "--budget", "3s")...)
	if code != 0 {
		t.Fatal(stderr)
	}
	var r runFile[pretrainOptions]
	if _, err := loadRun(out, "pretrain", &r); err != nil || r.Options.Steps < 10 || r.Measured == nil || r.Source == "" || r.Options.Kernels == "" {
		t.Errorf("run.json = %+v, %v", r, err)
	} else if planned := r.Measured.Spent + float64(r.Options.Steps)*r.Measured.SecondsPerStep; planned > 3 {
		t.Errorf("%d steps are planned to end after %.1f s of a budget of 3 s: %+v", r.Options.Steps, planned, r.Measured)
	}
	if code, stdout, _ := call(t, bin, "pretrain", "--out", out, "--budget", "3s"); code != 0 || !strings.Contains(stdout, fmt.Sprintf(" %d steps", r.Options.Steps)) {
		t.Errorf("again: exit code %d, %q, want the result of %d steps", code, stdout, r.Options.Steps)
	}
}
