package schema

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// A benchCase is one line of MaskBench: a schema and instances. Whether they are valid
// was found with two validators that enforce formats.
type benchCase struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
	Tests  []struct {
		Description string          `json:"description"`
		Valid       bool            `json:"valid"`
		Data        json.RawMessage `json:"data"`
	} `json:"tests"`
}

// maskBench reads every n-th case.
func maskBench(t testing.TB, n int) []benchCase {
	f, err := os.Open(golden.Data(t, "structured", "jsonschemabench_maskbench.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var cases []benchCase
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for i := 0; lines.Scan(); i++ {
		if i%n != 0 {
			continue
		}
		var c benchCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

// benchScore runs cases and names what is wrong.
func benchScore(t *testing.T, cases []benchCase) *score {
	s := &score{}
	for _, c := range cases {
		s.Schemas++
		j := compileJudge(c.Schema, Options{})
		if j.err != nil {
			t.Logf("%s: refused: %.300v", c.Name, j.err)
		} else {
			s.Compiled++
		}
		right := j.err == nil
		for _, x := range c.Tests {
			if !s.count(j, x.Valid, serialised(x.Data)) && j.err == nil {
				right = false
				t.Logf("%s: valid is %v: %.300s", c.Name, x.Valid, x.Data)
			}
		}
		if right {
			s.Pass++
		}
	}
	t.Logf("%+v: %.2f %% pass", *s, 100*float64(s.Pass)/float64(s.Schemas))
	return s
}

func TestMaskBench(t *testing.T) {
	ratchet(t, "maskbench.json", map[string]*score{"every 5th": benchScore(t, maskBench(t, 5))})
}
