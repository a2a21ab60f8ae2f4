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
// overlap, so that the figure compares with others' (a 5-gram: 1.7565; nanoGPT on
// a GPU: 1.4697). The length is in steps: 9 and 238 TFLOP, whatever the machine;
// the second takes longer than go test allows by default (-timeout 60m).
func TestTinyShakespeare(t *testing.T) {
	data := golden.Data(t, "corpora", "tinyshakespeare.txt.gz")
	for _, c := range []struct {
		name string
		args []string
		want float64 // nats a character
	}{
		{"5 minutes", []string{"--layers", "4", "--width", "128", "--batch-tokens", "1024", "--lr", "0.01", "--steps", "1500"}, 1.65},
		{"20 minutes", []string{"--layers", "5", "--width", "256", "--heads", "4", "--batch-tokens", "4096", "--dropout", "0.15", "--lr", "0.007", "--steps", "2200"}, 1.50},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"pretrain", "--data", data, "--tokenizer", "char", "--split", "tail", "--split-share", "0.1",
				"--context", "256", "--json", "--out", filepath.Join(t.TempDir(), "run")}, c.args...)
			code, stdout, stderr := call(t, os.Args[0], args...)
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
			if r.NatsPerChr > c.want {
				t.Errorf("validation is %.4f nats/character, want at most %.2f", r.NatsPerChr, c.want)
			}
		})
	}
}
