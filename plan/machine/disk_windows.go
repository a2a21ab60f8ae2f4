package machine

import "golang.org/x/sys/windows"

// DiskFree is the bytes that this user may still write at path, which must
// exist; false where the system does not say.
func DiskFree(path string) (int64, bool) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, false
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil {
		return 0, false
	}
	return int64(free), true
}
