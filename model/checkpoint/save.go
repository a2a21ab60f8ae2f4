package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// Source is a tensor to save: where its values come from.
type Source struct {
	Name  string
	Shape []int
	Read  func(dst []float32) error // fills dst, which has product(Shape) places
}

func (s *Source) len() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

// Save writes ts to path in format dt: F32, BF16 or F16, rounded to nearest
// even. A finite value that F16 has no room for is an error. Metadata
// "format" is "pt" unless given.
//
// With maxShardBytes above 0 and more data than that, Save writes files
// name-00001-of-0000N.safetensors, of at most maxShardBytes of data each or of
// one tensor, and path plus ".index.json" instead of path. Open(path) reads
// either.
//
// Whatever was saved under path before stays whole until the new is on the
// disk, and is then removed where it has other names; after an error or a kill
// it is as it was. Memory: the largest tensor in f32.
func Save(path string, dt dtype.Type, metadata map[string]string, ts []Source, maxShardBytes int64) error {
	total, err := check(dt, ts)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	md := map[string]string{"format": "pt"}
	maps.Copy(md, metadata)
	w := &writer{dt: dt, metadata: md}
	old := savedFiles(path)
	var now []string
	if maxShardBytes <= 0 || total <= maxShardBytes {
		now = []string{path}
		err = w.file(path, ts)
	} else {
		now, err = w.shards(path, split(ts, dt, maxShardBytes), old)
	}
	if err != nil {
		switch {
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EFBIG), errors.Is(err, syscall.EDQUOT):
			err = fmt.Errorf("%w: %d bytes are needed: free some space or choose another directory", err, total)
		case errors.Is(err, fs.ErrNotExist):
			err = fmt.Errorf("%w: make the directory first", err)
		}
		return fmt.Errorf("save %s: %w", path, err)
	}
	// The single file wins in Open, so it goes first and the index second: a
	// kill in between leaves one whole checkpoint, old or new.
	for _, name := range old {
		if !slices.Contains(now, name) {
			if err := os.Remove(name); err != nil {
				return fmt.Errorf("save %s: the new checkpoint is whole, but an old file is in the way: %w", path, err)
			}
		}
	}
	return nil
}

// check returns the bytes of data, or what can't be saved.
func check(dt dtype.Type, ts []Source) (total int64, err error) {
	if dt != dtype.F32 && dt != dtype.BF16 && dt != dtype.F16 {
		return 0, fmt.Errorf("number format %v: want f32, bf16 or f16", dt)
	}
	seen := map[string]bool{metadataKey: true}
	for i := range ts {
		t := &ts[i]
		if seen[t.Name] {
			return 0, fmt.Errorf("tensor name %q is taken: names must differ", t.Name)
		}
		seen[t.Name] = true
		for _, d := range t.Shape {
			if d < 0 {
				return 0, fmt.Errorf("tensor %s has shape %v", t.Name, t.Shape)
			}
		}
		total += int64(t.len() * dt.Size())
	}
	return total, nil
}

// savedFiles lists what a former Save left under path and is still there, in
// the order in which it may be removed.
func savedFiles(path string) []string {
	files := []string{path, path + indexSuffix}
	if x, err := readIndex(path + indexSuffix); err == nil {
		for _, name := range slices.Compact(slices.Sorted(maps.Values(x.WeightMap))) {
			files = append(files, filepath.Join(filepath.Dir(path), name))
		}
	}
	return slices.DeleteFunc(files, func(name string) bool { return !exists(name) })
}

// split cuts ts into runs of at most limit bytes, or of one tensor.
func split(ts []Source, dt dtype.Type, limit int64) [][]Source {
	var out [][]Source
	first, size := 0, int64(0)
	for i := range ts {
		n := int64(ts[i].len() * dt.Size())
		if i > first && size+n > limit {
			out = append(out, ts[first:i])
			first, size = i, 0
		}
		size += n
	}
	return append(out, ts[first:])
}

// writer holds what all files of one checkpoint share.
type writer struct {
	dt       dtype.Type
	metadata map[string]string
	values   []float32 // one tensor
	chunk    []byte
}

func (w *writer) file(path string, ts []Source) error {
	return atomicfile.Write(path, func(f io.Writer) error { return w.encode(f, ts) })
}

