package bundle_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/model/zoo"
)

// TestDirectoryKeys keeps the keys of the config.json that is written of a GGUF
// file of each family, and the names and shapes of its tensors in one line for
// all layers. They are transformers' names as its configuration and model files
// have them; transformers itself was not run.
func TestDirectoryKeys(t *testing.T) {
	b := backend(t, "")
	var out strings.Builder
	for _, family := range zoo.Families() {
		z := random(t, b, family)
		file, back := filepath.Join(t.TempDir(), "m.gguf"), filepath.Join(t.TempDir(), "back")
		for _, step := range [][2]string{{z.Dir, file}, {file, back}} {
			if err := bundle.Convert(step[0], step[1], bundle.ConvertOptions{Threads: 1}); err != nil {
				t.Fatal(err)
			}
		}
		c := config(t, back)
		fmt.Fprintf(&out, "%s: %v\n", family, c["architectures"])
		for _, key := range slices.Sorted(maps.Keys(c)) {
			fmt.Fprintf(&out, "  %s\n", key)
		}
		f := openFile(t, back)
		for _, name := range slices.Sorted(slices.Values(f.Names())) {
			if strings.Contains(name, ".0.") || !strings.ContainsAny(name, "0123456789") {
				x, _ := f.Tensor(name)
				fmt.Fprintf(&out, "  %s %v\n", name, x.Shape)
			}
		}
	}
	golden.Check(t, "directory_keys.txt", []byte(out.String()))
}
