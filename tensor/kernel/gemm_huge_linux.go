package kernel

import "golang.org/x/sys/unix"

// adviseHuge asks for large pages: a packed operand is read once per block of
// the other one, and small pages would miss the TLB. A refusal costs speed only.
func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
