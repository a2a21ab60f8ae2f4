package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// served starts the program as a server of a tiny model and returns its address.
func served(t *testing.T, change func(c *exec.Cmd), args ...string) (*exec.Cmd, string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, append([]string{"serve", "--addr", "127.0.0.1:0", "--database", "none", "--threads", "1"}, args...)...)
	c.Env = append(os.Environ(), asProgram+"=1")
	if change != nil {
		change(c)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	c.Stderr = &complaints
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.ProcessState == nil {
			c.Process.Kill()
			c.Wait()
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, rest, ok := strings.Cut(lines.Text(), "serving on "); ok {
			return c, strings.TrimSuffix(rest, ", Ctrl-C ends")
		}
	}
	c.Wait()
	t.Fatalf("it does not serve: %v, %s", c.ProcessState, complaints.String())
	return nil, ""
}

// begun is a long text of which the first event has come.
func begun(t *testing.T, url string) *bufio.Reader {
	t.Helper()
	r, err := http.Post(url+"/v1/completions", "application/json", strings.NewReader(`{"prompt":"a","max_tokens":400,"stream":true,"logit_bias":{"256":-100}}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Body.Close() })
	lines := bufio.NewReader(r.Body)
	if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: {") {
		t.Fatalf("%q, %v", line, err)
	}
	return lines
}

// SIGTERM lets texts end, a second signal does not.
func TestServeSignals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := saveTiny(dir, false, 512); err != nil {
		t.Fatal(err)
	}
	c, url := served(t, nil, "--model", dir)
	lines := begun(t, url)
	c.Process.Signal(syscall.SIGTERM)
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("the text was cut: %v", err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}

	c, url = served(t, nil, "--model", dir)
	held, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")) // a request that does not end
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	io.WriteString(held, "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	if line, err := bufio.NewReader(held).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("%q, %v", line, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	signals := 0
	for waiting := true; waiting; signals++ { // the first may not have come through yet
		c.Process.Signal(os.Interrupt)
		select {
		case err = <-ended:
			waiting = false
		case <-time.After(100 * time.Millisecond):
		}
	}
	if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGINT || signals < 2 {
		t.Errorf("after %d interrupts: %v, want the end by the signal", signals, err)
	}
}

// In an empty file system, as a user without a name, the program serves: an image needs
// nothing else.
func TestServeFromScratch(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("chroot is root's")
	}
	if info, ok := debug.ReadBuildInfo(); !ok || slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "1"}) {
		t.Skip("built with cgo, the program needs a dynamic linker: CGO_ENABLED=0 go test")
	}
	root := t.TempDir()
	program, err := os.Executable()
	var data []byte
	if err == nil {
		data, err = os.ReadFile(program)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "foundling"), data, 0o755)
	}
	if err == nil {
		err = saveTiny(filepath.Join(root, "models", "main"), true, 96)
	}
	if err != nil {
		t.Fatal(err)
	}
	for dir := root; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	_, url := served(t, func(c *exec.Cmd) {
		c.Path, c.Dir = "/foundling", "/"
		c.Env = []string{asProgram + "=1"}
		c.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}, "--model", "/models/main")
	r, err := http.Get(url + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Error(r.Status)
	}
	begun(t, url)
}
