package checkpoint

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// le concatenates numbers in little-endian, and strings as they are.
func le(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p...)
		case []byte:
			out = append(out, p...)
		case int:
			out = binaryOrder.AppendUint32(out, uint32(p))
		case uint64:
			out = binaryOrder.AppendUint64(out, p)
		default:
			panic(p)
		}
	}
	return out
}

// s is a string of a file.
func s(text string) []byte { return le(uint64(len(text)), text) }

func ggufHead(tensors, pairs uint64) []byte { return le("GGUF", 3, tensors, pairs) }

// oneTensor is a file with one tensor; the data follow at the next 32 bytes.
func oneTensor(info []byte, data int) []byte {
	b := append(ggufHead(1, 0), info...)
	b = append(b, make([]byte, (32-len(b)%32)%32)...)
	return append(b, make([]byte, data)...)
}

var malformedGGUF = []struct {
	name string
	file []byte
	want string
}{
	{"magic alone", []byte("GGUF"), "version: 4 bytes are wanted"},
	{"version 1", le("GGUF", 1, 0, 0), "version: 1 is not supported"},
	{"big-endian", le("GGUF\x00\x00\x00\x03", uint64(0), uint64(0)), "big-endian"},
	{"tensor count", ggufHead(math.MaxUint64, 0), "number of tensors: 18446744073709551615 cannot be"},
	{"pair count", ggufHead(0, 1<<40), "number of metadata: 1099511627776 cannot be"},
	{"key length", le(ggufHead(0, 1), uint64(1<<62), "general.alignment"), "key of metadata: 4611686018427387904 cannot be"},
	{"empty key", le(ggufHead(0, 1), s(""), 4, 7), "empty or not UTF-8"},
	{"key not UTF-8", le(ggufHead(0, 1), s("\xff"), 4, 7), "empty or not UTF-8"},
	{"key twice", le(ggufHead(0, 2), s("a"), 4, 7, s("a"), 4, 7), `metadata "a": it is there twice`},
	{"value type", le(ggufHead(0, 1), s("a"), 13, 7), `metadata "a": value of type 13`},
	{"value cut", le(ggufHead(0, 1), s("a"), 10, 7, "x"), `metadata "a": 8 bytes are wanted`},
	{"bool of 2", le(ggufHead(0, 1), s("a"), 7, "\x02"), "bool 0 has the value 2"},
	{"array type", le(ggufHead(0, 1), s("a"), 9, 99, uint64(0)), `metadata "a": array of type 99`},
	{"array count", le(ggufHead(0, 1), s("a"), 9, 6, uint64(1<<61)), `metadata "a": 2305843009213693952 cannot be`},
	{"strings count", le(ggufHead(0, 1), s("a"), 9, 8, uint64(2), s("x")), `metadata "a": 2 cannot be`},
	{"string in array", le(ggufHead(0, 1), s("a"), 9, 8, uint64(1), uint64(1<<63), "x"), `metadata "a": 9223372036854775808 cannot be`},
	{"deep arrays", le(ggufHead(0, 1), s("a"), 9, 9, uint64(1), 9, uint64(1), 9, uint64(1), 9, uint64(1), 9, uint64(1), 4, uint64(0)), "deep"},
	{"alignment 0", le(ggufHead(0, 1), s("general.alignment"), 4, 0), `"general.alignment" is 0`},
	{"alignment 48", le(ggufHead(0, 1), s("general.alignment"), 4, 48), `"general.alignment" is 48`},
	{"alignment text", le(ggufHead(0, 1), s("general.alignment"), 8, s("32")), `"general.alignment" is 32: want a uint32`},
	{"dimensions", oneTensor(le(s("w"), 5, uint64(1), uint64(1), 0, uint64(0)), 64), `tensor "w": 5 dimensions`},
	{"size overflows", oneTensor(le(s("w"), 2, uint64(1<<32), uint64(1<<32), 0, uint64(0)), 64), `tensor "w": size 4294967296 of dimension 1`},
	{"size beyond int", oneTensor(le(s("w"), 2, uint64(0), uint64(1<<63), 0, uint64(0)), 64), `tensor "w": size 9223372036854775808`},
	{"unknown type", oneTensor(le(s("w"), 1, uint64(8), 77, uint64(0)), 64), `tensor "w": type 77 is unknown: known are BF16`},
	{"part of a block", oneTensor(le(s("w"), 1, uint64(48), 2, uint64(0)), 64), "not whole blocks of 32"},
	{"offset not aligned", oneTensor(le(s("w"), 1, uint64(8), 0, uint64(8)), 64), "offset 8 is not aligned"},
	{"offset beyond", oneTensor(le(s("w"), 1, uint64(8), 0, uint64(64)), 64), `tensor "w" ends at byte 96 of the data, the file has 64`},
	{"offset overflows", oneTensor(le(s("w"), 1, uint64(8), 0, uint64(math.MaxUint64-31)), 64), "beyond any file"},
	{"data cut", oneTensor(le(s("w"), 1, uint64(8), 0, uint64(0)), 31), `tensor "w" ends at byte 32 of the data, the file has 31`},
	{"name twice", le(ggufHead(2, 0), s("w"), 1, uint64(8), 0, uint64(0), s("w"), 1, uint64(8), 0, uint64(32), make([]byte, 200)), `tensor "w" is there twice`},
	{"overlap", le(ggufHead(2, 0), s("v"), 1, uint64(16), 0, uint64(0), s("w"), 1, uint64(8), 0, uint64(32), make([]byte, 200)), `tensor "w" at offset 32 overlaps tensor "v"`},
}

