//go:build linux || darwin || freebsd

package machine

import "golang.org/x/sys/unix"

// DiskFree is the bytes that this user may still write at path, which must
// exist; false where the system does not say.
func DiskFree(path string) (int64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
