package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/plan"
)

// benchLines runs bench with --json, a short time and these arguments.
func benchLines(t *testing.T, c benchCmd) []benchRow {
	t.Helper()
	c.JSON = true
	c.Time = time.Microsecond
	out := stdout(t, func() error { return c.Run(context.Background()) })
	var rows []benchRow
	for line := range bytes.Lines(out) {
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		var r benchRow
		if err := d.Decode(&r); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if !(r.Value > 0 && r.Min <= r.Value && r.Value <= r.Max && r.N >= 1 && r.Unit != "") {
			t.Errorf("row %+v", r)
		}
		rows = append(rows, r)
	}
	return rows
}

// stdout is what f writes to standard output.
func stdout(t *testing.T, f func() error) []byte {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	old := os.Stdout
	os.Stdout = file
	err = f()
	os.Stdout = old
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBenchGemm(t *testing.T) {
	rows := benchLines(t, benchCmd{What: "gemm", Filter: "gemm/bf16/2048x384x384/t1"})
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	want := []string{"gemm/bf16/2048x384x384/t1", "gemm/bf16/2048x384x384/t1/packing-counted"}
	if !slices.Equal(names, want) {
		t.Errorf("rows %q, want %q", names, want)
	}
}

func TestBenchTokenizer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, []byte(strings.Repeat("the cat sat on the mat, and the rat sat on the cat.\n", 99)), 0o644); err != nil {
		t.Fatal(err)
	}
	rows := benchLines(t, benchCmd{What: "tokenizer", Data: []string{path}})
	if len(rows) != 4 || rows[0].Name != "tokenizer/encode/go-source" || rows[2].Unit != "s" {
		t.Errorf("rows %+v", rows)
	}
}

func TestBenchSample(t *testing.T) {
	rows := benchLines(t, benchCmd{What: "sample"})
	if len(rows) != len(sampleBench) || rows[0].Name != "sample/argmax" || rows[0].Unit != "us" {
		t.Errorf("rows %+v", rows)
	}
}

// TestBenchNames checks the names that other programs rely on.
func TestBenchNames(t *testing.T) {
	var got []string
	for _, cases := range [][]benchCase{gemmCases(2, ""), trainCases(), tokenizerCases(), generateCases(""), grammarCases(), sampleCases()} {
		for _, k := range cases {
			got = append(got, k.names...)
		}
	}
	for _, want := range []string{
		"gemm/bf16/1024x768x768/t1", "gemm/f32/1024x3072x768/t1", "gemm/bf16/1024x50257x768/t2/packing-counted",
		"train/gpt2-124m/b4t256", "train/gpt2-124m/b4t256/rss", "train/gpt-12m/b16t256", "train/llama-12m/b16t256",
		"train/sft-llama-12m/b16t256", "train/dpo-llama-12m/p20", "train/lora-135m/b8t512", "train/lora-135m/b8t512/rss",
		"tokenizer/encode/go-source", "tokenizer/encode/prose", "tokenizer/train/8k",
		"generate/llama-12m/f32/prefill512", "generate/llama-12m/f32/decode1",
		"grammar/mask/median", "grammar/mask/mean", "grammar/mask/p99", "grammar/compile/median", "grammar/compile/p99",
		"sample/topk40-topp-temp", "sample/topp-temp",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no bench %s", want)
		}
	}
	sorted := slices.Sorted(slices.Values(got))
	if len(slices.Compact(sorted)) != len(got) {
		t.Errorf("a name occurs twice in %q", got)
	}
}

func TestBenchShapes(t *testing.T) {
	for _, s := range []plan.Shape{gpt2Shape, gpt12m, llama12m} {
		if err := s.Validate(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if n := gpt2Shape.Count().Total; n != 124439808 {
		t.Errorf("GPT-2 has %d parameters, want 124439808", n)
	}
}

func TestBenchErrors(t *testing.T) {
	for name, c := range map[string]benchCmd{
		"filter":  {What: "gemm", Filter: "train/"},
		"time":    {What: "gemm", Time: -1},
		"kernels": {What: "gemm", computeFlags: computeFlags{Kernels: "abacus"}},
	} {
		var usage usageError
		if err := c.Run(context.Background()); !errors.As(err, &usage) {
			t.Errorf("%s: error %v, want a usage error", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c := benchCmd{What: "gemm", Filter: "gemm/f32/2048x384x384/t1", Time: time.Hour}
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want Canceled", err)
	}
}

func TestSummary(t *testing.T) {
	got := summary("x", "s", []float64{4, 1, 3, 2})
	if want := (benchRow{"x", 2.5, "s", 1, 4, 4}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
