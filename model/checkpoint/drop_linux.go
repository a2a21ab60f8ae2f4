package checkpoint

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropPages gives back the whole pages of a mapped file that lie in b; they are
// read anew when they are used again.
func dropPages(b []byte) {
	if b = wholePages(b); len(b) > 0 {
		_ = unix.Madvise(b, unix.MADV_DONTNEED) // a refusal costs memory only
	}
}

// fetchPages maps the whole pages that lie in b, readable.
func fetchPages(b []byte) {
	if b = wholePages(b); len(b) > 0 {
		_ = unix.Madvise(b, unix.MADV_POPULATE_READ) // a refusal, as of old systems, costs time only
	}
}

func wholePages(b []byte) []byte {
	page := uintptr(os.Getpagesize())
	lo, n := -uintptr(unsafe.Pointer(unsafe.SliceData(b)))%page, uintptr(len(b))
	if lo >= n {
		return nil
	}
	return b[lo : lo+(n-lo)/page*page]
}
