// Package kernel is arithmetic on slices: the only code that knows the
// processor. It knows no Tensor.
//
// A Set is all kernels for one class of processor: purego (plain Go, the
// reference), avx2 (AVX2 and FMA), avx512 (AVX-512 F, BW, DQ, VL), avx512bf16
// (AVX-512 plus products of pairs of bf16), amx (AVX-512 plus AMX-BF16 tile
// products), neon. Every kernel exists in every set; a set
// without its own version of a kernel holds the next simpler one. Results of
// one set are the same bits whatever the number of threads and however the rows
// are grouped into calls; results of two sets differ by rounding only.
package kernel

import (
	"fmt"
	"strings"
)

// Set is the kernels for one class of processor.
type Set struct {
	Name   string // "purego", "avx2", "avx512", "avx512bf16", "amx"
	Vec           // row kernels
	gemm   gemmKernels
	blocks blockKernels
}

// Sets returns the sets that this processor and operating system can run, best
// first. The last one is always purego.
func Sets() []*Set { return available }

// Best is the fastest set of this machine.
func Best() *Set { return available[0] }

// FastBF16 says that the set multiplies bf16 faster than f32.
func (s *Set) FastBF16() bool { return s.gemm.bf16.elem == 2 }

// ByName finds a set by name; "" means Best. The error names what this machine
// has.
func ByName(name string) (*Set, error) {
	if name == "" {
		return Best(), nil
	}
	var have []string
	for _, s := range available {
		if s.Name == name {
			return s, nil
		}
		have = append(have, s.Name)
	}
	return nil, fmt.Errorf("kernel set %q cannot run here: this machine has %s", name, strings.Join(have, ", "))
}
