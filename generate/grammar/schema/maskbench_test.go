package schema

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/shape"
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

// pythonText writes a JSON text as json.dumps(ensure_ascii=False) does.
func pythonText(raw []byte) []byte {
	var out bytes.Buffer
	d := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true))
	type level struct{ n int }
	var stack []int64
	for {
		tok, err := d.ReadToken()
		if err != nil {
			return out.Bytes()
		}
		k := tok.Kind()
		if k != '}' && k != ']' && len(stack) > 0 {
			kind, _ := d.StackIndex(len(stack))
			n := stack[len(stack)-1]
			switch {
			case kind == '{' && n%2 == 1:
				out.WriteString(": ")
			case n > 0:
				out.WriteString(", ")
			}
			stack[len(stack)-1]++
		}
		_ = level{}
		switch k {
		case '{', '[':
			out.WriteByte(byte(k))
			if len(stack) > 0 {
				stack[len(stack)-1] += 0
			}
			stack = append(stack, 0)
		case '}', ']':
			out.WriteByte(byte(k))
			stack = stack[:len(stack)-1]
		case '"':
			out.WriteString(pythonString(tok.String()))
		default:
			out.WriteString(tok.String())
		}
	}
}

func pythonString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString("\\n")
		case r == '\r':
			b.WriteString("\\r")
		case r == '\t':
			b.WriteString("\\t")
		case r == '\b':
			b.WriteString("\\b")
		case r == '\f':
			b.WriteString("\\f")
		case r < 0x20:
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func TestMember(t *testing.T)      { runMember(t, false) }
func TestMaskMachine(t *testing.T) { runMember(t, true) }

func runMember(t *testing.T, byMachine bool) {
	runtime.LockOSThread()
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
		start := cpu()
		c := newCompiler(Options{})
		root, err := c.start(bc.Schema)
		var m machine.State
		if err == nil {
			s := &Schema{value: c.shapeOf(root)}
			c.fill()
			if err = c.err; err == nil {
				if s.value == nil {
					fmt.Println("EMPTY", bc.Name)
					err = fmt.Errorf("empty")
				} else if byMachine {
					m, err = s.Machine(shape.Format{})
				}
			}
		}
		d := cpu() - start
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
			got := false
			if byMachine {
				got, _ = machine.Accepts(m, pythonText(x.Data))
			} else {
				got = c.member(root, d.root)
			}
			if got != x.Valid {
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

func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(1, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
