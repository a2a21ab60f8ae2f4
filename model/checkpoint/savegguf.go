package checkpoint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// GGUFSource is a tensor to save in a GGUF file.
type GGUFSource struct {
	Source
	DType dtype.Type
}

// architectureKey comes first in a file, for those who look at its beginning.
const architectureKey = "general.architecture"

// SaveGGUF writes a GGUF file of version 3 with the metadata, whose values are
// of the types that File.GGUF gives, and the tensors in their order. The width
// of a tensor must be whole blocks of its format. A finite value that F16 has
// no room for is an error.
//
// What was there before is replaced when all of the new is on the disk. The
// bytes do not depend on the pool, which may be nil. Memory: the largest tensor
// in f32.
func SaveGGUF(path string, metadata map[string]any, ts []GGUFSource, pool *parallel.Pool) error {
	w := &ggufWriter{pool: pool, align: ggufAlignment}
	header, err := w.header(metadata, ts)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	err = atomicfile.Write(path, func(f io.Writer) error {
		w.out = bufio.NewWriterSize(f, 1<<20)
		w.put(header)
		for i := range ts {
			if err := w.tensor(&ts[i]); err != nil {
				return fmt.Errorf("tensor %s: %w", ts[i].Name, err)
			}
		}
		return w.out.Flush()
	})
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EFBIG), errors.Is(err, syscall.EDQUOT):
		err = fmt.Errorf("%w: %d bytes are needed: free some space or choose another directory", err, int64(len(header))+w.total)
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: make the directory first", err)
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

type ggufWriter struct {
	pool   *parallel.Pool
	out    *bufio.Writer
	align  int
	total  int64 // bytes of data
	values []float32
	bytes  []byte
}

func (w *ggufWriter) put(b []byte) { w.out.Write(b) } // an error comes back from Flush

// header checks everything and returns all that comes before the data.
func (w *ggufWriter) header(metadata map[string]any, ts []GGUFSource) ([]byte, error) {
	if v, ok := metadata[alignmentKey]; ok {
		var err error
		if w.align, err = alignment(map[string]any{alignmentKey: v}); err != nil {
			return nil, err
		}
	}
	keys := slices.SortedFunc(maps.Keys(metadata), func(a, b string) int {
		if first := (b == architectureKey); first != (a == architectureKey) {
			if first {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	out := append([]byte(ggufMagic), 3, 0, 0, 0)
	out = binaryOrder.AppendUint64(out, uint64(len(ts)))
	out = binaryOrder.AppendUint64(out, uint64(len(keys)))
	var err error
	for _, key := range keys {
		if key == "" {
			return nil, errors.New("metadata without a key")
		}
		if out, err = appendValue(appendString(out, key), metadata[key]); err != nil {
			return nil, fmt.Errorf("metadata %q: %w", key, err)
		}
	}
	seen := map[string]bool{}
	for i := range ts {
		t := &ts[i]
		id, ok := ggmlID(t.DType)
		values, _ := t.DType.Block()
		switch {
		case seen[t.Name] || t.Name == "":
			return nil, fmt.Errorf("tensor name %q is taken or empty: names must differ", t.Name)
		case !ok:
			return nil, fmt.Errorf("tensor %s: format %s has no place in GGUF", t.Name, t.DType)
		case len(t.Shape) == 0 || len(t.Shape) > ggufDims || slices.Min(t.Shape) < 0:
			return nil, fmt.Errorf("tensor %s has shape %v: want 1 to %d sizes", t.Name, t.Shape, ggufDims)
		case t.Shape[len(t.Shape)-1]%values != 0:
			return nil, fmt.Errorf("tensor %s of shape %v: rows are not whole blocks of %s, which have %d values", t.Name, t.Shape, t.DType, values)
		}
		seen[t.Name] = true
		out = appendString(out, t.Name)
		out = binaryOrder.AppendUint32(out, uint32(len(t.Shape)))
		for _, d := range slices.Backward(t.Shape) {
			out = binaryOrder.AppendUint64(out, uint64(d))
		}
		out = binaryOrder.AppendUint32(out, id)
		out = binaryOrder.AppendUint64(out, uint64(w.total))
		w.total += int64(w.padded(t.DType.RowBytes(t.len())))
	}
	return append(out, make([]byte, w.padded(len(out))-len(out))...), nil
}

func (w *ggufWriter) padded(n int) int { return (n + w.align - 1) / w.align * w.align }

// quantumValues is how many values one task converts: whole blocks of every
// format.
const quantumValues = 1 << 16

// tensor converts and writes the values of t and the padding after them.
func (w *ggufWriter) tensor(t *GGUFSource) error {
	n := t.len()
	w.values = slices.Grow(w.values[:0], n)[:n]
	if err := t.Read(w.values); err != nil {
		return err
	}
	if t.DType == dtype.F16 {
		for _, x := range w.values {
			if dtype.ToF16(x)&0x7fff == 0x7c00 && !math.IsInf(float64(x), 0) {
				return fmt.Errorf("it holds %g, above the f16 limit of 65504: save as bf16 or f32", x)
			}
		}
	}
	const chunk = 16 * quantumValues // what lies converted in memory
	size := 0
	for x := w.values; len(x) > 0; {
		part := x[:min(len(x), chunk)]
		b := slices.Grow(w.bytes[:0], t.DType.RowBytes(len(part)))[:t.DType.RowBytes(len(part))]
		w.bytes = b
		tasks := (len(part) + quantumValues - 1) / quantumValues
		w.pool.Run(tasks, func(task, _ int) {
			from, to := task*quantumValues, min((task+1)*quantumValues, len(part))
			dtype.Quantize(t.DType, b[t.DType.RowBytes(from):t.DType.RowBytes(to)], part[from:to])
		})
		w.put(b)
		size += len(b)
		x = x[len(part):]
	}
	w.put(make([]byte, w.padded(size)-size))
	return w.out.Flush()
}

func appendString(out []byte, s string) []byte {
	return append(binaryOrder.AppendUint64(out, uint64(len(s))), s...)
}

// ggufKinds are the types of metadata by Go kind.
var ggufKinds = map[reflect.Kind]uint32{
	reflect.Uint8: ggufUint8, reflect.Int8: ggufInt8, reflect.Uint16: ggufUint16, reflect.Int16: ggufInt16,
	reflect.Uint32: ggufUint32, reflect.Int32: ggufInt32, reflect.Float32: ggufFloat32, reflect.Bool: ggufBool,
	reflect.String: ggufString, reflect.Uint64: ggufUint64, reflect.Int64: ggufInt64, reflect.Float64: ggufFloat64,
}

// appendValue writes the type of v and v.
func appendValue(out []byte, v any) ([]byte, error) {
	r := reflect.ValueOf(v)
	list := r.Kind() == reflect.Slice
	kind := r.Kind()
	if list {
		kind = r.Type().Elem().Kind()
		out = binaryOrder.AppendUint32(out, ggufArray)
	}
	t, ok := ggufKinds[kind]
	if !ok {
		return nil, fmt.Errorf("a value of Go type %T has no type in GGUF", v)
	}
	out = binaryOrder.AppendUint32(out, t)
	if list {
		out = binaryOrder.AppendUint64(out, uint64(r.Len()))
	}
	switch {
	case kind == reflect.String && list:
		for i := range r.Len() {
			out = appendString(out, r.Index(i).String())
		}
		return out, nil
	case kind == reflect.String:
		return appendString(out, r.String()), nil
	}
	return binary.Append(out, binaryOrder, v)
}
