package main

import (
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

func TestCSVPromptsOfRealData(t *testing.T) {
	got, err := csvPrompts(golden.Data(t, "eval", "simple_safety_tests.csv"))
	if err != nil || len(got) != 100 || !strings.HasSuffix(got[0].Source, "simple_safety_tests.csv:2") || strings.Contains(got[0].Prompt.Plain, "sst_") {
		t.Errorf("%d prompts, %v", len(got), err)
	}
}

func FuzzReadCSVPrompts(f *testing.F) {
	f.Add("id,prompt\n1,hello\n2,\"a\nb\"\n")
	f.Add("\uFEFFprompt\nx\n")
	f.Add("a;b\n\"")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := readCSVPrompts("x.csv", strings.NewReader(s))
		for _, r := range got {
			if err == nil && (r.Prompt.Blank() || !strings.HasPrefix(r.Source, "x.csv:")) {
				t.Errorf("%+v", r)
			}
		}
	})
}
