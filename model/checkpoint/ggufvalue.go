package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Limits of what a header may hold.
const (
	maxGGUFHeader = 256 << 20 // bytes before the data; the largest vocabularies take some 20 MB
	maxGGUFName   = 1 << 16   // bytes of a key or of the name of a tensor
	maxGGUFDepth  = 4         // arrays of arrays
)

// Types of metadata values.
const (
	ggufUint8 = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

// valueBytes is the least that one value of a type takes.
var valueBytes = [...]int{
	ggufUint8: 1, ggufInt8: 1, ggufUint16: 2, ggufInt16: 2, ggufUint32: 4, ggufInt32: 4, ggufFloat32: 4, ggufBool: 1,
	ggufString: 8, ggufArray: 12, ggufUint64: 8, ggufInt64: 8, ggufFloat64: 8,
}

// cursor reads a header from its start. After the first error it reads zeros.
type cursor struct {
	data []byte
	at   int
	err  error
}

func (c *cursor) fail(field, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...))
	}
}

// take returns the next n bytes.
func (c *cursor) take(n int, field string) []byte {
	if c.err == nil && c.at+n > maxGGUFHeader {
		c.fail(field, "the header goes beyond its limit of %d bytes: %s", maxGGUFHeader, ggufHint)
	}
	if c.err == nil && n > len(c.data)-c.at {
		c.fail(field, "%d bytes are wanted at byte %d, the file has %d: %w: fetch it again", n, c.at, len(c.data), ErrTruncated)
	}
	if c.err != nil {
		return nil
	}
	b := c.data[c.at : c.at+n]
	c.at += n
	return b
}

func (c *cursor) u32(field string) uint32 {
	if b := c.take(4, field); b != nil {
		return binaryOrder.Uint32(b)
	}
	return 0
}

func (c *cursor) u64(field string) uint64 {
	if b := c.take(8, field); b != nil {
		return binaryOrder.Uint64(b)
	}
	return 0
}

// count reads a number of things that take at least size bytes each.
func (c *cursor) count(field string, size int) int {
	n := c.u64(field)
	if rest := min(len(c.data), maxGGUFHeader) - c.at; c.err == nil && n > uint64(rest/size) {
		c.fail(field, "%d cannot be in the %d bytes that follow: %w, or it was never GGUF", n, rest, ErrTruncated)
	}
	if c.err != nil {
		return 0
	}
	return int(n)
}

// str reads a string of at most limit bytes.
func (c *cursor) str(field string, limit int) string {
	n := c.count(field, 1)
	if c.err == nil && n > limit {
		c.fail(field, "%d bytes are too many: at most %d", n, limit)
	}
	b := c.take(n, field)
	if (limit == maxGGUFName) && c.err == nil && (n == 0 || !utf8.Valid(b)) {
		c.fail(field, "it is empty or not UTF-8: %s", ggufHint)
	}
	return string(b)
}

// pair reads one key with its value.
func (c *cursor) pair() (key string, value any) {
	key = c.str("key of metadata", maxGGUFName)
	field := "metadata " + strconv.Quote(key)
	t := c.u32(field)
	return key, c.value(field, t, 0)
}

func (c *cursor) value(field string, t uint32, depth int) any {
	switch {
	case c.err != nil:
		return nil
	case t == ggufString:
		return c.str(field, math.MaxInt)
	case t == ggufArray:
		return c.array(field, depth+1)
	case t > ggufFloat64:
		c.fail(field, "value of type %d, which is none: %s", t, ggufHint)
		return nil
	}
	b := c.take(valueBytes[t], field)
	if c.err != nil {
		return nil
	}
	return c.decode(field, t, 0, b)
}

// array reads the type and the number of the elements, and then these.
func (c *cursor) array(field string, depth int) any {
	if depth > maxGGUFDepth {
		c.fail(field, "arrays in arrays more than %d deep: %s", maxGGUFDepth, ggufHint)
	}
	t := c.u32(field)
	if c.err == nil && t > ggufFloat64 {
		c.fail(field, "array of type %d, which is none: %s", t, ggufHint)
	}
	if c.err != nil {
		return nil
	}
	n := c.count(field, valueBytes[t])
	switch t {
	case ggufString:
		return c.strings(field, n)
	case ggufArray:
		var out []any // grows with what is really there
		for range n {
			v := c.array(field, depth+1)
			if c.err != nil {
				return nil
			}
			out = append(out, v)
		}
		return out
	}
	b := c.take(n*valueBytes[t], field)
	if c.err != nil {
		return nil
	}
	return c.decode(field, t, n, b)
}

// strings reads n strings. They share one copy of the bytes.
func (c *cursor) strings(field string, n int) []string {
	start := c.at
	for range n {
		c.take(c.count(field, 1), field)
	}
	if c.err != nil {
		return nil
	}
	all := string(c.data[start:c.at])
	out, at := make([]string, n), 0
	for i := range out {
		size := int(binaryOrder.Uint64(c.data[start+at:]))
		out[i] = all[at+8 : at+8+size]
		at += 8 + size
	}
	return out
}

// decode converts numbers or bools of type t: n of them as a slice, or one as a
// scalar where n is 0 and b is not empty.
func (c *cursor) decode(field string, t uint32, n int, b []byte) any {
	switch t {
	case ggufUint8:
		return decode[uint8](n, b)
	case ggufInt8:
		return decode[int8](n, b)
	case ggufUint16:
		return decode[uint16](n, b)
	case ggufInt16:
		return decode[int16](n, b)
	case ggufUint32:
		return decode[uint32](n, b)
	case ggufInt32:
		return decode[int32](n, b)
	case ggufFloat32:
		return decode[float32](n, b)
	case ggufUint64:
		return decode[uint64](n, b)
	case ggufInt64:
		return decode[int64](n, b)
	case ggufFloat64:
		return decode[float64](n, b)
	}
	if i := slices.IndexFunc(b, func(x byte) bool { return x > 1 }); i >= 0 {
		c.fail(field, "bool %d has the value %d: want 0 or 1", i, b[i])
	}
	return decode[bool](n, b)
}

func decode[T any](n int, b []byte) any {
	out := make([]T, n)
	scalar := n == 0 && len(b) > 0
	if scalar {
		out = make([]T, 1)
	}
	if _, err := binary.Decode(b, binaryOrder, out); err != nil {
		panic(err) // the caller took as many bytes as n values have
	}
	if scalar {
		return out[0]
	}
	return out
}
