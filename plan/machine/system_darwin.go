package machine

import "golang.org/x/sys/unix"

func processorName() string {
	name, err := unix.Sysctl("machdep.cpu.brand_string")
	if err != nil {
		return ""
	}
	return name
}

// readMemory knows the total only.
func readMemory() Memory {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return Memory{}
	}
	return Memory{Total: int64(n)}
}
