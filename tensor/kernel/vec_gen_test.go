//go:build amd64

package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// TestGenerated checks that the generator in _asm/vec gives the assembly that is
// checked in; -update writes it.
func TestGenerated(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command: ", err)
	}
	out := t.TempDir()
	if *golden.Update {
		if out, err = os.Getwd(); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(tool, "run", ".", "-out", out)
	cmd.Dir = filepath.Join("_asm", "vec")
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOOS=", "GOARCH=", "GOPROXY=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, text)
	}
	for _, name := range []string{"zvec_amd64.go", "zvec_avx2_amd64.s", "zvec_avx512_amd64.s"} {
		got, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what _asm/vec generates; run the test with -update", name)
		}
	}
}
