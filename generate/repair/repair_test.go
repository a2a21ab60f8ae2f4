package repair

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"

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
	kinds := slices.Concat(quoteCorruptions, punctuation, around, scalars, cuts)
	docs := texts(t)
	total, right := 0, 0
	every := 4
	for k, c := range kinds {
		n, good, shown := 0, 0, 0
		for i, text := range docs {
			if i%every != k%every {
				continue
			}
			d := &dice{stream: uint64(1000*(k+1)) + uint64(i)<<20}
			b, ok := c.do(d, text)
			if !ok {
				continue
			}
			n++
			if !reflect.DeepEqual(value(b.want), value(b.want)) {
				t.Fatal("a value differs from itself")
			}
			r, err := JSON(b.text, Options{})
			if err == nil && reflect.DeepEqual(value(r.Text), value(b.want)) {
				good++
				continue
			}
			if shown++; shown <= 3 && len(b.text) < 700 {
				t.Logf("%s\n in   %s\n got  %s %v\n want %s", c.name, b.text, r.Text, err, b.want)
			}
		}
		total += n
		right += good
		fmt.Printf("%-26s %5d of %5d  %6.2f %%\n", c.name, good, n, 100*float64(good)/float64(max(n, 1)))
		if n < 5 {
			t.Errorf("%s: only %d documents offer a place", c.name, n)
		}
	}
	fmt.Printf("%-26s %5d of %5d  %6.2f %%\n", "all", right, total, 100*float64(right)/float64(total))
}
