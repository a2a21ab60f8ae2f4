package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/demo"
)

// Records are read from named files of any form and from JSON Lines in folders;
// prose beside them stays prose, and JSON in a folder is no dataset.
func TestDataSources(t *testing.T) {
	dir := t.TempDir()
	named := t.TempDir()
	for path, content := range map[string]string{
		filepath.Join(dir, "a.jsonl"):      `{"prompt":"p","completion":"c"}` + "\n" + `{"text":"What is it?\n\nIt is a text that is long enough to be an answer, and more."}` + "\n{\n",
		filepath.Join(dir, "package.json"): `[{"prompt":"no","completion":"no"}]`,
		filepath.Join(dir, "guide.md"):     "# Heading\n\nText.\n",
		filepath.Join(named, "b.json"):     `[{"messages":[{"role":"user","content":"1"},{"role":"assistant","content":"2"},{"role":"user","content":"3"},{"role":"assistant","content":"4"}]}]`,
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	records, documents, err := dataSources([]string{dir, filepath.Join(named, "b.json")})
	if err != nil || len(records) != 2 || documents == nil || len(documents.Paths()) != 1 {
		t.Fatalf("records %v, documents %v, %v", records, documents, err)
	}
	x, err := demo.New(demo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var skips dataset.Skips
	var got []string
	for d, err := range recordDemonstrations(x, records, &skips) {
		if err != nil {
			t.Fatal(err)
		}
		var turns []string
		for _, m := range d.Messages() {
			turns = append(turns, m.Content)
		}
		got = append(got, d.Task+":"+strings.Join(turns, "|"))
	}
	want := "pair:1|2|3|4 pair:p|c question:What is it?|It is a text that is long enough to be an answer, and more."
	if s := strings.Join(got, " "); s != want || skips.Reasons[dataset.Malformed] != 1 {
		t.Errorf("got %s, left out %v; want %s", s, skips, want)
	}
	for _, paths := range [][]string{{filepath.Join(dir, "none")}, {t.TempDir()}} {
		if _, _, err := dataSources(paths); err == nil || !strings.Contains(err.Error(), paths[0]) {
			t.Errorf("%v: %v", paths, err)
		}
	}
}
