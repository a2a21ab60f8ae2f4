package gguf

import (
	"math"
	"strings"
	"testing"
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
