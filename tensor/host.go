package tensor

import (
	"fmt"
	"unsafe"

	mmap "github.com/edsrzf/mmap-go"
)

// mapFrom is the size from which blocks are mapped outside the Go heap, where
// the collector neither scans nor doubles them.
const mapFrom = 64 << 10

// NewHost returns n zero bytes, 64-byte aligned. It panics when the system has
// no memory left: callers size their work beforehand (plan).
func NewHost(n int) *Host {
	if n < mapFrom {
		raw := make([]byte, n+63)
		skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(raw)))) & 63
		return &Host{Data: raw[skip : skip+n : skip+n]}
	}
	m, err := mmap.MapRegion(nil, n, mmap.COPY, mmap.ANON, 0)
	if err != nil {
		panic(fmt.Sprintf("tensor: no memory for %d bytes: %v", n, err))
	}
	settle(m)
	return &Host{Data: m}
}

// Free gives a block of NewHost back.
func (h *Host) Free() {
	if len(h.Data) >= mapFrom {
		m := mmap.MMap(h.Data)
		if err := m.Unmap(); err != nil {
			panic("tensor: unmap: " + err.Error())
		}
	}
	h.Data = nil
}
