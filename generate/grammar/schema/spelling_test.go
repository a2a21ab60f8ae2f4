package schema

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// serialised writes a JSON text with ", " and ": " and without escapes that are not
// needed, as common serialisers do.
func serialised(raw []byte) []byte {
	var out bytes.Buffer
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		tok, err := d.ReadToken()
		if err != nil {
			return out.Bytes()
		}
		k := tok.Kind()
		if k == '}' || k == ']' {
			out.WriteByte(byte(k))
			continue
		}
		// The number of tokens that the container has, this one included.
		depth := d.StackDepth()
		if k == '{' || k == '[' {
			depth--
		}
		if depth > 0 {
			kind, n := d.StackIndex(depth)
			switch {
			case kind == '{' && n%2 == 0:
				out.WriteString(": ")
			case n > 1:
				out.WriteString(", ")
			}
		}
		if k == '"' {
			quote(&out, tok.String())
		} else {
			out.WriteString(tok.String())
		}
	}
}

func quote(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	for _, r := range s {
		if i := strings.IndexRune("\"\\\n\r\t\b\f", r); i >= 0 {
			b.WriteByte('\\')
			b.WriteByte(`"\nrtbf`[i])
		} else if r < 0x20 {
			fmt.Fprintf(b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

func TestSerialised(t *testing.T) {
	got := string(serialised([]byte("{\"a\" :[1,{\"b\":\"x\\u000a\\\"é\"},[ ]],\"c\":{}, \"d\": null }")))
	if want := `{"a": [1, {"b": "x\n\"é"}, []], "c": {}, "d": null}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
