package repair

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/internal/golden"
)

// texts are valid documents: own ones, made from a seed, and with data those
// of real schemas.
func texts(t *testing.T) []string {
	var list []string
	for i := range 300 {
		list = append(list, randomText(&dice{stream: uint64(i)}, 0))
	}
	if os.Getenv("FOUNDLING_DATA") == "" {
		return list
	}
	f, err := os.Open(golden.Data(t, "structured", "jsonschemabench_maskbench.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(z)
	for dec.More() {
		var c struct {
			Tests []struct {
				Valid bool
				Data  json.RawMessage
			}
		}
		if err := dec.Decode(&c); err != nil {
			t.Fatal(err)
		}
		for _, test := range c.Tests {
			data := bytes.TrimSpace(test.Data)
			if test.Valid && len(data) > 8 && len(data) < 3000 && (data[0] == '{' || data[0] == '[') {
				list = append(list, string(data))
				break
			}
		}
	}
	return list
}

// share is every, or 1 where there are own texts only.
func share() int {
	if os.Getenv("FOUNDLING_DATA") == "" {
		return 1
	}
	return every
}

// randomText writes a random value: an object or array at the top.
func randomText(d *dice, depth int) string {
	styles := []string{"", "  ", "spaced"}
	v := randomValue(d, depth)
	b, _ := json.Marshal(v)
	if style := styles[d.n(3)]; style == "  " {
		var buf bytes.Buffer
		_ = json.Indent(&buf, b, "", "  ")
		return buf.String()
	} else if style == "spaced" {
		return spaced(string(b))
	}
	return string(b)
}

// spaced writes a blank behind commas and colons.
func spaced(text string) string {
	var b bytes.Buffer
	at := 0
	for _, t := range lex(text) {
		if t.role == ',' || t.role == ':' {
			b.WriteString(text[at:t.end] + " ")
			at = t.end
		}
	}
	return b.String() + text[at:]
}

var vocabulary = []string{"red", "blue", "Paris", "order", "the quick brown fox", "see page 4", "it's fine", "a, b and c", "note: urgent",
	"https://example.org/a?b=c", "2024-01-31", "Zoë", "日本", "tab\there", "line\nbreak", `say "hi" twice`, "", "C:\\temp", "50%", "on sale now at home", "Item", "x_1", "Mr. Smith went; then left!", "😀 ok"}

func randomValue(d *dice, depth int) any {
	kind := d.n(8)
	if depth == 0 {
		kind = d.n(2)
	} else if depth > 3 {
		kind = 2 + d.n(6)
	}
	switch kind {
	case 0:
		m := map[string]any{}
		for range 1 + d.n(5) {
			key := pick(d, []string{"name", "id", "tags", "items", "price", "unit", "user_name", "isOpen", "zip-code", "note", "Full Name", "größe"})
			m[key] = randomValue(d, depth+1)
		}
		return m
	case 1:
		list := []any{}
		one := d.n(2) == 0
		for i := range 1 + d.n(4) {
			v := randomValue(d, depth+1)
			if one && i > 0 && reflect.TypeOf(v) != reflect.TypeOf(list[0]) {
				continue
			}
			list = append(list, v)
		}
		return list
	case 2:
		return d.n(100000) - 1000
	case 3:
		return float64(d.n(10000))/100 - 0.5
	case 4:
		return []any{true, false, nil}[d.n(3)]
	}
	return pick(d, vocabulary)
}

// value is what a text means.
func value(text string) any {
	var v any
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return err
	}
	return normal(v)
}

// normal makes numbers comparable.
func normal(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
	}
	return v
}

// TestCorruptions breaks documents in ways that leave one reading, and counts
// how many repairs mean what the original meant.
func TestCorruptions(t *testing.T) {
	docs := texts(t)
	total, right := 0, 0
	for k, c := range recoverable() {
		n, good := 0, 0
		for i, text := range docs {
			if i%share() != k%share() {
				continue
			}
			b, ok := c.do(&dice{stream: uint64(1000*(k+1)) + uint64(i)<<20}, text)
			if !ok {
				continue
			}
			n++
			r, err := JSON(b.text, Options{})
			if err == nil && reflect.DeepEqual(value(r.Text), value(b.want)) {
				good++
				continue
			}
			t.Logf("%s\n in   %.600s\n got  %.600s %v\n want %.600s", c.name, b.text, r.Text, err, b.want)
		}
		total += n
		right += good
		t.Logf("%-26s %5d of %5d", c.name, good, n)
		if n == 0 || good < n*97/100 {
			t.Errorf("%s: %d of %d texts came back", c.name, good, n)
		}
	}
	t.Logf("%-26s %5d of %5d  %6.2f %%", "all", right, total, 100*float64(right)/float64(total))
	if right < total*995/1000 {
		t.Errorf("%d of %d texts came back, want 99.5 %%", right, total)
	}
}

func recoverable() []corruption {
	return slices.Concat(quoteCorruptions, punctuation, around, scalars, cuts)
}

