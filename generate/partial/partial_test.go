package partial_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate/partial"
)

func Example() {
	var d partial.Decoder
	for _, piece := range []string{`{"name":"Bo`, `b","ag`, `e":4`, `2,"tags":["a`, `"]}`} {
		if _, err := d.Write([]byte(piece)); err != nil {
			fmt.Println(err)
		}
		fmt.Println(string(d.Snapshot()))
	}
	fmt.Println(d.Close())
	// Output:
	// {"name":"Bo"}
	// {"name":"Bob"}
	// {"name":"Bob"}
	// {"name":"Bob","age":42,"tags":["a"]}
	// {"name":"Bob","age":42,"tags":["a"]}
	// <nil>
}

func TestSnapshots(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, ``}, {` `, ``}, {`tru`, ``}, {`12`, ``}, {`12 `, `12`}, {`"`, `""`}, {`"a\`, `"a"`}, {`"a\u00`, `"a"`},
		{`"a\u00e9`, `"a\u00e9"`}, {`"a\ud83d`, `"a"`}, {`"a\ud83d\`, `"a"`}, {`"a\ud83d\ude0`, `"a"`}, {`"a\ud83d\ude00`, `"a\ud83d\ude00"`},
		{`"a\ud83db`, `"a\ud83db"`}, {"\"é\xe6\xbc", `"é"`}, {"\"a\xffb", "\"a\xffb\""},
		{`[`, `[]`}, {`[1`, `[]`}, {`[1,`, `[1]`}, {`[1, "x`, `[1, "x"]`}, {`[[],[`, `[[],[]]`}, {`[1]`, `[1]`},
		{`{`, `{}`}, {`{"a`, `{}`}, {`{"a"`, `{}`}, {`{"a":`, `{}`}, {`{"a":n`, `{}`}, {`{"a":null`, `{}`}, {`{"a":null}`, `{"a":null}`},
		{`{"a":{"b":[`, `{"a":{"b":[]}}`}, {`{"a":1, "b`, `{"a":1}`}, {`{"a":"x`, `{"a":"x"}`}, {`{"a\"":"x`, `{"a\"":"x"}`},
	} {
		var d partial.Decoder
		if _, err := d.Write([]byte(c.text)); err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if got := string(d.Snapshot()); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		`}`: "byte 0", `[}`: "byte 1", `[1,]`: "byte 3", `{1`: "byte 1", `{"a",`: "byte 4", `{"a":1,}`: "byte 7", `"a\x`: "no escape", `"\u00g`: "hexadecimal",
		"\"a\n": "control", `nul]`: `"nul" is no value`, `01 `: "no value", `1 2`: "byte 2", `[1 2`: "byte 3", `{"a":1]`: "byte 6", `:`: "byte 0", `{,`: "byte 1",
		strings.Repeat("[", 10_001): "more than 10000",
	} {
		var d partial.Decoder
		if _, err := d.Write([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
		if _, err := d.Write([]byte("1")); err == nil || d.Close() == nil {
			t.Errorf("%.20q: the error does not stay", text)
		}
	}
	for _, text := range []string{``, `[`, `{"a":1`, `"a`, `{"a"`, `-`} {
		var d partial.Decoder
		if _, err := d.Write([]byte(text)); err != nil || d.Close() == nil {
			t.Errorf("%q is no JSON text: %v", text, err)
		}
	}
}

// grows says whether a value is a later stage of another.
func grows(from, to any) bool {
	switch a := from.(type) {
	case string:
		b, ok := to.(string)
		return ok && strings.HasPrefix(b, a)
	case []any:
		b, ok := to.([]any)
		for i := range a {
			ok = ok && len(b) >= len(a) && grows(a[i], b[i])
		}
		return ok
	case map[string]any:
		b, ok := to.(map[string]any)
		for k := range a {
			ok = ok && grows(a[k], b[k])
		}
		return ok
	}
	return reflect.DeepEqual(from, to)
}

// FuzzDecoder reads texts byte by byte: it accepts what encoding/json accepts, every
// snapshot is JSON, and snapshots only grow.
func FuzzDecoder(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5e-3,{"b":"x\n\u00e9\ud83d\ude00"}],"c":null, "d" : true}`, ` [ ] `, `"\ud83d x"`, `-0`, `[[[{"a":{}}]]]`, `{"":""}`, `[1,]`,
		"\"\xe6\xbc\xa2\xff\"", `"\uD83Dé"`, `"\ud83d\ud83d\ude00"`, `"\ud83d\n"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d partial.Decoder
		var last any
		repeats := duplicates(text)
		for i := range len(text) {
			if _, err := d.Write([]byte{text[i]}); err != nil {
				if json.Valid([]byte(text)) {
					t.Fatalf("%q is JSON: %v", text, err)
				}
				return
			}
			s := d.Snapshot()
			if s == nil {
				continue
			}
			var v any
			if err := json.Unmarshal(s, &v); err != nil {
				t.Fatalf("%q at %d: snapshot %q: %v", text, i, s, err)
			}
			if last != nil && !repeats && !grows(last, v) {
				t.Fatalf("%q at %d: %v after %v", text, i, v, last)
			}
			last = v
		}
		if err := d.Close(); (err == nil) != json.Valid([]byte(text)) {
			t.Fatalf("%q: %v", text, err)
		} else if err != nil {
			return
		}
		var want, got any
		if json.Unmarshal([]byte(text), &want) != nil {
			return // numbers too large
		}
		if err := json.Unmarshal(d.Snapshot(), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: the last snapshot is %q (%v)", text, d.Snapshot(), err)
		}
	})
}

// duplicates guesses that a text may name a member twice, which takes back what
// was there.
func duplicates(text string) bool {
	seen := map[string]bool{}
	dec := json.NewDecoder(strings.NewReader(text))
	for {
		tok, err := dec.Token()
		if err != nil {
			return false
		}
		if s, ok := tok.(string); ok {
			if seen[s] {
				return true
			}
			seen[s] = true
		}
	}
}