func TestMalformedGGUF(t *testing.T) {
	for _, c := range malformedGGUF {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := parseGGUF(c.file)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<16 {
			t.Errorf("%s: %d bytes allocated", c.name, got)
		}
	}
}

// TestNoGGUF opens files that are named GGUF and do not begin so.
func TestNoGGUF(t *testing.T) {
	for _, text := range []string{"", "GGU", "<!doctype html>"} {
		path := filepath.Join(t.TempDir(), "m.GGUF")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err == nil {
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), `m.GGUF: it does not begin with "GGUF"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMalformedRealGGUF(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden.Data(t, "security", "malformed"), "*.gguf"))
	if err != nil || len(files) < 6 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, path := range files {
		f, err := Open(path)
		if err == nil {
			f.Close()
			t.Errorf("%s opens", path)
			continue
		}
		if !strings.Contains(err.Error(), path) {
			t.Errorf("the error does not name %s: %v", path, err)
		}
		t.Log(err)
	}
}

// ggufSample has every type of metadata and some formats of tensors.
func ggufSample() (map[string]any, []GGUFSource) {
	md := map[string]any{
		"general.architecture": "none", "u8": uint8(200), "i8": int8(-3), "u16": uint16(60000), "i16": int16(-300), "u32": uint32(1 << 31),
		"i32": int32(-70000), "u64": uint64(1 << 63), "i64": int64(-1 << 40), "f32": float32(1.5), "f64": math.Pi, "yes": true, "no": false,
		"text": "größe", "empty": "", "u8s": []uint8{1, 2}, "i8s": []int8{-1}, "u16s": []uint16{1}, "i16s": []int16{-2}, "u32s": []uint32{7, 8, 9},
		"i32s": []int32{-7}, "u64s": []uint64{5}, "i64s": []int64{-5}, "f32s": []float32{0.25, -1}, "f64s": []float64{1e300}, "bools": []bool{true, false},
		"strings": []string{"a", "", "ccc"}, "none": []string{}, "no numbers": []int32{},
	}
	var ts []GGUFSource
	for i, dt := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16, dtype.Q8_0, dtype.Q4_0, dtype.Q6_K, dtype.F64, dtype.I32, dtype.MXFP4} {
		ts = append(ts, GGUFSource{Source: Source{Name: fmt.Sprint("t", i), Shape: []int{3, 256}, Read: func(dst []float32) error {
			for k := range dst {
				dst[k] = float32(k%17-8) * float32(i+1)
			}
			return nil
		}}, DType: dt})
	}
	return md, ts
}

func TestGGUFRoundTrip(t *testing.T) {
	md, ts := ggufSample()
	path := filepath.Join(t.TempDir(), "m.gguf")
	pool := parallel.New(2)
	defer pool.Close()
	for _, align := range []uint32{0, 8, 64} {
		if align > 0 {
			md[alignmentKey] = align
		}
		if err := SaveGGUF(path, md, ts, pool); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.GGUF(); !reflect.DeepEqual(got, md) {
			for _, k := range slices.Sorted(maps.Keys(md)) {
				if !reflect.DeepEqual(got[k], md[k]) {
					t.Errorf("metadata %q = %#v, want %#v", k, got[k], md[k])
				}
			}
		}
		for i, name := range f.Names() {
			x, _ := f.Tensor(name)
			if name != ts[i].Name || x.DType != ts[i].DType || !slices.Equal(x.Shape, ts[i].Shape) {
				t.Fatalf("tensor %d is %s %s %v, want %s %s %v", i, name, x.DType, x.Shape, ts[i].Name, ts[i].DType, ts[i].Shape)
			}
			v, want := make([]float32, x.Len()), make([]float32, x.Len())
			ts[i].Read(want)
			b := make([]byte, x.DType.RowBytes(len(v)))
			dtype.Quantize(x.DType, b, want)
			if string(b) != string(x.Data) {
				t.Errorf("tensor %s: other bytes than Quantize gives", name)
			}
			if err := x.Float32s(v); (err == nil) != x.Convertible() {
				t.Errorf("tensor %s: %v", name, err)
			}
		}
		f.Close()
	}
}

// A file does not depend on the number of threads.
func TestSaveGGUFSameBytes(t *testing.T) {
	md, ts := ggufSample()
	read := ts[3].Read
	ts[3].Shape, ts[3].Read = []int{1200, 256}, func(dst []float32) error { return read(dst) } // several tasks, several chunks
	var first []byte
	for _, threads := range []int{1, 2, 3} {
		path, pool := filepath.Join(t.TempDir(), "m.gguf"), parallel.New(threads)
		if err := SaveGGUF(path, md, ts, pool); err != nil {
			t.Fatal(err)
		}
		pool.Close()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		} else if string(b) != string(first) {
			t.Errorf("%d threads: other bytes", threads)
		}
	}
}

func TestSaveGGUFErrors(t *testing.T) {
	zeros := func(dst []float32) error { clear(dst); return nil }
	huge := func(dst []float32) error { dst[0] = 1e6; return nil }
	failing := errors.New("reader")
	one := func(name string, dt dtype.Type, read func([]float32) error, shape ...int) []GGUFSource {
		return []GGUFSource{{Source{name, shape, read}, dt}}
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	for _, c := range []struct {
		md   map[string]any
		ts   []GGUFSource
		want string
	}{
		{map[string]any{"a": 1}, nil, `metadata "a": a value of Go type int`},
		{map[string]any{"": uint8(1)}, nil, "without a key"},
		{map[string]any{"general.alignment": uint32(3)}, nil, "power of two"},
		{nil, one("w", dtype.Q4_0, zeros, 2, 40), "not whole blocks of q4_0"},
		{nil, one("", dtype.F32, zeros, 2), "taken or empty"},
		{nil, one("w", dtype.F32, zeros), "has shape []"},
		{nil, slices.Repeat(one("w", dtype.F32, zeros, 2), 2), `"w" is taken`},
		{nil, one("w", dtype.F16, huge, 2), "tensor w: it holds 1e+06, above the f16 limit"},
		{nil, one("w", dtype.F16, func([]float32) error { return failing }, 2), "tensor w: reader"},
	} {
		if err := SaveGGUF(path, c.md, c.ts, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want %q", err, c.want)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// Every beginning of a file is an error or a whole file of no data.
func TestGGUFCutAnywhere(t *testing.T) {
	md, ts := ggufSample()
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := SaveGGUF(path, md, ts, nil); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := len(whole)
	for last > 0 && whole[last-1] == 0 { // padding and zeros of the last block
		last--
	}
	for n := range last - 17 {
		if _, _, err := parseGGUF(whole[:n]); !errors.Is(err, ErrTruncated) {
			t.Fatalf("%d of %d bytes: got %v, want ErrTruncated", n, len(whole), err)
		}
	}
}

func TestRealGGUF(t *testing.T) {
	dir := golden.Data(t, "models", "stories260K")
	for file, want := range map[string]string{
		"stories260K-f32.gguf": "F32", "stories260K-F16.gguf": "F16", "stories260K-Q8_0.gguf": "Q8_0", "stories260K-Q4_0.gguf": "Q4_0",
		"stories260K-Q4_K_M.gguf": "Q5_0", // rows of 64 values hold no blocks of 256
	} {
		f, err := Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		x, ok := f.Tensor("blk.0.attn_q.weight")
		if !ok || x.Stored != want || !slices.Equal(x.Shape, []int{64, 64}) || len(f.Names()) != 48 {
			t.Errorf("%s: %d tensors, blk.0.attn_q.weight is %+v", file, len(f.Names()), x)
		}
		if e, _ := f.Tensor("token_embd.weight"); !slices.Equal(e.Shape, []int{512, 64}) {
			t.Errorf("%s: token_embd.weight has shape %v", file, e.Shape)
		}
		tokens, _ := f.GGUF()["tokenizer.ggml.tokens"].([]string)
		if len(tokens) != 512 || tokens[1] != "<s>" {
			t.Errorf("%s: %d tokens, the second is %q", file, len(tokens), tokens[1])
		}
		f.Close()
	}
}

// Files of a vocabulary alone have no tensors.
func TestVocabularies(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden.Data(t, "tokenizers", "gguf"), "*.gguf.gz"))
	if err != nil || len(files) < 5 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, path := range files {
		r, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(z)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		ts, md, err := parseGGUF(data)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		tokens, _ := md["tokenizer.ggml.tokens"].([]string)
		if len(ts) != 0 || len(tokens) < 1000 {
			t.Errorf("%s: %d tensors, %d tokens", path, len(ts), len(tokens))
		}
	}
}

// Parts of a split file are one.
func TestSplitGGUF(t *testing.T) {
	_, ts := ggufSample()
	dir := t.TempDir()
	part := func(i int) string { return filepath.Join(dir, fmt.Sprintf("m-%05d-of-00003.gguf", i+1)) }
	for i := range 3 {
		md := map[string]any{"split.no": uint16(i), "split.count": uint16(3), "split.tensors.count": int32(len(ts))}
		if i == 0 {
			md["general.architecture"] = "none"
		}
		if err := SaveGGUF(part(i), md, ts[3*i:3*i+3], nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		f, err := Open(part(i))
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Names()) != len(ts) || f.GGUF()["general.architecture"] != "none" {
			t.Errorf("part %d: %d tensors, metadata %v", i, len(f.Names()), f.GGUF())
		}
		f.Close()
	}
	if err := os.Rename(part(1), filepath.Join(dir, "x")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(part(0)); err == nil || !strings.Contains(err.Error(), "part 2 of 3, is missing") {
		t.Errorf("got %v", err)
	}
}

func FuzzGGUF(f *testing.F) {
	for _, c := range malformedGGUF {
		f.Add(c.file)
	}
	md, ts := ggufSample()
	path := filepath.Join(f.TempDir(), "m.gguf")
	if err := SaveGGUF(path, md, ts[:4], nil); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		ts, _, err := parseGGUF(b)
		if err != nil {
			return
		}
		for _, x := range ts {
			v := make([]float32, x.Len())
			if err := x.Float32s(v); (err == nil) != x.Convertible() {
				t.Errorf("%s %s %v: %v", x.Name, x.Stored, x.Shape, err)
			}
		}
	})
}
