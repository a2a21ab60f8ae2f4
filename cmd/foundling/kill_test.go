//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/train"
)

// writeCorpus makes a folder of small English-like files, a function of n.
func writeCorpus(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 1))
	words := strings.Fields("the a cat dog house river sees eats likes under over red green small old and then it was not here there morning bread")
	for i := range n {
		var b strings.Builder
		for range 400 {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteByte(" \n  ."[r.IntN(5)])
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.txt", i)), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// killStage is a part of a run: it has begun when the file is there and, for
// logs, holds the text.
type killStage struct {
	name, file, text string
	within           time.Duration // a kill comes so long after its beginning, at most
}

func (s killStage) begun(dir string) bool {
	if s.file == "" {
		return true
	}
	data, err := os.ReadFile(filepath.Join(dir, s.file))
	return err == nil && strings.Contains(string(data), s.text)
}

// killed starts the program and kills it a random time after the stage began.
// It reports false where the program came to its end before.
func killed(t *testing.T, cmd *exec.Cmd, dir string, s killStage, r *rand.Rand) bool {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	after := time.Duration(r.Int64N(int64(s.within)))
	var kill <-chan time.Time
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("the program failed by itself: %v\n%s", err, &stderr)
			}
			return false
		case <-kill:
			cmd.Process.Kill()
			<-ended
			return true
		case <-tick.C:
			if kill == nil && s.begun(dir) {
				kill = time.After(after)
			}
		}
	}
}

// TestKill kills pre-training at random moments of all its stages: what it ends
// with is what an uninterrupted run ends with, to the last bit.
func TestKill(t *testing.T) {
	bin, data := os.Args[0], writeCorpus(t, 60)
	steps := 12 * killRounds
	args := func(out string) []string {
		return []string{
			"pretrain", "--data", data, "--vocab", "400", "--layers", "2", "--width", "32", "--heads", "2", "--context", "32",
			"--batch-tokens", "256", "--accumulate", "2", "--dropout", "0.1", "--steps", fmt.Sprint(steps), "--save-every", "20ms",
			"--split", string(corpus.ByContent), "--split-share", "0.1", "--threads", "2", "--out", out,
		}
	}
	whole := filepath.Join(t.TempDir(), "whole")
	start := time.Now()
	if out, err := exec.Command(bin, args(whole)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took := time.Since(start)

	dir := filepath.Join(t.TempDir(), "killed")
	r := rand.New(rand.NewPCG(7, 11))
	kills := map[string]int{}
	n := 0
	for _, s := range []killStage{
		{"reading", "", "", 60 * time.Millisecond},
		{"tokenizer", runFileName, "", 30 * time.Millisecond},
		{"shards", bundle.TokenizerFile, "", 60 * time.Millisecond},
		{"training", train.CheckpointFile, "", took / 4},
		{"saving", train.MetricsFile, fmt.Sprintf(`"step":%d,`, steps), 20 * time.Millisecond},
	} {
		for range killRounds {
			if killed(t, exec.Command(bin, args(dir)...), dir, s, r) {
				kills[s.name]++
				n++
			}
		}
	}
	if out, err := exec.Command(bin, args(dir)...).CombinedOutput(); err != nil {
		t.Fatalf("after %d kills: %v\n%s", n, err, out)
	}
	t.Logf("%d kills: %v; an uninterrupted run takes %v", n, kills, took)
	if n < 3*killRounds {
		t.Errorf("only %d of %d runs were killed before their end: %v", n, 5*killRounds, kills)
	}
	for _, name := range []string{bundle.WeightsFile, bundle.ConfigFile, bundle.TokenizerFile, runFileName} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs after %d kills (%d and %d bytes)", name, n, len(got), len(want))
		}
	}
	if stale, _ := filepath.Glob(filepath.Join(dir, ".*")); len(stale) > 0 {
		t.Errorf("left behind: %v", stale)
	}
	log, err := train.ReadMetrics(filepath.Join(dir, train.MetricsFile))
	if err != nil || len(log) != steps {
		t.Errorf("the log has %d steps, %v, want %d", len(log), err, steps)
	}
}
