package checkpoint

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropPages gives back the whole pages of a mapped file that lie in b; they are
// read anew when they are used again.
func dropPages(b []byte) {
	page := uintptr(os.Getpagesize())
	lo := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % page
	n := uintptr(len(b))
	if lo >= n {
		return
	}
	if n = (n - lo) / page * page; n > 0 {
		_ = unix.Madvise(b[lo:lo+n], unix.MADV_DONTNEED) // a refusal costs memory only
	}
}
