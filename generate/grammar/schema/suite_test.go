package schema

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// A suiteGroup is one schema of JSON-Schema-Test-Suite with its tests.
type suiteGroup struct {
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

func TestSuiteMember(t *testing.T) {
	docs := suiteRemotes(t)
	for _, dir := range []string{"draft2020-12", "draft2020-12/optional", "draft2020-12/optional/format", "draft7", "draft7/optional", "draft7/optional/format"} {
		files, _ := filepath.Glob(filepath.Join(golden.Data(t, "structured", "json-schema-test-suite"), dir, "*.json"))
		var n, right, rejected, groupsFull int
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var groups []suiteGroup
			if err := json.Unmarshal(b, &groups); err != nil {
				t.Fatal(err)
			}
			full := true
			for _, g := range groups {
				o := Options{Documents: docs, AnnotateFormats: !strings.Contains(dir, "format") && strings.Contains(dir, "2020")}
				if strings.HasPrefix(dir, "draft7") {
					o.Draft = Draft7
				}
				c := newCompiler(o)
				root, err := c.start(g.Schema)
				if err == nil {
					c.shapeOf(root)
					c.fill()
					err = c.err
				}
				for _, x := range g.Tests {
					n++
					if err != nil {
						rejected++
						full = false
						continue
					}
					d, lerr := load(x.Data, "")
					if lerr != nil {
						fmt.Println("instance", lerr)
						continue
					}
					if c.member(root, d.root) == x.Valid {
						right++
					} else {
						full = false
						fmt.Println("WRONG", filepath.Base(dir), filepath.Base(f), g.Description, "/", x.Description, x.Valid, brief(x.Data), brief(g.Schema))
					}
				}
				if err != nil {
					fmt.Println("REJECTED", filepath.Base(f), g.Description, err)
				}
			}
			if full {
				groupsFull++
			}
		}
		fmt.Printf("%s: %d tests, right %d, rejected %d; %d of %d groups full\n", dir, n, right, rejected, groupsFull, len(files))
	}
}
