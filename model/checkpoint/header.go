package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"
)

const (
	metadataKey = "__metadata__"
	maxHeader   = 100 << 20 // the limit of the reference implementation
	sizeHint    = "the file is damaged, or neither safetensors nor GGUF: fetch it again"
)

// entry is one tensor in the header.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets *[]int64 `json:"data_offsets"`
}

// placed is a tensor with the place of its bytes.
type placed struct {
	*Tensor
	begin, end int64
}

// parse reads a whole file. Tensors come in the order of their data and share
// its memory. No allocation is larger than the header that is there.
func parse(file []byte) ([]*Tensor, map[string]string, error) {
	if len(file) < 8 {
		return nil, nil, fmt.Errorf("%d bytes, a safetensors file has 8 and more: %w", len(file), ErrTruncated)
	}
	n := binary.LittleEndian.Uint64(file)
	if n > maxHeader && (len(file) < 9 || file[8] != '{') {
		return nil, nil, fmt.Errorf("it begins with %q: that is neither a safetensors nor a GGUF file: give one of these, or the directory of a model", file[:8])
	}
	if n > maxHeader {
		return nil, nil, fmt.Errorf("header length %d is above the limit of %d bytes: %s", n, maxHeader, sizeHint)
	}
	if n > uint64(len(file)-8) {
		return nil, nil, fmt.Errorf("header of %d bytes in a file of %d: %w: fetch it again", n, len(file), ErrTruncated)
	}
	header, data := file[8:8+n], file[8+n:]
	if !utf8.Valid(header) {
		return nil, nil, fmt.Errorf("header is not UTF-8: %s", sizeHint)
	}
	ts, metadata, err := parseHeader(header)
	if err != nil {
		return nil, nil, err
	}
	return place(ts, metadata, data)
}

// parseHeader decodes the JSON key by key, since a map would hide duplicates.
func parseHeader(header []byte) (ts []placed, metadata map[string]string, err error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	wrong := func(err error) error {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("header is not the JSON object it should be (%w): %s", err, sizeHint)
	}
	if tok, err := dec.Token(); err != nil {
		return nil, nil, wrong(err)
	} else if tok != json.Delim('{') {
		return nil, nil, wrong(fmt.Errorf("it begins with %v", tok))
	}
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, nil, wrong(err)
		}
		name := tok.(string) // a key: the decoder takes nothing else here
		if seen[name] {
			return nil, nil, fmt.Errorf("tensor %q is there twice: write the file again", name)
		}
		seen[name] = true
		if name == metadataKey {
			if err := dec.Decode(&metadata); err != nil {
				return nil, nil, fmt.Errorf("%s is not an object of strings: %w", metadataKey, err)
			}
			continue
		}
		var e entry
		if err := dec.Decode(&e); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, wrong(err))
		}
		t, err := e.tensor(name)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		ts = append(ts, t)
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil, wrong(err)
	}
	if rest := header[dec.InputOffset():]; len(bytes.Trim(rest, " \t\r\n")) > 0 {
		return nil, nil, wrong(errors.New("text after its end"))
	}
	return ts, metadata, nil
}

// tensor checks one entry by itself.
func (e *entry) tensor(name string) (placed, error) {
	f, ok := formats[e.DType]
	if !ok {
		return placed{}, fmt.Errorf("unknown dtype %q: supported are %s", e.DType, formatNames())
	}
	if e.Shape == nil {
		return placed{}, errors.New("shape is missing")
	}
	if e.Offsets == nil || len(*e.Offsets) != 2 {
		return placed{}, errors.New("data_offsets is not a pair of numbers")
	}
	begin, end := (*e.Offsets)[0], (*e.Offsets)[1]
	if begin < 0 || end < begin {
		return placed{}, fmt.Errorf("data_offsets [%d,%d] are no range of bytes", begin, end)
	}
	shape := make([]int, len(e.Shape))
	size, empty := uint64(f.size), false
	for i, d := range e.Shape {
		if d < 0 {
			return placed{}, fmt.Errorf("shape %v has a negative size", e.Shape)
		}
		shape[i] = int(d)
		if d == 0 {
			empty = true
			continue
		}
		hi, lo := bits.Mul64(size, uint64(d))
		if hi != 0 || lo > math.MaxInt || int64(shape[i]) != d {
			return placed{}, fmt.Errorf("shape %v is too large for any memory: %s", e.Shape, sizeHint)
		}
		size = lo
	}
	if empty {
		size = 0
	}
	if size != uint64(end-begin) {
		return placed{}, fmt.Errorf("shape %v of %s needs %d bytes, data_offsets [%d,%d] hold %d: write the file again",
			e.Shape, e.DType, size, begin, end, end-begin)
	}
	return placed{&Tensor{Name: name, DType: f.dtype, Stored: e.DType, Shape: shape}, begin, end}, nil
}

// place gives each tensor its bytes and checks that they tile the data.
func place(ts []placed, metadata map[string]string, data []byte) ([]*Tensor, map[string]string, error) {
	slices.SortStableFunc(ts, func(a, b placed) int {
		if a.begin != b.begin {
			return cmp.Compare(a.begin, b.begin)
		}
		return cmp.Compare(a.end, b.end) // empty tensors first
	})
	out := make([]*Tensor, len(ts))
	at, before := int64(0), ""
	for i, t := range ts {
		switch {
		case t.begin < at:
			return nil, nil, fmt.Errorf("tensor %q at data_offsets [%d,%d] overlaps tensor %q, which ends at %d: write the file again",
				t.Name, t.begin, t.end, before, at)
		case t.begin > at:
			return nil, nil, fmt.Errorf("bytes %d to %d, before tensor %q, belong to no tensor: write the file again", at, t.begin, t.Name)
		case t.end > int64(len(data)):
			return nil, nil, fmt.Errorf("tensor %q ends at byte %d of the data, the file has %d: %w: fetch it again",
				t.Name, t.end, len(data), ErrTruncated)
		}
		t.Data = data[t.begin:t.end:t.end]
		out[i], at, before = t.Tensor, t.end, t.Name
	}
	if at < int64(len(data)) {
		return nil, nil, fmt.Errorf("%d bytes after the last tensor belong to none: write the file again", int64(len(data))-at)
	}
	return out, metadata, nil
}
