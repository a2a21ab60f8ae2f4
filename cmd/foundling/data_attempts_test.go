package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// A file of attempts that was cut anywhere goes on with the whole lines that it
// has, to the same bytes.
func TestAttemptsGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.attempts")
	head := attemptsHead{Command: "synthesize", Weights: "1", Prompts: "2"}
	var all []posttrain.Attempt
	for i, answer := range []string{"one", "two\nlines", "ünï"} {
		all = append(all, posttrain.Attempt{Number: i, Source: "p:1", Answer: answer, Pass: true, Score: 0.5,
			Prompt: dataset.Text{Turns: []dataset.Turn{{Role: "user", Content: "q"}}}})
	}
	f, made, err := openAttempts(path, head)
	if err != nil || made != nil {
		t.Fatal(made, err)
	}
	if err := f.add(all); err != nil {
		t.Fatal(err)
	}
	f.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		f, made, err := openAttempts(path, head)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		want := max(0, strings.Count(string(whole[:n]), "\n")-1)
		if len(made) != want || want > 0 && !reflect.DeepEqual(made, all[:want]) {
			t.Fatalf("%d bytes: %v, want %d attempts", n, made, want)
		}
		if err := f.add(all[want:]); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if got, err := os.ReadFile(path); err != nil || string(got) != string(whole) {
			t.Fatalf("%d bytes: then %s, %v", n, got, err)
		}
	}
	head.Weights = "other"
	if _, _, err := openAttempts(path, head); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("attempts of another model: %v", err)
	}
	if err := os.WriteFile(path, append(whole, "{}\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	head.Weights = "1"
	if _, _, err := openAttempts(path, head); err == nil || !strings.Contains(err.Error(), "x.attempts:5 is not attempt 3") {
		t.Errorf("a line that is no attempt: %v", err)
	}
}
