//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestSecondInterrupt checks that a command which does not heed a Ctrl-C, here one
// that waits for standard input, is ended by the next.
func TestSecondInterrupt(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "grammar", "check", "--schema", "-")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		c.Wait()
		close(ended)
	}()
	time.Sleep(500 * time.Millisecond) // the program looks out for signals now
	for range 100 {
		c.Process.Signal(os.Interrupt)
		select {
		case <-ended:
			if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() {
				t.Errorf("%v, want the end by a signal", c.ProcessState)
			}
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	c.Process.Kill()
	t.Error("100 interrupts did not end it")
}
