package asmgen

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// TestFilesAreCurrent compares the generated files with those of package kernel.
func TestFilesAreCurrent(t *testing.T) {
	for name, want := range Files() {
		path := filepath.Join("..", "..", "tensor", "kernel", name)
		if *golden.Update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs from what the generator writes: run go test ./internal/asmgen -update", name)
		}
	}
}
