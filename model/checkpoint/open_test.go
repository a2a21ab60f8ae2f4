package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// file builds a safetensors file from header text and n bytes of data.
func file(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range n {
		b = append(b, byte(i))
	}
	return b
}

const oneF32 = `{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`

var malformed = []struct {
	name string
	file []byte
	want string // part of the message
}{
	{"empty file", nil, "0 bytes"},
	{"no header", []byte{1, 2, 3}, "3 bytes"},
	{"giant header length", append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), '{'), "header length 18446744073709551615"},
	{"another kind of file", []byte("PK\x03\x04 and so on"), "neither a safetensors nor a GGUF file"},
	{"header longer than file", append(binary.LittleEndian.AppendUint64(nil, 99<<20), "{}"...), "header of 103809024 bytes in a file of 10"},
	{"header cut", file(oneF32, 0)[:40], "truncated"},
	{"data cut", file(oneF32, 15), `tensor "a" ends at byte 16 of the data, the file has 15`},
	{"not JSON", file("hello", 0), "not the JSON object"},
	{"JSON array", file("[1]", 0), "begins with ["},
	{"JSON ends early", file(`{"a":{"dtype":"F32"`, 0), "not the JSON object"},
	{"text after JSON", file(oneF32+"x", 16), "text after its end"},
	{"not UTF-8", file("{\"\xff\":1}", 0), "not UTF-8"},
	{"entry of wrong type", file(`{"a":7}`, 0), `tensor "a"`},
	{"entry null", file(`{"a":null}`, 0), `tensor "a": unknown dtype ""`},
	{"metadata of wrong type", file(`{"__metadata__":{"step":7}}`, 0), "__metadata__ is not an object of strings"},
	{"unknown dtype", file(`{"a":{"dtype":"Q4","shape":[4],"data_offsets":[0,2]}}`, 2), `tensor "a": unknown dtype "Q4": supported are BF16`},
	{"no shape", file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), "shape is missing"},
	{"no offsets", file(`{"a":{"dtype":"F32","shape":[1]}}`, 4), "data_offsets is not a pair"},
	{"three offsets", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, 8), "data_offsets is not a pair"},
	{"offsets reversed", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), "no range of bytes"},
	{"negative offset", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 4), "no range of bytes"},
	{"offset beyond int64", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9223372036854775808]}}`, 4), `tensor "a"`},
	{"negative size", file(`{"a":{"dtype":"F32","shape":[-1,-4],"data_offsets":[0,16]}}`, 16), "negative size"},
	{"shape and bytes differ", file(`{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}`, 16), "shape [5] of F32 needs 20 bytes, data_offsets [0,16] hold 16"},
	{"shape overflows", file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "too large"},
	{"shape overflows beside zero", file(`{"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "too large"},
	{"overlap", file(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, 16), `tensor "b" at data_offsets [8,16] overlaps tensor "a"`},
	{"hole", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `bytes 0 to 4, before tensor "a"`},
	{"bytes left over", file(oneF32, 20), "4 bytes after the last tensor"},
	{"duplicate name", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), `tensor "a" is there twice`},
}

func TestMalformed(t *testing.T) {
	for _, c := range malformed {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.safetensors")
			if err := os.WriteFile(path, c.file, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got error %v, want one with %q that names the file", err, c.want)
			}
		})
	}
}

// Each cut of a good file is an error, and says that the file is too short.
func TestTruncatedAnywhere(t *testing.T) {
	whole := file(oneF32+"  ", 16)
	if _, _, err := parse(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, _, err := parse(whole[:n]); !errors.Is(err, ErrTruncated) {
			t.Errorf("%d of %d bytes: got %v, want ErrTruncated", n, len(whole), err)
		}
	}
}

// The lengths in a lying header must not size allocations.
func TestLyingHeaderAllocatesLittle(t *testing.T) {
	for _, c := range malformed {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		parse(c.file)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<16 {
			t.Errorf("%s: %d bytes allocated", c.name, got)
		}
	}
}

func TestMalformedRealFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden.Data(t, "security", "malformed"), "*.safetensors"))
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

