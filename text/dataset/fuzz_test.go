package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// readFuzzed reads bytes as a file: every record is of a known kind and passes
// its check, every error names the file, and a record that is written is read
// back as the same.
func readFuzzed(t *testing.T, name string, data []byte) {
	path := "folder/" + name
	var records []Record
	for r, err := range stream(path, data, Options{MaxRowBytes: 1 << 16}) {
		var row *RowError
		switch {
		case err != nil && !strings.Contains(err.Error(), path):
			t.Fatalf("the error does not name the file: %v", err)
		case errors.As(err, &row) && (row.Line < 1 || row.Reason == "" || row.Problem == ""):
			t.Fatalf("an error lacks line, reason or problem: %#v", row)
		case err == nil:
			if err := r.check(); err != nil {
				t.Fatal(err)
			}
			records = append(records, r)
		}
	}
	if len(records) > 50 {
		records = records[:50]
	}
	for _, r := range records {
		b, err := r.AppendRow(nil)
		if err != nil {
			t.Fatalf("%s: %v", summary(r), err)
		}
		n := 0
		for got, err := range stream("again.jsonl", b, Options{Kinds: []Kind{r.Kind}, MaxRowBytes: 1 << 20}) {
			if err != nil {
				t.Fatalf("%s\nwritten as %s\n%v", summary(r), b, err)
			}
			got.Source = r.Source
			if n++; !sameRecord(got, r) {
				t.Fatalf("%s\nwritten as %s\nread as %s", summary(r), b, summary(got))
			}
		}
		if n != 1 {
			t.Fatalf("%s\nwritten as %s\n%d records", summary(r), b, n)
		}
	}
}

// stream is Read for bytes.
func stream(file string, data []byte, o Options) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r := &reader{file: file, o: &o, yield: yield}
		if extension(file) == ".parquet" {
			if err := r.table(bytes.NewReader(data), int64(len(data))); err != nil && !errors.Is(err, errStopped) {
				yield(Record{}, err)
			}
			return
		}
		err := r.stream(bufio.NewReader(bytes.NewReader(data)), extension(file))
		if err != nil && !errors.Is(err, errStopped) {
			yield(Record{}, fmt.Errorf("%s: %w", file, err))
		}
	}
}

// sameRecord compares records; spaces in JSON that templates see do not count.
func sameRecord(a, b Record) bool {
	x, err1 := a.AppendRow(nil)
	y, err2 := b.AppendRow(nil)
	a.Tools, b.Tools = nil, nil
	return err1 == nil && err2 == nil && bytes.Equal(x, y) && a.Kind == b.Kind && reflect.DeepEqual(a.Steps, b.Steps) && summary(a) == summary(b)
}

func FuzzLines(f *testing.F) {
	for _, s := range []string{
		`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}],"x":1}]}`,
		`{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"tools":"[1]"}`,
		`{"prompt":"a","completion":"b","task":"qa"}` + "\n" + `{"question":"\ud800","answer":"b"}`,
		`{"instruction":"i","input":"x","output":"o"}`,
		`{"instruction":"i","instances":[{"input":"","output":"o"}]}`,
		`{"prompt":"a","chosen":"b","rejected":"c","margin":2e-1}`,
		`{"chosen":"\n\nHuman: a\n\nAssistant: b","rejected":"\n\nHuman: a\n\nAssistant: c"}`,
		`{"chosen":"the sky is b","rejected":"the sky is c"}`,
		`{"prompt":"a","completions":["b"],"labels":[1]}`,
		`{"prompt":"a","completion":"b","label":true}`,
		`{"prompt":"a","completion":"b","score":1}`,
		`{"prompt":{"text":"a","role":"prompter","replies":[{"text":"b","role":"assistant","rank":1},{"text":"c","role":"assistant","rank":0}]}}`,
		`{"text":"Q: x\nA: y"}`,
		`{"instruction":"i","output_1":"b","output_2":"c","preference":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { readFuzzed(t, "x.jsonl", data) })
}

func FuzzArray(f *testing.F) {
	f.Add([]byte(`[{"prompt":"a","completion":"b"}, {"prompt":"c"}]`))
	f.Add([]byte("[\n\n{\"text\":\"a\"},\n[1], 2]"))
	f.Fuzz(func(t *testing.T, data []byte) { readFuzzed(t, "x.json", data) })
}

func FuzzParquet(f *testing.F) {
	type turn struct {
		Role    string `parquet:"role"`
		Content string `parquet:"content,optional"`
	}
	type row struct {
		Messages []turn  `parquet:"messages,list"`
		Score    float32 `parquet:"score"`
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, []row{{[]turn{{"user", "a"}, {"assistant", "b"}}, 1}, {nil, 2}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) { readFuzzed(t, "x.parquet", data) })
}