// shards writes the runs under names that the old index does not use, then
// the index, which brings them into being. It returns all files.
func (w *writer) shards(path string, runs [][]Source, old []string) (files []string, err error) {
	defer func() {
		if err != nil {
			for _, name := range files {
				os.Remove(name)
			}
		}
	}()
	base := strings.TrimSuffix(path, ".safetensors")
	name := func(round, i int) string {
		mark := ""
		if round > 1 {
			mark = fmt.Sprintf("-r%d", round)
		}
		return fmt.Sprintf("%s%s-%05d-of-%05d.safetensors", base, mark, i+1, len(runs))
	}
	round := 1
	for i := 0; i < len(runs); i++ {
		if slices.Contains(old, name(round, i)) {
			round, i = round+1, -1
		}
	}
	x := index{WeightMap: map[string]string{}}
	var total int64
	for i, run := range runs {
		if err := w.file(name(round, i), run); err != nil {
			return files, err
		}
		files = append(files, name(round, i))
		for j := range run {
			x.WeightMap[run[j].Name] = filepath.Base(name(round, i))
			total += int64(run[j].len() * w.dt.Size())
		}
	}
	x.Metadata = map[string]any{"total_size": total}
	data, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return files, err
	}
	if err := atomicfile.WriteFile(path+indexSuffix, append(data, '\n')); err != nil {
		return files, err
	}
	return append(files, path+indexSuffix), nil
}

// encode writes one file, tensor by tensor.
func (w *writer) encode(f io.Writer, ts []Source) error {
	header, err := w.header(ts)
	if err != nil {
		return err
	}
	if _, err := f.Write(header); err != nil {
		return err
	}
	if w.chunk == nil {
		w.chunk = make([]byte, 1<<20)
	}
	for i := range ts {
		n := ts[i].len()
		w.values = slices.Grow(w.values[:0], n)[:n]
		if err := ts[i].Read(w.values); err != nil {
			return fmt.Errorf("tensor %s: %w", ts[i].Name, err)
		}
		if err := w.tensor(f, ts[i].Name); err != nil {
			return err
		}
	}
	return nil
}

// header is the length and the JSON, padded with spaces so that the data
// begin at a multiple of 8 bytes.
func (w *writer) header(ts []Source) ([]byte, error) {
	out := append(make([]byte, 8), `{"`+metadataKey+`":`...)
	md, err := json.Marshal(w.metadata)
	if err != nil {
		return nil, err
	}
	out = append(out, md...)
	at := int64(0)
	for i := range ts {
		end := at + int64(ts[i].len()*w.dt.Size())
		offsets := []int64{at, end}
		shape := make([]int64, len(ts[i].Shape)) // [] for a scalar, not null
		for j, d := range ts[i].Shape {
			shape[j] = int64(d)
		}
		name, err := json.Marshal(ts[i].Name)
		if err != nil {
			return nil, err
		}
		e, err := json.Marshal(entry{strings.ToUpper(w.dt.String()), shape, &offsets})
		if err != nil {
			return nil, err
		}
		out = append(append(append(append(out, ','), name...), ':'), e...)
		at = end
	}
	out = append(out, '}')
	for len(out)%8 != 0 {
		out = append(out, ' ')
	}
	if n := len(out) - 8; n > maxHeader {
		return nil, fmt.Errorf("header of %d bytes is above the format's limit of %d: fewer or shorter names or less metadata", n, maxHeader)
	}
	binary.LittleEndian.PutUint64(out, uint64(len(out)-8))
	return out, nil
}

// tensor writes w.values in the wanted format, a chunk at a time.
func (w *writer) tensor(f io.Writer, name string) error {
	size := w.dt.Size()
	for x := w.values; len(x) > 0; {
		n := min(len(x), len(w.chunk)/size)
		b := w.chunk[:n*size]
		switch w.dt {
		case dtype.F32:
			for i, v := range x[:n] {
				binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
			}
		case dtype.BF16:
			for i, v := range x[:n] {
				binary.LittleEndian.PutUint16(b[2*i:], dtype.ToBF16(v))
			}
		case dtype.F16:
			for i, v := range x[:n] {
				h := dtype.ToF16(v)
				if h&0x7fff == 0x7c00 && !math.IsInf(float64(v), 0) {
					return fmt.Errorf("tensor %s holds %g, above the f16 limit of 65504: save as bf16 or f32", name, v)
				}
				binary.LittleEndian.PutUint16(b[2*i:], h)
			}
		}
		if _, err := f.Write(b); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}
