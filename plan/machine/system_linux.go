package machine

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func processorName() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	return field(string(info), "model name")
}

// field is the first value of "name : value" lines.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// readMemory reads /proc/meminfo and, in a container, the limit of its control
// group (version 2).
func readMemory() Memory {
	var m Memory
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m
	}
	m.Total, m.Available = kilobytes(string(info), "MemTotal"), kilobytes(string(info), "MemAvailable")
	const group = "/sys/fs/cgroup/"
	limit, used := number(group+"memory.max"), number(group+"memory.current")
	if limit > 0 && limit < m.Total {
		// File cache of the group counts as used, but gives way.
		if stat, err := os.ReadFile(group + "memory.stat"); err == nil {
			used -= statField(string(stat), "inactive_file")
		}
		m.Total, m.Available = limit, min(m.Available, max(0, limit-used))
	}
	return m
}

// kilobytes reads a line "name:  123 kB" as bytes.
func kilobytes(text, name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(field(text, name), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

func statField(text, name string) int64 {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == name {
			n, _ := strconv.ParseInt(v, 10, 64)
			return n
		}
	}
	return 0
}

// number is the content of a file that holds one number, 0 without one.
func number(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}

func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }

// ResetPeak makes PeakMemory start anew from what the process holds now. It
// reports false where the system cannot.
func ResetPeak() bool {
	debug.FreeOSMemory() // else what comes next may use pages that still count
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil
}

// PeakMemory is the most bytes that the process held at a time since ResetPeak,
// 0 where the system does not say.
func PeakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return kilobytes(string(status), "VmHWM")
}
