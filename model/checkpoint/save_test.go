package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// sources makes tensors of the given shapes, named t0, t1, ...; salt changes
// the values.
func sources(salt uint64, shapes ...[]int) []Source {
	out := make([]Source, len(shapes))
	for i, shape := range shapes {
		out[i] = Source{fmt.Sprintf("t%d", i), shape, func(dst []float32) error {
			for j := range dst {
				dst[j] = float32(rng.Normal(salt, uint64(i), uint64(j)))
			}
			return nil
		}}
	}
	return out
}

// list names the files of a directory.
func list(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// same checks that the checkpoint at path holds exactly ts in format dt.
func same(t testing.TB, path string, dt dtype.Type, ts []Source) {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	for _, s := range ts {
		names = append(names, s.Name)
		x, ok := f.Tensor(s.Name)
		if !ok || x.DType != dt || !slices.Equal(x.Shape, s.Shape) {
			t.Fatalf("tensor %s: got %+v, want %v of shape %v", s.Name, x, dt, s.Shape)
		}
		got, want := make([]float32, x.Len()), make([]float32, x.Len())
		s.Read(want)
		if err := x.Float32s(got); err != nil {
			t.Fatal(err)
		}
		for i, v := range want {
			switch dt {
			case dtype.BF16:
				v = dtype.FromBF16(dtype.ToBF16(v))
			case dtype.F16:
				v = dtype.FromF16(dtype.ToF16(v))
			}
			if math.Float32bits(got[i]) != math.Float32bits(v) {
				t.Fatalf("tensor %s[%d]: got %v, want %v", s.Name, i, got[i], v)
			}
		}
	}
	if !slices.Equal(f.Names(), names) {
		t.Errorf("names: got %v, want %v", f.Names(), names)
	}
}

func TestRoundTrip(t *testing.T) {
	shapes := [][]int{{3, 5}, {7}, {}, {2, 0, 4}, {1, 1, 1, 2}, {600, 500}}
	for _, dt := range []dtype.Type{dtype.F32, dtype.BF16, dtype.F16} {
		for _, limit := range []int64{0, 1, 100, 1 << 30} {
			dir := t.TempDir()
			path := filepath.Join(dir, "model.safetensors")
			ts := sources(1, shapes...)
			if err := Save(path, dt, map[string]string{"step": "12", "note": `"<&\` + "\n"}, ts, limit); err != nil {
				t.Fatal(err)
			}
			same(t, path, dt, ts)
			same(t, dir, dt, ts)
			f, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if m := f.Metadata(); m["format"] != "pt" || m["step"] != "12" || m["note"] != `"<&\`+"\n" || len(m) != 3 {
				t.Errorf("metadata: got %v", m)
			}
			if err := errors.Join(f.Close(), f.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestHeaderIsAligned(t *testing.T) {
	for n := range 9 {
		w := &writer{dt: dtype.F32, metadata: map[string]string{"pad": strings.Repeat("x", n)}}
		h, err := w.header(sources(0, []int{2}))
		if err != nil || len(h)%8 != 0 || h[8] != '{' {
			t.Errorf("header of %d bytes begins %q, %v", len(h), h[8:12], err)
		}
	}
}

func TestShards(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	ts := sources(3, []int{10}, []int{10}, []int{30}, []int{5}, []int{5}, []int{5})
	if err := Save(path, dtype.F32, nil, ts, 80); err != nil {
		t.Fatal(err)
	}
	want := []string{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", "model.safetensors.index.json"}
	if got := list(t, dir); !slices.Equal(got, want) {
		t.Fatalf("got files %v, want %v", got, want)
	}
	data, err := os.ReadFile(path + indexSuffix)
	if err != nil {
		t.Fatal(err)
	}
	var x struct {
		Metadata  struct{ Total_Size int64 }
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &x); err != nil || x.Metadata.Total_Size != 260 || x.WeightMap["t2"] != want[1] || x.WeightMap["t5"] != want[2] {
		t.Errorf("index: got %+v, %v", x, err)
	}
}

// TestReplace saves over what is there, in all combinations of one and many
// files, and checks that nothing stale is left.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	ts := [][]Source{sources(1, []int{9}, []int{8}, []int{7}), sources(2, []int{9}, []int{8}, []int{7}), sources(3, []int{4}, []int{4})}
	for i, c := range []struct {
		which int
		limit int64
		files int
	}{{0, 0, 1}, {1, 0, 1}, {0, 1, 4}, {1, 1, 4}, {2, 1, 3}, {1, 1, 4}, {0, 0, 1}, {2, 1, 3}} {
		if err := Save(path, dtype.F32, nil, ts[c.which], c.limit); err != nil {
			t.Fatal(err)
		}
		same(t, path, dtype.F32, ts[c.which])
		if got := list(t, dir); len(got) != c.files {
			t.Errorf("save %d: got files %v, want %d", i, got, c.files)
		}
	}
}

// TestErrorLeavesOldCheckpoint breaks a save at each tensor.
func TestErrorLeavesOldCheckpoint(t *testing.T) {
	disk := errors.New("disk on fire")
	for _, limit := range []int64{0, 1} {
		for _, oldLimit := range []int64{0, 1} {
			dir := t.TempDir()
			path := filepath.Join(dir, "model.safetensors")
			old := sources(1, []int{9}, []int{8}, []int{7})
			if err := Save(path, dtype.F32, nil, old, oldLimit); err != nil {
				t.Fatal(err)
			}
			before := list(t, dir)
			for broken := range old {
				ts := sources(2, []int{9}, []int{8}, []int{7})
				ts[broken].Read = func([]float32) error { return disk }
				err := Save(path, dtype.F32, nil, ts, limit)
				if !errors.Is(err, disk) || !strings.Contains(err.Error(), ts[broken].Name) || !strings.Contains(err.Error(), path) {
					t.Errorf("got error %v, want one that names the tensor and the file", err)
				}
				same(t, path, dtype.F32, old)
				if got := list(t, dir); !slices.Equal(got, before) {
					t.Errorf("got files %v, want %v", got, before)
				}
			}
		}
	}
}

// full is a disk with room for n bytes.
type full struct{ n int }

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.n {
		n := f.n
		f.n = 0
		return n, io.ErrShortWrite
	}
	f.n -= len(b)
	return len(b), nil
}

func TestEveryShortWriteIsAnError(t *testing.T) {
	ts := sources(1, []int{3}, []int{5})
	whole := &full{n: 1 << 20}
	w := &writer{dt: dtype.F32, metadata: map[string]string{}}
	if err := w.encode(whole, ts); err != nil {
		t.Fatal(err)
	}
	for n := range 1<<20 - whole.n {
		if err := w.encode(&full{n: n}, ts); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("room for %d bytes: got %v", n, err)
		}
	}
}

func TestSaveRefuses(t *testing.T) {
	big := Source{"w", []int{2}, func(dst []float32) error { dst[0], dst[1] = float32(math.Inf(1)), 1e5; return nil }}
	twice := append(sources(1, []int{1}), sources(1, []int{1})...)
	reserved := sources(1, []int{1})
	reserved[0].Name = metadataKey
	for _, c := range []struct {
		name, dir string
		dt        dtype.Type
		ts        []Source
		want      string
	}{
		{"value beyond f16", "", dtype.F16, []Source{big}, "tensor w holds 100000, above the f16 limit"},
		{"integer format", "", dtype.I32, nil, "number format i32"},
		{"two of a name", "", dtype.F32, twice, `"t0" is taken`},
		{"reserved name", "", dtype.F32, reserved, `"__metadata__" is taken`},
		{"negative size", "", dtype.F32, sources(1, []int{-2}), "shape [-2]"},
		{"missing directory", "none", dtype.F32, nil, "make the directory first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, c.dir, "m.safetensors")
			err := Save(path, c.dt, nil, c.ts, 0)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got error %v, want one with %q that names the file", err, c.want)
			}
			if got := list(t, dir); len(got) != 0 {
				t.Errorf("left behind: %v", got)
			}
		})
	}
}

func TestBadIndex(t *testing.T) {
	for _, c := range []struct{ name, index, want string }{
		{"not JSON", "{", "not a safetensors index"},
		{"no map", "{}", "weight_map is empty"},
		{"outside the directory", `{"weight_map":{"t0":"../secret"}}`, "want the name of a file beside the index"},
		{"a directory", `{"weight_map":{"t0":"."}}`, "want the name of a file beside the index"},
		{"empty name", `{"weight_map":{"t0":""}}`, "want the name of a file beside the index"},
		{"missing shards", `{"weight_map":{"t0":"a","t1":"b","t2":"model-00001-of-00002.safetensors"}}`, "2 of the 3 files"},
		{"tensor not in shard", `{"weight_map":{"zz":"model-00001-of-00002.safetensors"}}`, `lists tensor "zz"`},
		{"tensor in two shards", `{"weight_map":{"t0":"model-00001-of-00002.safetensors","t1":"copy.safetensors"}}`, `tensor "t0" is in`},
		{"good", `{"weight_map":{"t0":"model-00001-of-00002.safetensors","t1":"model-00002-of-00002.safetensors"}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "model.safetensors")
			if err := Save(path, dtype.F32, nil, sources(1, []int{3}, []int{3}), 12); err != nil {
				t.Fatal(err)
			}
			first, err := os.ReadFile(filepath.Join(dir, "model-00001-of-00002.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range map[string][]byte{"copy.safetensors": first, "model.safetensors.index.json": []byte(c.index)} {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			f, err := Open(dir)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
			if err == nil {
				f.Close()
			}
		})
	}
}

func ExampleSave() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")
	bias := Source{"bias", []int{3}, func(dst []float32) error {
		copy(dst, []float32{1, 2, 3})
		return nil
	}}
	if err := Save(path, dtype.BF16, nil, []Source{bias}, 0); err != nil {
		panic(err)
	}
	f, err := Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	t, _ := f.Tensor("bias")
	x := make([]float32, t.Len())
	if err := t.Float32s(x); err != nil {
		panic(err)
	}
	fmt.Println(t.DType, t.Shape, x)
	// Output: bf16 [3] [1 2 3]
}

func BenchmarkSaveAndRead(b *testing.B) {
	const n = 16 << 20
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i%1000) / 1000
	}
	ts := []Source{{"w", []int{n}, func(dst []float32) error { copy(dst, x); return nil }}}
	for _, dt := range []dtype.Type{dtype.F32, dtype.BF16, dtype.F16} {
		path := filepath.Join(b.TempDir(), "m.safetensors")
		b.Run("write/"+dt.String(), func(b *testing.B) {
			b.SetBytes(int64(n * dt.Size()))
			for b.Loop() {
				if err := Save(path, dt, nil, ts, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("encode/"+dt.String(), func(b *testing.B) { // without the disk
			b.SetBytes(int64(n * dt.Size()))
			w := &writer{dt: dt}
			for b.Loop() {
				if err := w.encode(io.Discard, ts); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("read/"+dt.String(), func(b *testing.B) {
			b.SetBytes(int64(n * dt.Size()))
			for b.Loop() {
				f, err := Open(path)
				if err != nil {
					b.Fatal(err)
				}
				t, _ := f.Tensor("w")
				if err := t.Float32s(x); err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
		})
	}
}
