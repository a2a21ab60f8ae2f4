//go:build unix

package search

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCommandEndsWithItsChildren: a verifier that takes too long leaves no process
// behind.
func TestCommandEndsWithItsChildren(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	v := &Command{Argv: []string{"/bin/sh", "-c", "sleep 60 & echo $! > '" + file + "'; wait"}, Limit: 2 * time.Second}
	if r := judge(t, v.Verify, ""); r.Pass || !strings.Contains(r.Why, "longer than") {
		t.Fatalf("a slow verifier: %+v", r)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skip("the shell did not come to its second command: ", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 { // a minute
		if err := syscall.Kill(pid, 0); err == syscall.ESRCH {
			return
		}
		if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && strings.Contains(string(stat), ") Z ") {
			return // ended, and nobody asks for its exit code
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}
