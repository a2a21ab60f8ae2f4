package dataset

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// readAll reads a file whole: its records, what was left out, its shape.
func readAll(t *testing.T, path string, o Options) (records []Record, skips Skips, shape string) {
	t.Helper()
	o.Detected = func(_ string, s Shape) { shape = s.Name }
	for r, err := range Read(path, o) {
		if err == nil {
			records = append(records, r)
		} else if !skips.Add(err) {
			t.Fatal(err)
		}
	}
	return records, skips, shape
}

// The counts were made with jq.
func TestRealFiles(t *testing.T) {
	for _, test := range []struct {
		file    string
		kinds   []Kind
		shape   string
		kind    Kind
		records int
		skipped map[Reason]int
	}{
		{"sft/instruction-data.json", nil, "alpaca", PromptCompletion, 1100, nil},
		{"sft/seed_tasks.jsonl", nil, "self-instruct", PromptCompletion, 175, nil},
		{"sft/sharegpt_dummy_conversation.json", nil, "sharegpt", Messages, 500, nil},
		{"sft/wikisql/train.jsonl", nil, "questions in text", PromptCompletion, 1000, nil},
		{"sft/wikisql/train.jsonl", []Kind{PlainText}, "text", PlainText, 1000, nil},
		{"sft/wikisql/valid.jsonl", nil, "questions in text", PromptCompletion, 100, nil},
		{"preference/hh_harmless_base_test.jsonl.gz", nil, "chosen and rejected", Preference, 1153, map[Reason]int{Empty: 3}},
		{"preference/instruction-data-with-preference.json", nil, "chosen and rejected", Preference, 1094, map[Reason]int{Identical: 6}},
		{"preference/instruction-data-with-preference.json", Demonstrations(), "alpaca", PromptCompletion, 1100, nil},
		{"preference/oasst_en_tree.jsonl.gz", nil, "oasst tree", Preference, 361, nil},
		{"preference/oasst_en_tree.jsonl.gz", Demonstrations(), "oasst tree", Messages, 50, nil},
		{"preference/alpaca_eval/alpaca-7b.annotations.json.gz", nil, "judged pair", Preference, 789, map[Reason]int{NoVerdict: 16}},
		{"preference/alpaca_eval/text_davinci_001.annotations.json.gz", nil, "judged pair", Preference, 782, map[Reason]int{NoVerdict: 21, Empty: 2}},
		{"preference/hh_harmless_base_test.jsonl.gz", Demonstrations(), "", "", 0, map[Reason]int{WrongColumns: 1156}},
	} {
		t.Run(test.file, func(t *testing.T) {
			records, skips, shape := readAll(t, golden.Data(t, test.file), Options{Kinds: test.kinds})
			if shape != test.shape || len(records) != test.records || !maps.Equal(skips.Reasons, test.skipped) {
				t.Errorf("got %d records of shape %q, left out %v; want %d of %q, %v", len(records), shape, skips.Reasons, test.records, test.shape, test.skipped)
			}
			for _, r := range records {
				if r.Kind != test.kind {
					t.Fatalf("%s: kind %s, want %s", r.Source, r.Kind, test.kind)
				}
			}
		})
	}
	err := firstError(golden.Data(t, "preference/alpaca_eval/leaderboard_alpaca_eval_gpt4.csv"))
	if err == nil || !strings.Contains(err.Error(), "files of this kind are not read") {
		t.Errorf("a table of a leaderboard: %v", err)
	}
	var names []string
	files, err := Files(filepath.Dir(golden.Data(t, "sft/instruction-data.json")))
	for _, f := range files {
		names = append(names, filepath.Base(f))
	}
	if got := strings.Join(names, " "); err != nil || got != "instruction-data.json seed_tasks.jsonl sharegpt_dummy_conversation.json train.jsonl valid.jsonl" {
		t.Errorf("files of the folder: %s, %v", got, err)
	}
}

func firstError(path string) error {
	for _, err := range Read(path, Options{}) {
		if err != nil {
			return err
		}
	}
	return nil
}
