//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/raise"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/train"
)

// writeSections makes a folder of text with headings, from which demonstrations
// can be made.
func writeSections(t *testing.T) string {
	t.Helper()
	dir := writeCorpus(t, 60)
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for k, part := range strings.SplitAfterN(string(text), ".", 8) {
			fmt.Fprintf(&b, "## Part %d of %d\n\n%s\n\n", k, i, part)
		}
		sub := filepath.Join(dir, fmt.Sprintf("d%02d", i%20))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("%d.md", i)), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// planOf plans a small raise over the data, with frequent checkpoints, and
// returns the plan's file.
func planOf(t *testing.T, data string) string {
	t.Helper()
	b, err := cpu.New(cpu.Options{Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	shape := plan.Shape{Family: "llama", Layers: 2, Width: 32, Heads: 2, HeadDim: 16, FF: 64, Tied: true}
	r, err := raise.Open(b, raise.Options{
		Data: []string{data}, Out: filepath.Join(t.TempDir(), "planned"), Budget: time.Second, Seed: 1, Shapes: []plan.Shape{shape},
	}, raise.Watch{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Read(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.Plan.Pretrain.Train.SaveEvery, r.Plan.SFT.Train.SaveEvery = 20*time.Millisecond, 20*time.Millisecond
	text, err := json.Marshal(r.Plan)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKillRaise kills the main job at random moments of all its stages, among
// them fine-tuning, evaluation and report: it ends with the files of a run that
// was never stopped.
func TestKillRaise(t *testing.T) {
	data := writeSections(t)
	planned := planOf(t, data)
	raised := func(out string) *exec.Cmd {
		return exec.Command(os.Args[0], "raise", "--plan", planned, "--precision", "f32", "--out", out)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	start := time.Now()
	if out, err := raised(whole).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took := time.Since(start)

	dir := filepath.Join(t.TempDir(), "killed")
	r := rand.New(rand.NewPCG(3, 5))
	kills := map[string]int{}
	n := 0
	for _, s := range []killStage{
		{"reading", "", "", 50 * time.Millisecond},
		{"tokenizer", raise.PlanFile, "", 30 * time.Millisecond},
		{"shards", bundle.TokenizerFile, "", 30 * time.Millisecond},
		{"pre-training", filepath.Join("training", train.CheckpointFile), "", took / 4},
		{"demonstrations", filepath.Join(raise.BaseDir, bundle.WeightsFile), "", 30 * time.Millisecond},
		{"fine-tuning", filepath.Join("sft", train.CheckpointFile), "", took / 10},
		{"evaluation", bundle.WeightsFile, "", took / 10},
		{"report", "eval.json", "", 10 * time.Millisecond},
	} {
		for range killRounds {
			if killed(t, raised(dir), dir, s, r) {
				kills[s.name]++
				n++
			}
		}
	}
	if out, err := raised(dir).CombinedOutput(); err != nil {
		t.Fatalf("after %d kills: %v\n%s", n, err, out)
	}
	t.Logf("%d kills: %v; an uninterrupted run takes %v", n, kills, took)
	if n < 5*killRounds {
		t.Errorf("only %d of %d runs were killed before their end: %v", n, 8*killRounds, kills)
	}
	for _, name := range []string{bundle.WeightsFile, filepath.Join(raise.BaseDir, bundle.WeightsFile), bundle.TokenizerFile, raise.PlanFile, "eval.json"} {
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
	if _, err := os.Stat(filepath.Join(dir, raise.ReportFile)); err != nil {
		t.Errorf("no report: %v", err)
	}
	stale, _ := filepath.Glob(filepath.Join(dir, ".*"))
	inside, _ := filepath.Glob(filepath.Join(dir, "*", ".*"))
	if stale = append(stale, inside...); len(stale) > 0 {
		t.Errorf("left behind: %v", stale)
	}
}
