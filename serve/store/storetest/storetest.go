// Package storetest starts the servers that tests of what is remembered need: real
// PostgreSQL and Valkey or Redis, from the binaries of this machine, in temporary
// folders. A test is skipped where there is no such binary.
//
// A server serves all tests of a process; Stop, at the end of TestMain, ends it. It ends
// by itself when the process does.
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// patience is how long a server may take to start, on a machine with much else to do.
const patience = 2 * time.Minute

var (
	errMissing = errors.New("no binary")

	postgres = sync.OnceValues(startPostgres)
	valkey   = sync.OnceValues(startValkey)
	count    atomic.Int64

	mu       sync.Mutex
	stopping []func()
)

// Stop ends the servers.
func Stop() {
	mu.Lock()
	defer mu.Unlock()
	for _, stop := range slices.Backward(stopping) {
		stop()
	}
	stopping = nil
}

func atStop(f func()) {
	mu.Lock()
	defer mu.Unlock()
	stopping = append(stopping, f)
}

// Postgres is the address of a new, empty database.
func Postgres(t testing.TB) string {
	t.Helper()
	server := started(t, "PostgreSQL", postgres)
	db, err := sql.Open("pgx", server.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := fmt.Sprintf("test%d", count.Add(1))
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	server.Path = "/" + name
	return server.String()
}

// Valkey is the address of a Valkey or Redis server. Its databases 0 to 15 are handed out
// in turn.
func Valkey(t testing.TB) string {
	t.Helper()
	server := started(t, "Valkey or Redis", valkey)
	server.Path = fmt.Sprintf("/%d", count.Add(1)%16)
	return server.String()
}

func started(t testing.TB, what string, start func() (*url.URL, error)) url.URL {
	t.Helper()
	u, err := start()
	switch {
	case errors.Is(err, errMissing):
		t.Skipf("needs %s: %v", what, err)
	case err != nil:
		t.Fatalf("%s: %v", what, err)
	}
	return *u
}

// find is the path of a program: in PATH, or where Debian has PostgreSQL's.
func find(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%w of %s: install it", errMissing, strings.Join(names, " or "))
}

func startPostgres() (*url.URL, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	binary, err := find("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	c := exec.Command(initdb, "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	c.Dir = dir
	if err := unprivileged(c, dir); err != nil {
		return nil, err
	}
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := guard(dir, "INT", binary, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off"); err != nil {
		return nil, err
	}
	u := &url.URL{Scheme: "postgres", User: url.User("tester"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
	return u, wait(dir, func(ctx context.Context) error {
		db, err := sql.Open("pgx", u.String())
		if err != nil {
			return err
		}
		defer db.Close()
		return db.PingContext(ctx)
	})
}

func startValkey() (*url.URL, error) {
	binary, err := find("valkey-server", "redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free now
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	if err := guard(dir, "TERM", binary, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--requirepass", "secret"); err != nil {
		return nil, err
	}
	u := &url.URL{Scheme: "redis", User: url.UserPassword("default", "secret"), Host: address}
	return u, wait(dir, func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// folder is a new one, gone at the end. Its path is short: a socket lies in it.
func folder() (string, error) {
	dir, err := os.MkdirTemp("", "servers")
	if err == nil {
		atStop(func() { os.RemoveAll(dir) })
	}
	return dir, err
}

// guard runs a server below a shell that ends it once nobody holds the shell's input.
func guard(dir, signal, binary string, args ...string) error {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	const script = `signal=$1; shift; "$@" & server=$!; read end; kill -$signal $server; wait $server`
	c := exec.Command("sh", append([]string{"-c", script, "sh", signal, binary}, args...)...)
	c.Dir, c.Stdout, c.Stderr = dir, log, log
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	if err := unprivileged(c, dir); err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	atStop(func() {
		in.Close()
		c.Wait()
	})
	return nil
}

// wait returns when a server answers.
func wait(dir string, ask func(context.Context) error) error {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			f, _ := os.Open(filepath.Join(dir, "log"))
			log, _ := io.ReadAll(f)
			return fmt.Errorf("it does not answer: %w: %s", err, log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
