package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// reference is what an independent float64 implementation says of a prompt.
type reference struct {
	IDs      []int32    `json:"ids"`
	Greedy   []int32    `json:"greedy_ids"`
	LogProbs []*float64 `json:"prompt_token_logprobs"` // the first is null
	Top      []struct {
		ID      int32   `json:"id"`
		LogProb float64 `json:"logprob"`
	} `json:"top10"`
}

// TestStories asks the program for scores of a real model whose tokenizer it
// cannot read: ids are enough.
func TestStories(t *testing.T) {
	dir := golden.Data(t, "models", "stories260K", "hf")
	data, err := os.ReadFile(golden.Data(t, "models", "stories260K", "reference_stories260K.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Files map[string]struct{ Prompts []reference }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	prompts := file.Files["stories260K.bin"].Prompts
	if len(prompts) == 0 {
		t.Fatal("no prompts in the reference")
	}
	var in bytes.Buffer
	for _, p := range prompts {
		json.NewEncoder(&in).Encode(map[string]any{"ids": p.IDs})
	}
	out := program(t, &in, "score", "--model", dir, "--jsonl", "--precision", "f32")
	answers := json.NewDecoder(strings.NewReader(out))
	for _, p := range prompts {
		var got struct {
			IDs      []int32
			LogProbs []float64
			Top      [][2]float64
		}
		if err := answers.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.IDs, p.IDs) || len(got.LogProbs) != len(p.IDs)-1 || len(got.Top) != len(p.Top) {
			t.Fatalf("%d ids, %d log-probabilities, %d candidates for %d ids", len(got.IDs), len(got.LogProbs), len(got.Top), len(p.IDs))
		}
		for i, x := range got.LogProbs {
			if want := *p.LogProbs[i+1]; math.Abs(x-want) > 1e-4 {
				t.Errorf("token %d of %v: log-probability %g, want %g", i+1, p.IDs, x, want)
			}
		}
		for i, x := range got.Top {
			if want := p.Top[i]; int32(x[0]) != want.ID || math.Abs(x[1]-want.LogProb) > 1e-4 {
				t.Errorf("candidate %d after %v: %v, want %v", i, p.IDs, x, want)
			}
		}
	}

	// The same model from its begin token: the text that everyone knows.
	var story struct {
		IDs []int32 `json:"ids"`
	}
	out = program(t, nil, "generate", "--model", dir, "--json", "--temperature", "0", "--max-tokens", "12", "--precision", "f32")
	if err := json.Unmarshal([]byte(out), &story); err != nil {
		t.Fatal(err)
	}
	once := append(slices.Clone(prompts[0].IDs[1:]), prompts[0].Greedy...)
	if !slices.Equal(story.IDs, once[:12]) {
		t.Errorf("generated %v, want %v", story.IDs, once[:12])
	}
}

// TestStoriesQuantised computes with the weights as the files have them. What
// remains is the rounding of activations to int8, which moves the unlikely most.
func TestStoriesQuantised(t *testing.T) {
	data, err := os.ReadFile(golden.Data(t, "models", "stories260K", "reference_stories260K.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Files map[string]struct{ Prompts []reference }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stories260K-Q8_0.gguf", "stories260K-Q4_0.gguf", "stories260K-Q4_K_M.gguf"} {
		model := golden.Data(t, "models", "stories260K", name)
		var in bytes.Buffer
		for _, p := range file.Files[name].Prompts {
			json.NewEncoder(&in).Encode(map[string]any{"ids": p.IDs})
		}
		input := in.String()
		out := program(t, &in, "score", "--model", model, "--jsonl", "--threads", "2")
		if again := program(t, bytes.NewBufferString(input), "score", "--model", model, "--jsonl", "--threads", "1"); again != out {
			t.Errorf("%s: one thread gives other scores than two", name)
		}
		answers, sum, n := json.NewDecoder(strings.NewReader(out)), 0.0, 0.0
		for _, p := range file.Files[name].Prompts {
			var got struct{ LogProbs []float64 }
			if err := answers.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if len(got.LogProbs) != len(p.IDs)-1 {
				t.Fatalf("%s: %d log-probabilities for %d ids", name, len(got.LogProbs), len(p.IDs))
			}
			for i, x := range got.LogProbs {
				want := *p.LogProbs[i+1]
				if d := math.Abs(x - want); d < 0.1-want/50 {
					sum, n = sum+d, n+1
				} else {
					t.Errorf("%s: token %d of %v: log-probability %g, want %g", name, i+1, p.IDs, x, want)
				}
			}
		}
		t.Logf("%s: mean difference of log-probabilities %.4f", name, sum/n)
		if !(sum/n < 0.04) {
			t.Errorf("%s: the mean difference is %.4f", name, sum/n)
		}
	}
}

// program runs foundling and returns what it printed.
func program(t *testing.T, in *bytes.Buffer, args ...string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	if in != nil {
		cmd.Stdin = in
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("foundling %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out)
}
