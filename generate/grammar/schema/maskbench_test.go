package schema

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/internal/golden"
)

// A benchCase is one line of MaskBench: a schema and instances.
type benchCase struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
	Tests  []struct {
		Description string          `json:"description"`
		Valid       bool            `json:"valid"`
		Data        json.RawMessage `json:"data"`
	} `json:"tests"`
}

func maskBench(t testing.TB) []benchCase {
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
	for lines.Scan() {
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

func TestMember(t *testing.T) {
	var compiled, total, vr, ia, pass int
	reasons := map[string]int{}
	example := map[string]string{}
	var times []time.Duration
	verbose := os.Getenv("SCHEMA_VERBOSE") != ""
	for _, bc := range maskBench(t) {
		if only := os.Getenv("SCHEMA_ONLY"); only != "" && bc.Name != only {
			continue
		}
		total++
		start := time.Now()
		c := newCompiler(Options{})
		root, err := c.start(bc.Schema)
		if err == nil {
			c.shapeOf(root)
			c.fill()
			err = c.err
		}
		d := time.Since(start)
		times = append(times, d)
		if d > 20*time.Millisecond {
			fmt.Println("SLOW", bc.Name, d, len(bc.Schema))
		}
		if err != nil {
			key := err.Error()
			if e, ok := err.(*Error); ok {
				key = e.Keyword + ": " + e.Message
			}
			if len(key) > 150 {
				key = key[:150]
			}
			if i := strings.IndexAny(key, "0123456789\""); i > 0 && !verbose {
				key = key[:i]
			}
			reasons[key]++
			example[key] += " " + bc.Name + "|" + func() string {
				if e, ok := err.(*Error); ok {
					return e.Location()
				}
				return ""
			}()
			continue
		}
		compiled++
		ok := true
		for _, x := range bc.Tests {
			d, err := load(x.Data, "")
			if err != nil {
				fmt.Println("instance:", bc.Name, err)
				continue
			}
			if got := c.member(root, d.root); got != x.Valid {
				ok = false
				if x.Valid {
					vr++
					fmt.Println("VALID REJECTED", bc.Name, brief(x.Data))
				} else {
					ia++
					fmt.Println("INVALID ACCEPTED", bc.Name, x.Description, brief(x.Data))
				}
			}
		}
		if ok {
			pass++
		}
	}
	keys := []string{}
	for k := range reasons {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return reasons[keys[i]] > reasons[keys[j]] })
	for _, k := range keys {
		fmt.Println(reasons[k], k, example[k])
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	fmt.Printf("total %d compiled %d pass %d (%.1f%%) valid rejected %d invalid accepted %d; median %v p99 %v max %v\n", total, compiled, pass, 100*float64(pass)/float64(total), vr, ia, times[len(times)/2], times[len(times)*99/100], times[len(times)-1])
}

func brief(b []byte) string {
	var buf bytes.Buffer
	json.Compact(&buf, b)
	if buf.Len() > 200 {
		return buf.String()[:200]
	}
	return buf.String()
}