func TestRealModels(t *testing.T) {
	for _, c := range []struct {
		path   []string
		count  int
		tensor string
		shape  []int
	}{
		{[]string{"models", "mnist", "model.safetensors"}, 2, "l2.weight", []int{10, 128}},
		{[]string{"models", "stories260K", "hf"}, 47, "model.embed_tokens.weight", []int{512, 64}},
	} {
		path := golden.Data(t, c.path...)
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Names()) != c.count {
			t.Errorf("%s: got %d tensors, want %d", path, len(f.Names()), c.count)
		}
		for _, name := range f.Names() {
			x, _ := f.Tensor(name)
			v := make([]float32, x.Len())
			if err := x.Float32s(v); err != nil {
				t.Error(err)
			}
			var squares float64
			for _, v := range v {
				squares += float64(v) * float64(v)
			}
			if rms := math.Sqrt(squares / float64(len(v))); !(rms > 1e-3 && rms < 10) {
				t.Errorf("%s: tensor %s has root mean square %v: not weights", path, name, rms)
			}
		}
		x, ok := f.Tensor(c.tensor)
		if !ok || !slices.Equal(x.Shape, c.shape) || x.DType != dtype.F32 {
			t.Errorf("%s: tensor %s: got %+v, want f32 of shape %v", path, c.tensor, x, c.shape)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFormats(t *testing.T) {
	b := file(`{"f":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"m":{"dtype":"BOOL","shape":[2,1],"data_offsets":[8,10]},`+
		`"h":{"dtype":"F16","shape":[],"data_offsets":[10,12]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[12,16]},`+
		`"none":{"dtype":"F32","shape":[3,0],"data_offsets":[10,10]}}   `, 0)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(1.5))
	b = append(b, 1, 0)
	b = binary.LittleEndian.AppendUint16(b, 0x3c00)
	b = binary.LittleEndian.AppendUint16(b, 0xc000)
	b = binary.LittleEndian.AppendUint16(b, 0x7fc0)
	ts, _, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range ts {
		v := make([]float32, x.Len())
		err := x.Float32s(v)
		got = append(got, fmt.Sprint(x.Name, x.Stored, x.Shape, v, err))
	}
	want := []string{
		"fF64[1][1.5]<nil>",
		"mBOOL[2 1][0 0]tensor m is stored as BOOL: only F32 BF16 F16 F64 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4 can be used as weights",
		"noneF32[3 0][]<nil>", "hF16[][1]<nil>", "bBF16[2][-2 NaN]<nil>",
	}
	for i := range want {
		if strings.ReplaceAll(got[i], " ", "") != strings.ReplaceAll(want[i], " ", "") {
			t.Errorf("got %s, want %s", got[i], want[i])
		}
	}
	if err := ts[0].Float32s(make([]float32, 2)); err == nil {
		t.Error("a destination of the wrong length is accepted")
	}
}

func TestOpenFindsNothing(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "give a GGUF or safetensors file or a model directory",
		dir:                        "no model.safetensors or model.safetensors.index.json in",
		os.DevNull:                 "",
	} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got error %v, want %q", path, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "pytorch_model.bin"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "pytorch_model.bin is another format") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range malformed {
		f.Add(c.file)
	}
	f.Add(file(oneF32, 16))
	f.Add(file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}} `, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		ts, _, err := parse(b)
		if err != nil {
			return
		}
		var bytes int
		for _, x := range ts {
			if want := x.Len() * formats[x.Stored].size; len(x.Data) != want {
				t.Errorf("tensor %q of shape %v: %d bytes, want %d", x.Name, x.Shape, len(x.Data), want)
			}
			bytes += len(x.Data)
			v := make([]float32, x.Len())
			if err := x.Float32s(v); (err == nil) != x.Convertible() {
				t.Error(err)
			}
		}
		if n := int(binary.LittleEndian.Uint64(b)); bytes != len(b)-8-n {
			t.Errorf("%d bytes in tensors, %d in the file", bytes, len(b)-8-n)
		}
	})
}