// TestTwo puts a preface or a fence around texts that are broken already.
func TestTwo(t *testing.T) {
	total, right := 0, 0
	docs := texts(t)[:300]
	for k, c := range recoverable() {
		for i, text := range docs {
			if i%10 != k%10 {
				continue
			}
			d := &dice{stream: 5_000_000 + uint64(1000*(k+1)) + uint64(i)<<20}
			b, ok := c.do(d, text)
			if !ok || text[0] == '[' && c.name == "quotes/escaped" || slices.Contains([]string{"wrapper/jsonp", "prose/before", "prose/both", "prose/after", "fence", "fence/open", "fence/prose", "documents/lines", "encoding/bom"}, c.name) {
				continue
			}
			total++
			broken := pick(d, []string{"```json\n", "Here you are:\n```\n", "Sure!\n```json\n"}) + b.text + "\n```\n"
			r, err := JSON(broken, Options{})
			if err == nil && reflect.DeepEqual(value(r.Text), value(b.want)) {
				right++
				continue
			}
			t.Logf("%s\n in   %.600s\n got  %.600s %v\n want %.600s", c.name, broken, r.Text, err, b.want)
		}
	}
	t.Logf("%d of %d", right, total)
	if right < total*98/100 {
		t.Errorf("%d of %d texts broken twice came back", right, total)
	}
}

// TestCalibration compares the confidence with the share of right repairs, half
// of the weight on corruptions that leave one reading and half on noise.
func TestCalibration(t *testing.T) {
	type bin struct{ right, weight, confidence float64 }
	var bins [10]bin
	docs := texts(t)
	add := func(list []corruption, stream uint64, step int) {
		var some []broken
		for k, c := range list {
			for i, text := range docs {
				if i%step != k%step {
					continue
				}
				if b, ok := c.do(&dice{stream: stream + uint64(1000*(k+1)) + uint64(i)<<20}, text); ok {
					some = append(some, b)
				}
			}
		}
		for _, b := range some {
			r, err := JSON(b.text, Options{})
			if err != nil || len(r.Changes) == 0 {
				continue
			}
			w := 1 / float64(len(some))
			at := &bins[min(9, int(r.Confidence*10))]
			at.weight += w
			at.confidence += w * r.Confidence
			if reflect.DeepEqual(value(r.Text), value(b.want)) {
				at.right += w
			}
		}
	}
	step, limit := share(), 0.05
	if os.Getenv("FOUNDLING_DATA") == "" { // own texts are not those whose confidences were fitted
		limit = 0.08
	}
	add(recoverable(), 31, step)
	add(noise, 32, max(1, step/3))
	wrong, weight := 0.0, 0.0
	for i, b := range bins {
		if b.weight == 0 {
			continue
		}
		t.Logf("%.1f: %4.1f %% of the weight, confidence %.3f, right %.3f", float64(i)/10, 50*b.weight, b.confidence/b.weight, b.right/b.weight)
		wrong += math.Abs(b.right - b.confidence)
		weight += b.weight
	}
	t.Logf("expected calibration error %.3f", wrong/weight)
	if wrong/weight > limit {
		t.Errorf("the expected calibration error is %.3f, want at most %g", wrong/weight, limit)
	}
}

// TestLinear repairs texts that tempt a parser to look ahead again and again.
func TestLinear(t *testing.T) {
	for _, unit := range []string{`{"a": `, `[`, `"a`, `"a, "`, `{"a":"b`, `["a"b`, `,`, "```json\n", `{'a` + "\n", `# `, `// x {`, `a(`, `((`, `\"`, `"a": `, `{1,`, `]}`, `[{"a":1`, "“", ` + "`, `/*`, `…`} {
		var took [2]time.Duration
		for i, size := range []int{1 << 14, 1 << 16} {
			start := time.Now()
			promises(t, strings.Repeat(unit, size/len(unit)))
			took[i] = time.Since(start)
		}
		t.Logf("%-14q %v %v", unit, took[0], took[1])
		// Four times the text: four times the time, and room for a busy machine.
		if took[1] > 20*took[0]+2*time.Second {
			t.Errorf("%q repeated: %v for 16 KiB, %v for 64 KiB", unit, took[0], took[1])
		}
	}
}

func TestLimits(t *testing.T) {
	if _, err := JSON(strings.Repeat("[", 1001), Options{}); !errors.Is(err, ErrTooDeep) {
		t.Errorf("1001 brackets: %v", err)
	}
	if _, err := JSON(strings.Repeat("[", 1000), Options{}); err != nil {
		t.Errorf("1000 brackets: %v", err)
	}
	if _, err := JSON("[1,2,]", Options{MaxBytes: 5}); !errors.Is(err, ErrTooLong) {
		t.Errorf("six bytes of five: %v", err)
	}
	for _, text := range []string{"", " \n", "\ufeff", strings.Repeat("I cannot answer that. ", 20)} {
		if _, err := JSON(text, Options{}); !errors.Is(err, ErrNothing) {
			t.Errorf("%.30q: %v", text, err)
		}
	}
}
