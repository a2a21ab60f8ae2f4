//go:build !linux && !darwin && !freebsd && !windows

package machine

// DiskFree is the bytes that this user may still write at path, which must
// exist; false where the system does not say.
func DiskFree(string) (int64, bool) { return 0, false }
