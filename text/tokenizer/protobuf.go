package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// protobuf reads the fields of one message of the protobuf wire format, in
// order. Only what tokenizer.model has is known: numbers, 32 and 64 bits, and
// bytes.
type protobuf struct{ rest []byte }

// protoField is one field: n holds a number, bytes the rest.
type protoField struct {
	number int
	wire   int
	n      uint64
	bytes  []byte
}

// Wire types.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

var errCutShort = errors.New("cut short or damaged: fetch the file again")

// next reads a field; the message has ended when rest is empty.
func (p *protobuf) next() (f protoField, err error) {
	tag, err := p.varint()
	if err != nil {
		return f, err
	}
	f.number, f.wire = int(tag>>3), int(tag&7)
	if tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return f, fmt.Errorf("field number %d: %w", tag>>3, errCutShort)
	}
	size := uint64(0)
	switch f.wire {
	case wireVarint:
		f.n, err = p.varint()
		return f, err
	case wire64:
		size = 8
	case wire32:
		size = 4
	case wireBytes:
		if size, err = p.varint(); err != nil {
			return f, err
		}
	default:
		return f, fmt.Errorf("wire type %d of field %d: %w", f.wire, f.number, errCutShort)
	}
	if size > uint64(len(p.rest)) {
		return f, fmt.Errorf("field %d has %d bytes of the %d that are left: %w", f.number, size, len(p.rest), errCutShort)
	}
	f.bytes, p.rest = p.rest[:size], p.rest[size:]
	if f.wire == wire32 {
		f.n = uint64(binary.LittleEndian.Uint32(f.bytes))
	}
	return f, nil
}

func (p *protobuf) varint() (uint64, error) {
	n, size := binary.Uvarint(p.rest)
	if size <= 0 {
		return 0, errCutShort
	}
	p.rest = p.rest[size:]
	return n, nil
}

// want checks the wire type of a known field.
func (f *protoField) want(name string, wire int) error {
	if f.wire != wire {
		return fmt.Errorf("%s has wire type %d, want %d: %w", name, f.wire, wire, errCutShort)
	}
	return nil
}

func (f *protoField) float() float32 { return math.Float32frombits(uint32(f.n)) }
