package tensor

import "golang.org/x/sys/unix"

// settle asks for 2 MiB pages, which spare address translations in the large
// products, and maps small blocks at once: a page that is read before it is
// written, as those of a cache are, would be mapped twice. Refusals cost nothing.
func settle(b []byte) {
	if len(b) >= 4<<20 {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
		return
	}
	_ = unix.Madvise(b, unix.MADV_POPULATE_WRITE)
}
