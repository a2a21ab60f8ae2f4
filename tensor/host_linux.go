package tensor

import "golang.org/x/sys/unix"

// adviseHuge asks for 2 MiB pages, which spare address translations in the
// large products. A refusal costs nothing.
func adviseHuge(b []byte) {
	if len(b) >= 4<<20 {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	}
}
