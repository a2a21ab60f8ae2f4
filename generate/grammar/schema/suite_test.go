package schema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// A suiteCase is one schema of JSON-Schema-Test-Suite with its tests.
type suiteCase struct {
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
	Tests       []struct {
		Description string          `json:"description"`
		Data        json.RawMessage `json:"data"`
		Valid       bool            `json:"valid"`
	} `json:"tests"`
}

// suiteRemotes are the documents that the suite serves at localhost:1234.
func suiteRemotes(t testing.TB) map[string][]byte {
	root := golden.Data(t, "structured", "json-schema-test-suite", "remotes")
	docs := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(root, path)
		docs["http://localhost:1234/"+filepath.ToSlash(rel)] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

// TestSuite runs JSON-Schema-Test-Suite, one score a group. The required tests of
// 2020-12 and all of draft 7 but optional/format expect that formats are annotations
// in the former and enforced in the latter.
func TestSuite(t *testing.T) {
	docs := suiteRemotes(t)
	for _, part := range []struct {
		dir     string
		options Options
		exact   bool // no test may be wrong
	}{
		{"draft2020-12", Options{DraftFormats: true}, true},
		{"draft2020-12/optional", Options{AnnotateFormats: true}, false},
		{"draft2020-12/optional/format", Options{}, false},
		{"draft7", Options{Draft: Draft7}, true},
		{"draft7/optional", Options{Draft: Draft7}, false},
		{"draft7/optional/format", Options{Draft: Draft7}, false},
	} {
		part.options.Documents = docs
		files, err := filepath.Glob(filepath.Join(golden.Data(t, "structured", "json-schema-test-suite"), part.dir, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files (%v)", part.dir, err)
		}
		scores, full := map[string]*score{}, 0
		for _, f := range files {
			s := groupScore(t, f, part.options)
			scores[strings.TrimSuffix(filepath.Base(f), ".json")] = s
			if s.full() {
				full++
			}
			if part.exact && s.ValidRejected+s.InvalidAccepted > 0 {
				t.Errorf("%s: tests are wrong: %+v", f, *s)
			}
		}
		t.Logf("%s: %d of %d groups have full marks", part.dir, full, len(files))
		ratchet(t, "suite-"+strings.ReplaceAll(part.dir, "/", "-")+".json", scores)
	}
}

func groupScore(t *testing.T, file string, o Options) *score {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []suiteCase
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	s := &score{}
	for _, c := range cases {
		j := compileJudge(c.Schema, o)
		if j.err != nil {
			t.Logf("%s: %s: refused: %v", filepath.Base(file), c.Description, j.err)
		}
		for _, x := range c.Tests {
			if !s.count(j, x.Valid, serialised(x.Data)) && j.err == nil {
				t.Logf("%s: %s: %s: valid is %v", filepath.Base(file), c.Description, x.Description, x.Valid)
			}
		}
	}
	return s
}
