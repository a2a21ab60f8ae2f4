package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling/tensor/dtype"
)

// The GGUF format, versions 2 and 3, little-endian: "GGUF", the version, the
// numbers of tensors and of metadata, the metadata (key, type, value), the
// tensors (name, sizes with the fastest first, type, offset), then the data,
// padded to general.alignment. Source: docs/gguf.md of github.com/ggml-org/ggml.
const (
	ggufMagic     = "GGUF"
	ggufAlignment = 32 // unless general.alignment says otherwise
	ggufDims      = 4  // the most that ggml has
	ggufHint      = "the file is damaged or is not GGUF: fetch it again"
)

// binaryOrder is that of all supported files.
var binaryOrder = binary.LittleEndian

// Keys that the format itself gives a meaning to.
const (
	alignmentKey  = "general.alignment"
	splitNumber   = "split.no"
	splitCount    = "split.count"
	splitTensors  = "split.tensors.count"
	versionField  = "version"
	tensorsField  = "number of tensors"
	metadataField = "number of metadata"
)

// ggmlType is a number format of ggml. Those that package dtype does not know
// are here so that their tensors can be measured and named.
type ggmlType struct {
	name          string
	values, bytes int // of a block
}

var ggmlTypes = map[uint32]ggmlType{
	0: plain("F32"), 1: plain("F16"), 2: plain("Q4_0"), 3: plain("Q4_1"), 6: plain("Q5_0"), 7: plain("Q5_1"), 8: plain("Q8_0"),
	9: {"Q8_1", 32, 36}, 10: plain("Q2_K"), 11: plain("Q3_K"), 12: plain("Q4_K"), 13: plain("Q5_K"), 14: plain("Q6_K"),
	15: {"Q8_K", 256, 292}, 16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74}, 18: {"IQ3_XXS", 256, 98}, 19: {"IQ1_S", 256, 50},
	20: plain("IQ4_NL"), 21: {"IQ3_S", 256, 110}, 22: {"IQ2_S", 256, 82}, 23: plain("IQ4_XS"), 24: {"I8", 1, 1}, 25: {"I16", 1, 2},
	26: plain("I32"), 27: {"I64", 1, 8}, 28: plain("F64"), 29: {"IQ1_M", 256, 56}, 30: plain("BF16"), 34: {"TQ1_0", 256, 54},
	35: {"TQ2_0", 256, 66}, 39: plain("MXFP4"),
}

// plain is a format that package dtype knows under the same name.
func plain(name string) ggmlType {
	t, err := dtype.Parse(strings.ToLower(name))
	if err != nil {
		panic(err)
	}
	values, size := t.Block()
	return ggmlType{name, values, size}
}

// ggmlID is the number of a format in a file.
func ggmlID(t dtype.Type) (uint32, bool) {
	for id, g := range ggmlTypes {
		if g.name == strings.ToUpper(t.String()) {
			return id, true
		}
	}
	return 0, false
}

// parseGGUF reads a whole file. Tensors come in the order of their data and
// share its memory; everything else is copied. No allocation is larger than the
// bytes that are there ask for.
func parseGGUF(file []byte) ([]*Tensor, map[string]any, error) {
	c := &cursor{data: file}
	c.take(len(ggufMagic), "magic")
	version := c.u32(versionField)
	if c.err == nil {
		switch {
		case bits.ReverseBytes32(version) == 2, bits.ReverseBytes32(version) == 3:
			c.fail(versionField, "big-endian file: convert it to little-endian")
		case version != 2 && version != 3:
			c.fail(versionField, "%d is not supported: 2 and 3 are", version)
		}
	}
	tensors, pairs := c.count(tensorsField, 24), c.count(metadataField, 13)
	metadata := map[string]any{} // grows with what is really there, as all below
	for range pairs {
		if key, v := c.pair(); c.err == nil {
			if _, twice := metadata[key]; twice {
				c.fail("metadata "+strconv.Quote(key), "it is there twice: write the file again")
			}
			metadata[key] = v
		}
	}
	if c.err != nil {
		return nil, nil, c.err
	}
	align, err := alignment(metadata)
	if err != nil {
		return nil, nil, err
	}
	var infos []placed
	seen := map[string]bool{}
	for range tensors {
		t := c.tensor(align)
		if c.err != nil {
			return nil, nil, c.err
		}
		if seen[t.Name] {
			return nil, nil, fmt.Errorf("tensor %q is there twice: write the file again", t.Name)
		}
		seen[t.Name] = true
		infos = append(infos, t)
	}
	start := min((c.at+align-1)/align*align, len(file)) // a file of metadata alone may lack the padding
	ts, err := placeGGUF(infos, file[start:])
	return ts, metadata, err
}

func alignment(metadata map[string]any) (int, error) {
	v, ok := metadata[alignmentKey]
	if !ok {
		return ggufAlignment, nil
	}
	n, ok := v.(uint32)
	if !ok || n == 0 || n&(n-1) != 0 || n > 1<<20 {
		return 0, fmt.Errorf("metadata %q is %v: want a uint32 that is a power of two, to 2^20", alignmentKey, v)
	}
	return int(n), nil
}

