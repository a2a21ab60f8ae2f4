//go:build unix

package search

import (
	"os/exec"
	"syscall"
)

// endTogether makes the end of the context end the program with its children, which
// a shell may have.
func endTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
