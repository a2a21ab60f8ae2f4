package raise_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/raise"
)

// TestFewLongDocuments raises on three long texts, whose ends are held out: both
// parts of a document share its file, and the demonstrations of the first part
// must not count as held out.
func TestFewLongDocuments(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a.md", "b.md", "c.md"} {
		var s strings.Builder
		for k := range 120 {
			s.WriteString("## " + english[(i*7+k)%len(english)] + " " + english[(i+k*5)%len(english)] + "\n\n")
			s.WriteString(sentences(uint64(i*1000+k), 6, english, ".") + "\n")
		}
		write(t, filepath.Join(dir, name), s.String())
	}
	b, out := backend(t, 1), filepath.Join(t.TempDir(), "run")
	r, err := raise.Open(b, raise.Options{Data: []string{dir}, Out: out, Budget: 500 * time.Millisecond, Seed: 1, Shapes: tiny}, raise.Watch{})
	if err != nil {
		t.Fatal(err)
	}
	if err := all(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if r.Plan.Split.Method != "tail" {
		t.Fatalf("the split is by %q, this test is about tail", r.Plan.Split.Method)
	}
	z, err := bundle.Open(b, out)
	if err != nil {
		t.Fatal(err)
	}
	if !z.Chat {
		t.Error("no fine-tuning: all demonstrations were dropped")
	}
}
