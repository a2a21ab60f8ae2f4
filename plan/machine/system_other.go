//go:build !linux

package machine

func adviseHuge([]byte) {}

// ResetPeak makes PeakMemory start anew from what the process holds now. It
// reports false where the system cannot.
func ResetPeak() bool { return false }

// PeakMemory is the most bytes that the process held at a time since ResetPeak,
// 0 where the system does not say.
func PeakMemory() int64 { return 0 }
