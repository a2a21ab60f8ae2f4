package foundling_test

import (
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// TestFingerprint opens a model in the formats that weights are laid out in.
func TestFingerprint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	if err := save(dir, false, 64); err != nil {
		t.Fatal(err)
	}
	seen := map[[16]byte]string{}
	for _, format := range []dtype.Type{dtype.F32, dtype.BF16, dtype.Q8_0, dtype.Q4_0} {
		file := filepath.Join(t.TempDir(), "m.gguf")
		if err := bundle.Convert(dir, file, bundle.ConvertOptions{Type: format.String(), Threads: 1}); err != nil {
			t.Fatal(err)
		}
		got := open(t, file, foundling.Options{}).Fingerprint()
		if again := open(t, file, foundling.Options{}).Fingerprint(); again != got {
			t.Errorf("%v: %x when opened again, %x at first", format, again, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%v has the fingerprint of %s", format, other)
		}
		seen[got] = format.String()
	}
}
