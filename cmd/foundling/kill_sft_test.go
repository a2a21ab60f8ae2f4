//go:build unix

package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/train"
)

// TestKillSFT kills fine-tunings at random moments: of all weights, with the model
// from scratch beside, and of adapters over full weights and over Q8_0. What they
// end with, at another number of threads, is what uninterrupted runs end with.
func TestKillSFT(t *testing.T) {
	bin, pairs, dir := os.Args[0], writePairs(t, 120), t.TempDir()
	base, blocks := filepath.Join(dir, "base"), filepath.Join(dir, "base.gguf")
	if err := saveModel(base, false); err != nil {
		t.Fatal(err)
	}
	if err := bundle.Convert(base, blocks, bundle.ConvertOptions{Type: "q8_0"}); err != nil {
		t.Fatal(err)
	}
	adapter := []string{lora.WeightsFile, lora.ConfigFile, runFileName, heldOutFile}
	for _, c := range []struct {
		name  string
		args  []string
		files []string
	}{
		{"weights", []string{"--model", base, "--from-scratch", "--neftune", "5"}, []string{bundle.WeightsFile, runFileName, filepath.Join(scratchDir, bundle.WeightsFile)}},
		{"adapter", []string{"--model", base, "--lora", "4", "--lora-dropout", "0.1"}, adapter},
		{"adapter over blocks", []string{"--model", blocks, "--lora", "4"}, adapter},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			args := func(out, threads string) []string {
				return append([]string{"sft", "--data", pairs, "--steps", "30", "--batch-tokens", "192", "--accumulate", "2", "--save-every", "10ms",
					"--threads", threads, "--out", out}, c.args...)
			}
			whole, stopped := filepath.Join(dir, "whole"), filepath.Join(dir, "stopped")
			start := time.Now()
			if out, err := exec.Command(bin, args(whole, "1")...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			took := time.Since(start)
			r, n := rand.New(rand.NewPCG(3, 5)), 0
			for _, s := range []killStage{
				{"training", train.CheckpointFile, "", took / 4}, {"training", train.CheckpointFile, "", took / 3},
			} {
				if killed(t, exec.Command(bin, args(stopped, "2")...), stopped, s, r) {
					n++
				}
			}
			if out, err := exec.Command(bin, args(stopped, "3")...).CombinedOutput(); err != nil {
				t.Fatalf("after %d kills: %v\n%s", n, err, out)
			}
			t.Logf("%d kills of a run of %v", n, took)
			for _, name := range c.files {
				sameFile(t, filepath.Join(stopped, name), filepath.Join(whole, name))
			}
		})
	}
}
