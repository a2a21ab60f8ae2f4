package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/foundling-lm/foundling/bundle"
)

// TestCtrlCKeepsTheConversation talks on a terminal: Ctrl-C in the middle of an
// answer ends the answer alone, what was said stays, and two in a row at the
// prompt leave.
func TestCtrlCKeepsTheConversation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := saveModel(dir, true); err != nil {
		t.Fatal(err)
	}
	endless(t, dir)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	term, tty := openTerminal(t)
	c := exec.CommandContext(t.Context(), program, "chat", "--model", dir, "--temperature", "1", "--max-tokens", "0", "--threads", "1")
	c.Env = append(os.Environ(), asProgram+"=1", "TERM=dumb")
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	screen := watch(term)
	saved := filepath.Join(t.TempDir(), "conversation.jsonl")
	turn := func(text string, messages int) {
		screen.wait(t, "> ")
		fmt.Fprintf(term, "%s\r", text)
		screen.wait(t, text+"\r\n")
		screen.longer(t, 200) // the answer is under way
		fmt.Fprint(term, "\x03")
		screen.wait(t, "(stopped)")
		screen.wait(t, "> ")
		fmt.Fprintf(term, "/save %s\r", saved)
		screen.wait(t, fmt.Sprintf("(%d messages in ", messages))
	}
	turn("hello", 2)
	turn("again", 4)
	screen.wait(t, "> ")
	fmt.Fprint(term, "\x03")
	screen.wait(t, "once more")
	screen.wait(t, "> ")
	fmt.Fprint(term, "\x03")
	if err := c.Wait(); c.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("Ctrl-C twice at the prompt ends with %v, want exit code %d", err, exitInterrupted)
	}
	data, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	var talk struct {
		Messages []struct{ Role, Content string }
	}
	if err := json.Unmarshal(data, &talk); err != nil || len(talk.Messages) != 4 {
		t.Fatalf("saved %s, %v", data, err)
	}
	for i, m := range talk.Messages {
		if want := []string{"hello", "", "again", ""}[i]; want != "" && m.Content != want || m.Content == "" {
			t.Errorf("message %d is %q of %s", i, m.Content, m.Role)
		}
	}
}

// endless makes a model that never ends its answers: no token does, and the
// context is long.
func endless(t *testing.T, dir string) {
	t.Helper()
	for name, edit := range map[string]func(string) string{
		bundle.ConfigFile: func(s string) string {
			return strings.Replace(s, `"max_position_embeddings": 96`, `"max_position_embeddings": 30000`, 1)
		},
		bundle.GenerationFile: func(string) string { return "{}" },
		bundle.TemplateFile:   func(string) string { return "{{ messages[-1].content }}" },
	} {
		path := filepath.Join(dir, name)
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		edited := edit(string(old))
		if edited == string(old) {
			t.Fatalf("%s is as before:\n%s", name, old)
		}
		if err := os.WriteFile(path, []byte(edited), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// openTerminal makes a pseudo-terminal: what is written to term is typed on tty.
func openTerminal(t *testing.T) (term, tty *os.File) {
	t.Helper()
	term, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { term.Close() })
	if err := unix.IoctlSetPointerInt(int(term.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	n, err := unix.IoctlGetInt(int(term.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	return term, tty
}

// screen is what a program writes to a terminal.
type screen struct {
	mu   sync.Mutex
	text []byte // that wait has not passed yet
}

func watch(term *os.File) *screen {
	s := &screen{}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := term.Read(b)
			s.mu.Lock()
			s.text = append(s.text, b[:n]...)
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

// wait passes over the next place where text stands.
func (s *screen) wait(t *testing.T, text string) {
	t.Helper()
	s.until(t, fmt.Sprintf("%q", text), func() bool {
		i := bytes.Index(s.text, []byte(text))
		if i >= 0 {
			s.text = s.text[i+len(text):]
		}
		return i >= 0
	})
}

// longer waits until n bytes more have come.
func (s *screen) longer(t *testing.T, n int) {
	t.Helper()
	s.until(t, fmt.Sprintf("%d bytes", n), func() bool { return len(s.text) >= n })
}

func (s *screen) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		done, shown := ok(), string(s.text)
		s.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the terminal does not show %s but %.300q", what, shown)
		}
	}
}
