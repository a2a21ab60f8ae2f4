//go:build unix

package kernel

import (
	"testing"

	"golang.org/x/sys/unix"
)

// guarded returns size bytes that end where an unreadable page begins.
func guarded(t testing.TB, size int) []byte {
	t.Helper()
	page := unix.Getpagesize()
	whole := (size + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, whole+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mprotect(mem[whole:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	return mem[whole-size : whole]
}
