// Package checkpoint reads and writes named arrays of numbers: safetensors, in
// one file or in several with an index as Hugging Face models have them, and
// GGUF, the format of llama.cpp. Open maps files into memory and checks the
// whole header before it gives out a tensor; Save and SaveGGUF stream, and
// replace what was there only when all of the new is on the disk.
//
// Nothing here knows a model: names and shapes are matched by package model.
// State of training is saved the same way, as more tensors in f32 and as
// metadata.
//
// Safetensors: 8 bytes of header length (little-endian), a JSON header of
// {"name":{"dtype","shape","data_offsets"}}, the data; every byte of the data
// belongs to exactly one tensor. Source: the format section of the README of
// github.com/huggingface/safetensors. GGUF: see gguf.go.
package checkpoint

import (
	"errors"
	"fmt"
	"maps"
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
	// Stored is the format's name in the file: "F32", "BF16", "BOOL", "Q4_K", ...
	Stored string
	// Shape has the size of rows last, in GGUF files as well.
	Shape []int
	// Data are the values, little-endian, row-major, or their blocks, a row a
	// whole number of them. It lies in the mapped file: read-only, and gone
	// after Close.
	Data []byte
}

// format is a number format of safetensors.
type format struct {
	size  int // bytes
	dtype dtype.Type
}

// formats are those of safetensors. The ones that do not convert are masks and
// counters that some checkpoints carry beside the weights.
var formats = map[string]format{
	"F32": {4, dtype.F32}, "BF16": {2, dtype.BF16}, "F16": {2, dtype.F16}, "F64": {8, dtype.F64},
	"I32": {4, dtype.I32}, "BOOL": {size: 1}, "U8": {size: 1}, "I8": {size: 1}, "F8_E5M2": {size: 1},
	"F8_E4M3": {size: 1}, "F8_E8M0": {size: 1}, "I16": {size: 2}, "U16": {size: 2}, "U32": {size: 4}, "I64": {size: 8},
	"U64": {size: 8}, "C64": {size: 8},
}

// formatNames lists the formats of safetensors for messages.
func formatNames() string {
	return strings.Join(slices.Sorted(maps.Keys(formats)), " ")
}

// Len is the number of values.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Convertible says whether Float32s can read the format: all of package dtype
// but integers.
func (t *Tensor) Convertible() bool {
	dt, err := dtype.Parse(strings.ToLower(t.Stored))
	return err == nil && dt == t.DType && dt != dtype.I32
}

// Float32s converts the values to f32; dst has Len of them. A format that is not
// Convertible is an error.
func (t *Tensor) Float32s(dst []float32) error {
	if !t.Convertible() {
		return fmt.Errorf("tensor %s is stored as %s: only %s can be used as weights", t.Name, t.Stored, weightFormats())
	}
	if values, _ := t.DType.Block(); len(dst) != t.Len() || len(dst)%values != 0 || len(t.Data) != t.DType.RowBytes(len(dst)) {
		return fmt.Errorf("tensor %s of shape %v in %d bytes of %s: not %d values", t.Name, t.Shape, len(t.Data), t.Stored, len(dst))
	}
	dtype.Dequantize(t.DType, dst, t.Data)
	return nil
}

// weightFormats lists what is Convertible, for messages.
func weightFormats() string {
	var out []string
	for _, t := range dtype.Types() {
		if t != dtype.I32 {
			out = append(out, strings.ToUpper(t.String()))
		}
	}
	return strings.Join(out, " ")
}
