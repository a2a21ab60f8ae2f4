package main

import (
	"fmt"

	"github.com/foundling-lm/foundling/tensor/cpu"
)

// computeFlags are shared by all commands that multiply matrices.
type computeFlags struct {
	Threads   int    `help:"Compute threads; 0 means all processors. Results do not depend on it." default:"0"`
	Kernels   string `help:"Kernel set: purego, avx2, avx512, avx512bf16 or amx; empty means the best of this machine. Results are the same bits for the same set."`
	Precision string `help:"Matrix products in f32 or bf16; empty means bf16 for training on avx512bf16 and amx, else f32."`
}

// exact is the flags with f32 products where nothing was said: text and
// probabilities of f32 weights are those of the weights, on every machine.
func (f computeFlags) exact() computeFlags {
	if f.Precision == "" {
		f.Precision = "f32"
	}
	return f
}

// checkThreads refuses a number of threads below 0.
func checkThreads(n int) error {
	if n < 0 {
		return usageError{fmt.Errorf("--threads is %d: it must be positive, or 0 for all processors", n)}
	}
	return nil
}

// backend starts the backend; the caller closes it.
func (f computeFlags) backend() (*cpu.Backend, error) {
	if err := checkThreads(f.Threads); err != nil {
		return nil, err
	}
	b, err := cpu.New(cpu.Options{Threads: f.Threads, Kernels: f.Kernels, Precision: f.Precision})
	if err != nil {
		return nil, usageError{err}
	}
	return b, nil
}
