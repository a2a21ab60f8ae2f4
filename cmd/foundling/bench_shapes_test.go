package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// TestBenchPublicShapes runs all measures on a tiny shape.
func TestBenchPublicShapes(t *testing.T) {
	publicShapes["tiny"] = plan.Shape{Family: "llama", Layers: 2, Width: 64, Heads: 4, KVHeads: 2, FF: 96, Vocab: 300, Context: 2304, Tied: true}
	defer delete(publicShapes, "tiny")
	for _, fileType := range []string{"q8_0", "q4_k_m", "bf16"} {
		c := benchCmd{What: "generate", Shape: "tiny", Type: fileType}
		var names []string
		for _, r := range benchLines(t, c) {
			names = append(names, strings.TrimPrefix(r.Name, "generate/tiny/"+fileType+"/"))
		}
		for _, want := range []string{"prefill512", "prefill512/arithmetic", "prefill512/peak", "prefill2048", "decode1", "decode1/bandwidth", "decode32", "sampled32", "constrained32/strings", "constrained32/strings/time", "constrained32/records/time", "weights"} {
			if !slices.Contains(names, want) {
				t.Errorf("%s: no row %s in %q", fileType, want, names)
			}
		}
	}
	for name, c := range map[string]benchCmd{
		"--shape":           {What: "generate", Shape: "huge", Type: "q8_0"},
		"--type":            {What: "generate", Shape: "tiny", Type: "q9"},
		"no name begins so": {What: "generate", Shape: "tiny", Type: "q8_0", Filter: "gemm"},
	} {
		var usage usageError
		if err := c.Run(context.Background()); !errors.As(err, &usage) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestPublicShapes checks sizes that are published, and the formats of mixtures.
func TestPublicShapes(t *testing.T) {
	want := map[string]int{"llama-3.2-1b": 1235814400, "smollm2-135m": 134515008}
	for name, n := range want {
		shape, err := publicShape(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := pretrain.NewModel(nil, shape, -1)
		if err != nil {
			t.Fatal(err)
		}
		if got := model.Count(m); got != n {
			t.Errorf("%s has %d parameters, want %d", name, got, n)
		}
		list, err := formatsOf(nil, m, "q4_k_m")
		if err != nil {
			t.Fatal(err)
		}
		formats := map[string]dtype.Type{}
		for i, w := range m.Params() {
			formats[w.Name] = list[i]
		}
		many, some := dtype.Q4_K, dtype.Q6_K
		if name == "smollm2-135m" { // rows of 576
			many, some = dtype.Q5_0, dtype.Q8_0
		}
		for tensor, want := range map[string]dtype.Type{
			"model.embed_tokens.weight": some, "model.layers.0.self_attn.v_proj.weight": some,
			"model.layers.0.self_attn.q_proj.weight": many, "model.layers.3.self_attn.v_proj.weight": many,
		} {
			if got := formats[tensor]; got != want {
				t.Errorf("%s: %s is %v, want %v", name, tensor, got, want)
			}
		}
	}
}
