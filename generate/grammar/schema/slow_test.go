//go:build slow

package schema

import "testing"

func TestMaskBenchFull(t *testing.T) {
	ratchet(t, "maskbench.json", map[string]*score{"full": benchScore(t, maskBench(t, 1))})
}
