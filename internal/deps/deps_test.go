package deps

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestFloors is the policy at work.
func TestFloors(t *testing.T) {
	tree := os.DirFS("../..")
	if _, err := os.Stat("../../go.mod"); err != nil {
		t.Fatal(err)
	}
	found, err := Check(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range found {
		t.Error(line)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ file, imports, want string }{
		// Allowed.
		{"cmd/foundling/main.go", "train", ""},
		{"train/train.go", "log/slog", ""},
		{"train/train.go", "text/batch", ""},
		{"model/llama/llama.go", "tensor/op", ""},
		{"model/llama/llama_test.go", "tensor/cpu", ""},
		{"tensor/kernel/gemm.go", "tensor/dtype", ""},
		{"generate/search/beam.go", "text/tokenizer", ""},
		{"serve/server.go", ".", ""},
		{"cmd/foundling/cuda.go", "tensor/cuda", ""},
		{"bundle/bundle_test.go", "generate", ""},
		{"eval/ngram/ngram_test.go", "eval/ngram", ""},
		{"text/chat/_gen/main.go", "train", ""},
		{"text/testdata/a.go", "train", ""},
		{"model/logic/x.go", "logic.example/log", ""},
		// Floors.
		{"tensor/op/op.go", "model", "model stands above tensor"},
		{"train/train_test.go", "cmd/foundling", "nothing imports cmd"},
		{"internal/rng/rng.go", "tensor/dtype", "tensor stands above internal"},
		{"text/batch/batch.go", "tensor", "text and tensor stand side by side"},
		{"lab/a.go", "raise", "lab and raise stand side by side"},
		{"foundling.go", "serve", "serve stands above ."},
		{"train/train.go", "cmd/foundling", "nothing imports cmd"},
		{"foundling.go", "cmd/foundling", "nothing imports cmd"},
		{"model/model.go", ".", ". stands above model"},
		{"model/gpt2/gpt2.go", "text/tokenizer", "words and numbers meet"},
		{"generate/generate.go", "text", "words and numbers meet"},
		{"plan/plan.go", "text", "words and numbers meet"},
		// Bans.
		{"tensor/kernel/gemm.go", "tensor", "kernels work on slices"},
		{"tensor/kernel/gemm.go", "tensor/op", "kernels work on slices"},
		{"tensor/op/op.go", "tensor/cpu", "through tensor.Backend only"},
		{"eval/ngram/ngram.go", "tensor", "counting baselines"},
		{"eval/report/report.go", "eval", "plain data"},
		{"plan/plan.go", "tensor/op", "without weights"},
		{"plan/machine/machine.go", "model/gpt2", "without weights"},
		{"generate/sample/sample.go", "model", "plain slices"},
		{"model/checkpoint/open.go", "model", "knows no model"},
		{"serve/serve.go", "train/optim", "a server does not train"},
		{"lab/a.go", "tensor/cuda", "behind a build tag"},
		// Outside the module.
		{"tensor/op/op.go", "C", "pure Go"},
		{"model/nn/dropout.go", "math/rand/v2", "internal/rng"},
		{"generate/generate.go", "log/slog", "nothing logs"},
		{"train/train.go", "github.com/alecthomas/kong", "flags are read in cmd"},
		// Folders.
		{"utils/a.go", "fmt", "no floor for this folder"},
		{"train/a.go", "extra", "no floor for what it imports"},
		{"train/helpers/a.go", "fmt", `"helpers" says nothing`},
	} {
		to := c.imports
		if room := room(to); floor(room) >= 0 || room == "extra" {
			to = strings.TrimSuffix(Module+"/"+to, "/.")
		}
		tree := fstest.MapFS{c.file: {Data: []byte("//go:build never\n\npackage p\n\nimport _ \"" + to + "\"\n")}}
		found, err := Check(tree)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(found, "\n")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s imports %s: got %q, want %q", c.file, c.imports, got, c.want)
		}
		if c.want != "" && c.imports != "fmt" && !strings.Contains(got, c.file+" imports "+to) {
			t.Errorf("the message does not name the import: %q", got)
		}
	}
}

// Every rule must speak of folders that have a floor, and give its reason.
func TestTablesAreSound(t *testing.T) {
	for _, b := range bans {
		for _, p := range append([]string{b.from, b.to}, b.except...) {
			if p != everything && floor(p) < 0 {
				t.Errorf("ban %q -> %q: %q has no floor", b.from, b.to, p)
			}
		}
		if b.reason == "" {
			t.Errorf("ban %q -> %q has no reason", b.from, b.to)
		}
	}
	for _, p := range readers {
		if floor(p) < floor("text") {
			t.Errorf("reader %q stands below text", p)
		}
	}
	for _, r := range reserved {
		if r.reason == "" {
			t.Errorf("%q is reserved without a reason", r.path)
		}
	}
}
