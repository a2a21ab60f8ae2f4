package gguf

import (
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/model/checkpoint"
)

// TestInt reads a size from every kind of value that a file may hold.
func TestInt(t *testing.T) {
	for _, c := range []struct {
		value any
		n     int
		err   string
	}{
		{uint32(4), 4, ""},
		{int64(4), 4, ""},
		{[]int32{4, 4, 4}, 4, ""},
		{[]int32{4, 5}, 0, "differs by layer"},
		{[]int32{}, 0, "empty list"},
		{[]any{[]int32{4}, []int32{4}}, 0, "list of lists"},
		{[]any(nil), 0, "empty list"},
		{int32(-1), 0, "whole number"},
		{uint64(math.MaxUint64), 0, "whole number"},
		{float32(4), 0, "whole number"},
		{"4", 0, "whole number"},
	} {
		md := Metadata{arch: "llama", all: map[string]any{"llama.block_count": c.value}}
		n, ok, err := md.Int("block_count")
		switch {
		case c.err == "" && (n != c.n || !ok || err != nil):
			t.Errorf("%T %v: got %d, %v, %v, want %d", c.value, c.value, n, ok, err, c.n)
		case c.err != "" && (ok || err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%T %v: got %d, %v, %v, want an error with %q", c.value, c.value, n, ok, err, c.err)
		}
	}
}

// TestYarnFactor refuses an attention factor that nothing says the stretch of.
func TestYarnFactor(t *testing.T) {
	for _, factor := range []any{nil, float32(0), float32(-2)} {
		all := map[string]any{"llama.rope.scaling.type": "yarn", "llama.rope.scaling.attn_factor": float32(1)}
		if factor != nil {
			all["llama.rope.scaling.factor"] = factor
		}
		err := importRope(Metadata{"llama", all, &checkpoint.File{}}, map[string]any{"head_dim": 8})
		if err == nil || !strings.Contains(err.Error(), "rope.scaling.factor") {
			t.Errorf("factor %v: error %v", factor, err)
		}
	}
}

// TestExpertsWithoutData makes no list of names from a shape alone.
func TestExpertsWithoutData(t *testing.T) {
	f := Family{Names: []Name{{"blk.*.ffn_up_exps", "model.layers.*.experts.#.up", Experts}}}
	const name = "blk.0.ffn_up_exps.weight"
	for _, shape := range [][]int{{maxExperts, 0, 0}, {0, 4, 4}, {maxExperts + 1, 4, 4}} {
		w := &Weights{places: map[string]place{}}
		w.add(&f, name, &checkpoint.Tensor{Name: name, Shape: shape})
		if len(w.names) != 1 || w.names[0] != name {
			t.Errorf("shape %v: %d names", shape, len(w.names))
		}
	}
}
