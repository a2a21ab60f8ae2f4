//go:build unix && slow

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// TestTinyShakespeare learns Shakespeare by characters, 90 parts of 100 to learn
// from and the rest held out, in order. Windows of the validation do not
// overlap, so that the figure compares with others' (a 5-gram: 1.7565). The
// length is in steps: 9 TFLOP, whatever the machine.
func TestTinyShakespeare(t *testing.T) {
	data := golden.Data(t, "corpora", "tinyshakespeare.txt.gz")
	code, stdout, stderr := call(t, os.Args[0], "pretrain", "--data", data, "--tokenizer", "char", "--split", "tail", "--split-share", "0.1",
		"--layers", "4", "--width", "128", "--context", "256", "--batch-tokens", "1024", "--lr", "0.01",
		"--steps", "1500", "--json", "--out", filepath.Join(t.TempDir(), "run"))
	if code != 0 {
		t.Fatal(stderr)
	}
	var r result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.4f nats/character after %.1f TFLOP in %.0f s", r.NatsPerChr, r.FLOP/1e12, r.Seconds)
	if r.Validation.Tokens < 111000 || r.Validation.Stride != 256 {
		t.Errorf("validation = %+v, want all held-out characters once", r.Validation)
	}
	if r.NatsPerChr > 1.65 {
		t.Errorf("validation is %.4f nats/character, want at most 1.65", r.NatsPerChr)
	}
}