// tensor reads the description of one tensor and checks it by itself.
func (c *cursor) tensor(align int) placed {
	name := c.str("name of a tensor", maxGGUFName)
	field := "tensor " + strconv.Quote(name)
	dims := c.u32(field)
	if c.err == nil && dims > ggufDims {
		c.fail(field, "%d dimensions: at most %d are possible", dims, ggufDims)
	}
	if c.err != nil {
		return placed{}
	}
	shape := make([]int, dims)
	values := uint64(1)
	for i := range shape {
		d := c.u64(field)
		hi, lo := bits.Mul64(values, max(d, 1))
		if hi != 0 || lo > math.MaxInt64/8 || d > math.MaxInt {
			c.fail(field, "size %d of dimension %d is too large for any memory: %s", d, i, ggufHint)
			return placed{}
		}
		values = lo
		shape[len(shape)-1-i] = int(d) // the fastest is the last here
	}
	id, offset := c.u32(field), c.u64(field)
	if c.err != nil {
		return placed{}
	}
	if slices.Contains(shape, 0) {
		values = 0
	}
	g, ok := ggmlTypes[id]
	switch {
	case !ok:
		c.fail(field, "type %d is unknown: known are %s", id, ggmlNames())
	case len(shape) > 0 && shape[len(shape)-1]%g.values != 0 || len(shape) == 0 && g.values != 1:
		c.fail(field, "shape %v of %s: rows are not whole blocks of %d values", shape, g.name, g.values)
	case offset%uint64(align) != 0:
		c.fail(field, "offset %d is not aligned to %d bytes", offset, align)
	}
	size := values / uint64(max(g.values, 1)) * uint64(g.bytes)
	if c.err == nil && offset > math.MaxInt64-size {
		c.fail(field, "offset %d with %d bytes is beyond any file: %s", offset, size, ggufHint)
	}
	t := &Tensor{Name: name, Stored: g.name, Shape: shape}
	if dt, err := dtype.Parse(strings.ToLower(g.name)); err == nil {
		t.DType = dt
	}
	return placed{t, int64(offset), int64(offset + size)}
}

func ggmlNames() string {
	var out []string
	for _, g := range ggmlTypes {
		out = append(out, g.name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// placeGGUF gives each tensor its bytes and checks that none overlap. Padding
// may be of any size.
func placeGGUF(ts []placed, data []byte) ([]*Tensor, error) {
	slices.SortStableFunc(ts, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	out := make([]*Tensor, len(ts))
	at, before := int64(0), ""
	for i, t := range ts {
		switch {
		case t.begin < at:
			return nil, fmt.Errorf("tensor %q at offset %d overlaps tensor %q, which ends at %d: write the file again", t.Name, t.begin, before, at)
		case t.end > int64(len(data)):
			return nil, fmt.Errorf("tensor %q ends at byte %d of the data, the file has %d: %w: fetch it again", t.Name, t.end, len(data), ErrTruncated)
		}
		t.Data = data[t.begin:t.end:t.end]
		out[i], at, before = t.Tensor, t.end, t.Name
	}
	return out, nil
}

// isGGUF tells the format by its first bytes.
func isGGUF(data []byte) bool { return bytes.HasPrefix(data, []byte(ggufMagic)) }

// GGUF is the metadata of a GGUF file by key; nil for safetensors. A scalar is
// the Go value of its type (uint8 to uint64, int8 to int64, float32, float64,
// bool, string), an array a slice of it ([]string, []int32, ...), an array of
// arrays an []any of slices. It must not be changed; it outlives Close.
func (f *File) GGUF() map[string]any { return f.gguf }

var splitName = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// ggufParts are the files that belong to the one that has the metadata md,
// itself included: large models are split by gguf-split.
func ggufParts(path string, md map[string]any) ([]string, error) {
	n, _ := md[splitCount].(uint16)
	if n <= 1 {
		return []string{path}, nil
	}
	m := splitName.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return nil, fmt.Errorf("metadata %q says that the file is one of %d: keep the name NAME-00001-of-%05d.gguf", splitCount, n, n)
	}
	if of, _ := strconv.Atoi(m[3]); of != int(n) {
		return nil, fmt.Errorf("metadata %q is %d, the name says %s", splitCount, n, m[3])
	}
	var parts []string
	for i := range int(n) {
		part := filepath.Join(filepath.Dir(path), fmt.Sprintf("%s-%05d-of-%05d.gguf", m[1], i+1, n))
		if !exists(part) {
			return nil, fmt.Errorf("%s, part %d of %d, is missing: fetch it", part, i+1, n)
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// openGGUF adds a mapped GGUF file, and the other parts of a split one.
func (f *File) openGGUF(path string, data []byte) error {
	ts, md, err := parseGGUF(data)
	if err != nil {
		return err
	}
	parts, err := ggufParts(path, md)
	if err != nil {
		return err
	}
	if len(parts) == 1 {
		f.gguf = md
		f.add(ts)
		return nil
	}
	for i, part := range parts {
		data, err := f.mapFile(part)
		if err != nil {
			return err
		}
		ts, md, err := parseGGUF(data)
		if err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
		if no, ok := md[splitNumber].(uint16); !ok || int(no) != i {
			return fmt.Errorf("%s: metadata %q is %v, the name says %d: the parts are mixed up", part, splitNumber, md[splitNumber], i)
		}
		if i == 0 {
			f.gguf = md // the first part has all of it
		}
		for _, t := range ts {
			if _, twice := f.tensors[t.Name]; twice {
				return fmt.Errorf("%s: tensor %q is in an earlier part as well", part, t.Name)
			}
		}
		f.add(ts)
	}
	if n, ok := f.gguf[splitTensors].(int32); ok && int(n) != len(f.names) {
		return fmt.Errorf("metadata %q is %d, the parts have %d tensors: fetch them again", splitTensors, n, len(f.names))
	}
	return nil
}

func (f *File) add(ts []*Tensor) {
	for _, t := range ts {
		f.tensors[t.Name] = t
		f.names = append(f.names, t.Name)
	}
}
