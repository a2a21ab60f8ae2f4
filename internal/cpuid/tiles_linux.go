//go:build amd64 && !purego

package cpuid

import "syscall"

// permitTiles asks for the tile data state component, for all threads of the
// process. Success also means that XCR0 has tiles on: the kernel refuses what
// it does not save. It refuses too where a signal stack is too small for the
// larger frame; those of the Go runtime are large enough.
func permitTiles() error {
	const (
		reqXCompPerm = 0x1023 // ARCH_REQ_XCOMP_PERM
		xTileData    = 18     // number of the state component
	)
	_, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, reqXCompPerm, xTileData, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
