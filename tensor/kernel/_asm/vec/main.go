// Vecasm writes the assembly of the row kernels of package kernel: one
// description of each kernel (kernels.go) for AVX2 and AVX-512.
//
// The kernels are straight-line code over one block of elements, in a loop. A
// body is built as a list of instructions on virtual registers (build.go);
// emit.go chooses the registers and the forms of fused multiply-add, and prints
// the text for Go's assembler. Both widths run the same arithmetic in the same
// order, so their results are the same bits. Tails are not here: a caller pads
// the last block.
//
// Usage: go run . [-out folder] (default: the folder of package kernel). With
// -fit it prints the polynomials' coefficients instead.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", filepath.Join("..", ".."), "folder for the generated files")
	fit := flag.Bool("fit", false, "print the coefficients of the approximations")
	flag.Parse()
	if *fit {
		fits()
		return
	}
	for name, text := range files() {
		if err := os.WriteFile(filepath.Join(*out, name), []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "vecasm:", err)
			os.Exit(1)
		}
	}
}

// files returns the generated files by name.
func files() map[string]string {
	return map[string]string{
		"zvec_avx2_amd64.s":   assembly(avx2),
		"zvec_avx512_amd64.s": assembly(avx512),
		"zvec_amd64.go":       declarations(),
	}
}
