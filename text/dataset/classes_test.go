package dataset

import (
	"os"
	"path/filepath"
	"testing"
)

// TestClasses reads classes by name, number and truth value; without being asked
// for classes the rows are text.
func TestClasses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.jsonl")
	rows := `{"text":"good","label":"positive"}
{"text":"bad","label":0}
{"text":"so so","label":true}
{"text":"none","label":""}
{"text":"","label":"x"}
{"text":"list","label":[1]}
`
	if err := os.WriteFile(path, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	records, skips, _ := readAll(t, path, Options{Kinds: []Kind{Classified}})
	if len(records) != 3 || skips.Reasons[Empty] != 2 || skips.Reasons[WrongType] != 1 {
		t.Fatalf("%d records, left out %v", len(records), skips.Reasons)
	}
	for i, want := range []string{"positive", "0", "true"} {
		if records[i].Class != want || records[i].Kind != Classified {
			t.Errorf("record %d is %+v, want class %s", i, records[i], want)
		}
	}
	if records, _, _ := readAll(t, path, Options{}); records[0].Kind != PlainText {
		t.Errorf("unasked, rows with text and label are %s", records[0].Kind)
	}
}
