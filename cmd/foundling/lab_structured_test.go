package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/lab"
)

// TestStructuredStories runs all layers on a trained model. It knows stories, not
// JSON: what is promised is that constrained answers are valid and end, and that
// no layer is worse than the one before it.
func TestStructuredStories(t *testing.T) {
	model := golden.Data(t, "models", "stories260K", "hf")
	out := t.TempDir()
	if code := run([]string{"lab", "structured", "--model", model, "--items", "3", "--max-tokens", "64", "--tries", "2", "--out", out}); code != exitDone {
		t.Fatal("exit code", code)
	}
	b, err := os.ReadFile(filepath.Join(out, "structured.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r lab.StructuredResult
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	rows := map[string]lab.StructuredRow{}
	for _, w := range r.Rows {
		rows[w.Layer] = w
		if w.Missing == "" && (w.Valid.N != 3 || w.Tokens.Value <= 0 || w.Millis.Value <= 0) {
			t.Errorf("%+v", w)
		}
	}
	if len(r.Rows) != 5 || rows[lab.LayerConstrained].Valid.Value != 1 || rows[lab.LayerTuned].Missing == "" {
		t.Errorf("%+v", r.Rows)
	}
	if a, b, c := rows[lab.LayerPrompt].Valid.Value, rows[lab.LayerRepair].Valid.Value, rows[lab.LayerRetry].Valid.Value; a > b || b > c {
		t.Errorf("valid: prompt %v, repair %v, retry %v", a, b, c)
	}
}

// TestStructuredCalls lets the same model call functions, where a prompt and its
// answer fit into its context: constrained, every answer is a call.
func TestStructuredCalls(t *testing.T) {
	model := golden.Data(t, "models", "stories260K", "hf")
	questions := golden.Data(t, "tools", "bfcl", "BFCL_v4_simple_python.json.gz")
	answers := golden.Data(t, "tools", "bfcl", "possible_answer", "BFCL_v4_simple_python.json.gz")
	out := t.TempDir()
	if code := run([]string{"lab", "structured", "--model", model, "--items", "8", "--tries", "1", "--calls", questions, "--answers", answers, "--out", out}); code != exitDone {
		t.Fatal("exit code", code)
	}
	b, err := os.ReadFile(filepath.Join(out, "structured.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r lab.StructuredResult
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	row := r.Rows[3]
	if n := len(r.LeftOut); n == 0 || n == 8 || row.Layer != lab.LayerConstrained || row.Valid.Value != 1 || row.Valid.N != 8-n || row.Fields.Value <= 0 || r.Shortened != 8 {
		t.Errorf("%d left out, %d shortened, %+v", n, r.Shortened, row)
	}
}
