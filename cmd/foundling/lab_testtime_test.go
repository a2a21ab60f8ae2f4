package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/lab"
)

func poolOf(t *testing.T, dir string) []lab.Problem {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "pool.jsonl"))
	if err != nil {
		return nil
	}
	defer f.Close()
	_, problems, err := lab.ReadPool(f)
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

// TestLabInterrupted stops the command twice while it draws: what was drawn is
// saved and reported on, and the second run goes on from it.
func TestLabInterrupted(t *testing.T) {
	work := t.TempDir()
	if err := saveModel(filepath.Join(work, "model"), false); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(work, "out")
	run := func(enough int) []lab.Problem {
		for wait := 100 * time.Millisecond; wait < time.Minute; wait *= 2 {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			c := labTestTimeCmd{Model: filepath.Join(work, "model"), Task: "arithmetic", Problems: 100_000, N: 4, Out: out, LengthPenalty: 0.6, Noise: 1}
			c.MaxTokens, c.Seed, c.JSON = 30, 1, true
			err := c.Run(ctx)
			cancel()
			if err == nil || exitCode(err) != exitInterrupted {
				t.Fatalf("a run that was interrupted: %v", err)
			}
			if problems := poolOf(t, out); len(problems) > enough {
				return problems
			}
		}
		t.Fatal("nothing was drawn in a minute")
		return nil
	}
	first := run(0)
	second := run(len(first))
	if !reflect.DeepEqual(second[:len(first)], first) {
		t.Error("the second run changed what the first had drawn")
	}
	var r lab.TestTimeResult
	data, err := os.ReadFile(filepath.Join(out, "test-time.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil || r.Problems != len(second) {
		t.Errorf("the report is on %d problems of %d, %v", r.Problems, len(second), err)
	}
}

// TestLabStories runs the lab and best end to end with a real model: what comes
// next in a story, judged by a word.
func TestLabStories(t *testing.T) {
	model := golden.Data(t, "models", "stories260K", "stories260K-f32.gguf")
	work := t.TempDir()
	tasks := filepath.Join(work, "tasks.jsonl")
	lines := `{"id":"name","prompt":"Once upon a time, there was a little girl named","gold":"Lily"}
{"id":"pet","prompt":"Tim had a big red","gold":"ball"}
{"id":"place","prompt":"They went to the","gold":"park"}
`
	if err := os.WriteFile(tasks, []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"lab", "test-time", "--model", model, "--tasks", tasks, "--extract", `regex:^\s*(\w+)`, "--stop", ".", "--n", "24", "--max-tokens", "12", "--json"}
	a := program(t, nil, append(args, "--out", filepath.Join(work, "a"), "--threads", "2")...)
	b := program(t, nil, append(args, "--out", filepath.Join(work, "b"), "--threads", "1")...)
	if a != b {
		t.Error("one thread gives other curves than two")
	}
	var r lab.TestTimeResult
	if err := json.Unmarshal([]byte(a), &r); err != nil {
		t.Fatal(err)
	}
	cover, single := r.Curves[0], r.Curves[1]
	last := len(cover.K) - 1
	if r.Problems != 3 || r.PoolSize != 24 || !(cover.Accuracy[last] > single.Accuracy[0]) || cover.Accuracy[last] == 0 || single.Accuracy[0] == 0 {
		t.Errorf("%d problems of %d: one sample %v, coverage %v", r.Problems, r.PoolSize, single.Accuracy, cover.Accuracy)
	}
	page, err := os.ReadFile(filepath.Join(work, "a", "report.html"))
	if err != nil || !strings.Contains(string(page), "weighted") {
		t.Errorf("report.html: %v", err)
	}

	var best bestJSON
	out := program(t, nil, "best", "--model", model, "--prompt", "Once upon a time, there was a little girl named", "--n", "12", "--max-tokens", "4", "--extract", `regex:^\s*(\w+)`, "--json")
	if err := json.Unmarshal([]byte(out), &best); err != nil {
		t.Fatal(err)
	}
	if best.Selectors[0].Name != "majority" || best.Selectors[0].Answer != "Lily" || len(best.Candidates) != 12 {
		t.Errorf("the girl is called %q by %s", best.Selectors[0].Answer, best.Selectors[0].Why)
	}
	// A beam is worth at least what greedy decoding is.
	score := func(n string) float64 {
		var r bestJSON
		out := program(t, nil, "best", "--model", model, "--prompt", "Once upon a time", "--beam", "--n", n, "--max-tokens", "8", "--json")
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		return *r.Candidates[0].SumLogP
	}
	if one, eight := score("1"), score("8"); eight < one {
		t.Errorf("a beam of 8 finds %v, greedy %v", eight, one)
	}
}
