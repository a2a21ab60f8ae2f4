package dataset

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// table is a Parquet file of rows in the layout that pyarrow writes: every
// column optional, lists as list.element groups.
func table(t *testing.T, schema parquet.Group, codec compress.Codec, rows []map[string]any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[map[string]any](&b, parquet.NewSchema("schema", schema), parquet.Compression(codec), parquet.MaxRowsPerRowGroup(2))
	for _, r := range rows {
		if _, err := w.Write([]map[string]any{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	optionalString = parquet.Optional(parquet.String())
	turnList       = parquet.Optional(parquet.List(parquet.Optional(parquet.Group{"role": optionalString, "content": optionalString})))
)

func turnRow(turns ...string) []any {
	var out []any
	for i := 0; i < len(turns); i += 2 {
		out = append(out, map[string]any{"role": turns[i], "content": turns[i+1]})
	}
	return out
}

// The same rows as Parquet and as JSON Lines give the same records.
func TestParquetAgreesWithJSONL(t *testing.T) {
	for name, test := range map[string]struct {
		schema parquet.Group
		rows   []map[string]any
	}{
		"messages": {parquet.Group{"messages": turnList, "id": parquet.Optional(parquet.Int(64))}, []map[string]any{
			{"id": int64(1), "messages": turnRow("user", "a?", "assistant", "b")},
			{"id": int64(2), "messages": turnRow("system", "s", "user", "c?", "assistant", "d", "user", "e", "assistant", "f")},
			{"id": int64(3), "messages": turnRow("user", "nobody answers")},
			{"id": int64(4), "messages": []any{}},
			{"id": int64(5), "messages": turnRow("user", "ä?", "assistant", "\n")},
			{"id": int64(6), "messages": turnRow("human", "last?", "gpt", "yes")},
		}},
		"scores": {parquet.Group{"prompt": optionalString, "completion": parquet.String(), "score": parquet.Optional(parquet.Leaf(parquet.DoubleType))}, []map[string]any{
			{"prompt": "p", "completion": "q", "score": 0.1},
			{"prompt": "p", "completion": "", "score": -3.5},
			{"prompt": "p", "completion": "r", "score": 1e300},
		}},
		"thumbs": {parquet.Group{"prompt": optionalString, "completion": parquet.String(), "label": parquet.Leaf(parquet.BooleanType)}, []map[string]any{
			{"prompt": "p", "completion": "q", "label": true}, {"prompt": "p", "completion": "q", "label": false},
		}},
		"steps": {parquet.Group{"prompt": optionalString, "completions": parquet.Optional(parquet.List(optionalString)),
			"labels": parquet.Optional(parquet.List(parquet.Leaf(parquet.BooleanType)))}, []map[string]any{
			{"prompt": "p", "completions": []any{"a", "b"}, "labels": []any{true, false}},
			{"prompt": "p", "completions": []any{"a"}, "labels": []any{true, false}},
		}},
		"seeds": {parquet.Group{"instruction": optionalString, "instances": parquet.Optional(parquet.List(parquet.Optional(parquet.Group{"input": optionalString, "output": optionalString})))}, []map[string]any{
			{"instruction": "i", "instances": []any{map[string]any{"input": "", "output": "o"}, map[string]any{"input": "x", "output": "p"}}},
		}},
	} {
		for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Zstd, &parquet.Gzip} {
			dir := t.TempDir()
			var lines bytes.Buffer
			for _, r := range test.rows {
				b, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				lines.Write(append(b, '\n'))
			}
			for file, data := range map[string][]byte{"x.jsonl": lines.Bytes(), "x.parquet": table(t, test.schema, codec, test.rows)} {
				if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, wantSkips, wantShape := readAll(t, filepath.Join(dir, "x.jsonl"), Options{})
			got, skips, shape := readAll(t, filepath.Join(dir, "x.parquet"), Options{})
			for i := range got {
				got[i].Source = strings.Replace(got[i].Source, ".parquet", ".jsonl", 1)
			}
			if len(want) == 0 || !reflect.DeepEqual(got, want) || shape != wantShape || !reflect.DeepEqual(skips.Reasons, wantSkips.Reasons) {
				t.Errorf("%s, %v: got %v, %v of %q; want %v, %v of %q", name, codec, got, skips.Reasons, shape, want, wantSkips.Reasons, wantShape)
			}
		}
	}
}

// Older writers name a list's group and element otherwise, or leave the group
// out; a number that JSON does not have is a row left out.
func TestParquetLayouts(t *testing.T) {
	type turn struct {
		From  string `parquet:"from"`
		Value string `parquet:"value"`
	}
	type bare struct {
		Conversations []turn `parquet:"conversations"`
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, []bare{{[]turn{{"human", "a"}, {"gpt", "b"}}}, {[]turn{{"human", "c"}, {"gpt", "d"}, {"human", "e"}, {"gpt", "f"}}}}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bare.parquet")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	got, skips, shape := readAll(t, path, Options{})
	if len(got) != 2 || skips.Rows != 0 || shape != "sharegpt" || len(got[1].Messages) != 4 || got[1].Messages[3].Content != "f" {
		t.Errorf("got %v, %v, %s", got, skips, shape)
	}
	nan := table(t, parquet.Group{"prompt": optionalString, "completion": parquet.String(), "score": parquet.Optional(parquet.Leaf(parquet.FloatType))}, &parquet.Snappy, []map[string]any{
		{"prompt": "p", "completion": "q", "score": float32(nanFloat())}, {"prompt": "p", "completion": "q", "score": float32(2)},
	})
	if err := os.WriteFile(path, nan, 0o644); err != nil {
		t.Fatal(err)
	}
	got, skips, _ = readAll(t, path, Options{})
	if len(got) != 1 || *got[0].Score != 2 || skips.Reasons[NotANumber] != 1 {
		t.Errorf("NaN: got %v, %v", got, skips)
	}
	for n := range nan {
		if err := os.WriteFile(path, nan[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if err := firstError(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("%d bytes of a file: %v", n, err)
		}
	}
}

func nanFloat() float64 {
	zero := 0.0
	return zero / zero
}
