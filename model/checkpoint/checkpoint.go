// Package checkpoint reads and writes named arrays of numbers in the
// safetensors format, in one file or in several with an index as Hugging Face
// models have them. Open maps files into memory and checks the whole header
// before it gives out a tensor; Save streams, and replaces what was there only
// when all of the new is on the disk.
//
// Nothing here knows a model: names and shapes are matched by package model.
// State of training is saved the same way, as more tensors in f32 and as
// metadata.
//
// The format: 8 bytes of header length (little-endian), a JSON header of
// {"name":{"dtype","shape","data_offsets"}}, the data; every byte of the data
// belongs to exactly one tensor. Source: the format section of the README of
// github.com/huggingface/safetensors.
package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/tensor/dtype"
)

// ErrTruncated is wrapped by errors about files that end too early: an
// interrupted download or copy.
var ErrTruncated = errors.New("file is truncated")

// Tensor is one array of a File.
type Tensor struct {
	Name string
	// DType is the number format where Float32s can convert it; else Stored
	// tells more.
	DType dtype.Type
	// Stored is the format's name in the file: "F32", "BF16", "BOOL", ...
	Stored string
	Shape  []int
	// Data are the values, little-endian, row-major. It lies in the mapped
	// file: read-only, and gone after Close.
	Data []byte
}

// format is a number format of the file format.
type format struct {
	size    int // bytes
	dtype   dtype.Type
	convert bool // Float32s can read it
}

// formats are those with whole bytes to a value. The ones that do not convert
// are masks and counters that some checkpoints carry beside the weights.
var formats = map[string]format{
	"F32": {4, dtype.F32, true}, "BF16": {2, dtype.BF16, true}, "F16": {2, dtype.F16, true}, "F64": {8, dtype.F64, true},
	"I32": {size: 4, dtype: dtype.I32}, "BOOL": {size: 1}, "U8": {size: 1}, "I8": {size: 1}, "F8_E5M2": {size: 1},
	"F8_E4M3": {size: 1}, "F8_E8M0": {size: 1}, "I16": {size: 2}, "U16": {size: 2}, "U32": {size: 4}, "I64": {size: 8},
	"U64": {size: 8}, "C64": {size: 8},
}

// formatNames lists the formats for messages; all or those that convert.
func formatNames(convert bool) string {
	var out []string
	for name, f := range formats {
		if f.convert || !convert {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// Len is the number of values.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Float32s converts the values to f32; dst has Len of them. Formats other
// than F32, BF16, F16 and F64 are an error.
func (t *Tensor) Float32s(dst []float32) error {
	f := formats[t.Stored]
	if !f.convert {
		return fmt.Errorf("tensor %s is stored as %s: only %s can be used as weights", t.Name, t.Stored, formatNames(true))
	}
	if len(dst) != t.Len() || len(t.Data) != len(dst)*f.size {
		return fmt.Errorf("tensor %s of shape %v in %d bytes of %s: not %d values", t.Name, t.Shape, len(t.Data), t.Stored, len(dst))
	}
	src := t.Data
	switch t.DType {
	case dtype.F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	case dtype.BF16:
		for i := range dst {
			dst[i] = dtype.FromBF16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case dtype.F16:
		for i := range dst {
			dst[i] = dtype.FromF16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case dtype.F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		}
	}
	return nil
}
