package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The command serves models by their names until it is told to end.
func TestServeCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := saveModel(dir, true); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a free port
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := serveCmd{Model: []string{dir, "again=" + dir}, Addr: addr, Queue: 4, Drain: time.Minute}
	c.Quiet, c.SpeculateTokens, c.SpeculateMode = true, 4, "coupled"
	c.Database, c.FactsPerKey, c.VotesPerKey = filepath.Join(t.TempDir(), "serve.db"), 10, 10
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	// The port listens before the models are read: the request waits.
	var r *http.Response
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if r, err = http.Get("http://" + addr + "/v1/models"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil || !strings.Contains(string(body), `"id":"tiny"`) || !strings.Contains(string(body), `"id":"again"`) {
		t.Errorf("models: %s, %v", body, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
