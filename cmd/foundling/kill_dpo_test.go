//go:build unix

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// TestKillDPO kills runs on preferences at random moments: against stored
// log-probabilities, an adapter with KTO, and online. What they end with, at
// another number of threads, is what uninterrupted runs end with.
func TestKillDPO(t *testing.T) {
	dir := t.TempDir()
	base, pairs, prompts := filepath.Join(dir, "base"), filepath.Join(dir, "pairs.jsonl"), filepath.Join(dir, "prompts.txt")
	if err := saveModel(base, true); err != nil {
		t.Fatal(err)
	}
	var rows, lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&rows, `{"prompt":"q%d","chosen":"please %d","rejected":"go %d away"}`+"\n", i, i, i)
		fmt.Fprintf(&lines, "say %d\n", i)
	}
	for path, text := range map[string]string{pairs: rows.String(), prompts: lines.String()} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		args  []string
		files []string
	}{
		{"stored reference", []string{"--data", pairs, "--precompute-reference", "--steps", "40"}, []string{bundle.WeightsFile, runFileName, beforeFile, posttrain.ReferenceFile}},
		{"adapter", []string{"--data", pairs, "--loss", "kto", "--lora", "4", "--steps", "40"}, []string{lora.WeightsFile, lora.ConfigFile, runFileName}},
		{"online", []string{"--data", prompts, "--online", "--reward", "0.37*match:a+0.21*match:[bcd]+0.11*match:[0-9]+0.01*length", "--n", "3", "--round-prompts", "6", "--round-steps", "3", "--max-tokens", "20", "--steps", "18"},
			[]string{bundle.WeightsFile, runFileName, filepath.Join(posttrain.RoundsDir, "000005.json")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			args := func(out, threads string) []string {
				return append([]string{"dpo", "--model", base, "--batch", "4", "--save-every", "10ms", "--threads", threads, "--out", out}, c.args...)
			}
			whole, stopped := filepath.Join(dir, "whole"), filepath.Join(dir, "stopped")
			start := time.Now()
			if out, err := exec.Command(os.Args[0], args(whole, "1")...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			took := time.Since(start)
			r, n := rand.New(rand.NewPCG(3, 5)), 0
			for _, s := range []killStage{
				{"training", train.CheckpointFile, "", took / 4}, {"training", train.CheckpointFile, "", took / 3},
			} {
				if killed(t, exec.Command(os.Args[0], args(stopped, "2")...), stopped, s, r) {
					n++
				}
			}
			if out, err := exec.Command(os.Args[0], args(stopped, "3")...).CombinedOutput(); err != nil {
				t.Fatalf("after %d kills: %v\n%s", n, err, out)
			}
			t.Logf("%d kills of a run of %v", n, took)
			for _, name := range c.files {
				sameFile(t, filepath.Join(stopped, name), filepath.Join(whole, name))
			}
		})
	}
}
