package checkpoint

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/foundling-lm/foundling/tensor/dtype"
)

// TestFullDisk saves in a process that may write files of 64 KiB only: to the
// program that is what a full disk looks like.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv("CHECKPOINT_TEST_FULL_DISK"); dir != "" {
		signal.Ignore(unix.SIGXFSZ)
		limit := unix.Rlimit{Cur: 64 << 10, Max: 64 << 10}
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		for _, shard := range []int64{0, 50 << 10} {
			err := Save(filepath.Join(dir, "model.safetensors"), dtype.F32, nil, sources(2, []int{10000}, []int{20000}), shard)
			if !errors.Is(err, unix.EFBIG) || !strings.Contains(err.Error(), "120000 bytes are needed: free some space") {
				t.Errorf("got error %v", err)
			}
		}
		return
	}
	dir := t.TempDir()
	old := sources(1, []int{100})
	if err := Save(filepath.Join(dir, "model.safetensors"), dtype.F32, nil, old, 0); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$")
	cmd.Env = append(os.Environ(), "CHECKPOINT_TEST_FULL_DISK="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	same(t, dir, dtype.F32, old)
	if got := list(t, dir); !slices.Equal(got, []string{"model.safetensors"}) {
		t.Errorf("left behind: %v", got)
	}
}
