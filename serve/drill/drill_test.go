package drill_test

import (
	"context"
	"log"
	"net"
	"os"
	"testing"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/drill"
	"github.com/foundling-lm/foundling/serve/servetest"
)

var talker *foundling.Model

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "drill")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if talker, err = servetest.Model(dir, servetest.Shape{Chat: true, Layers: 1, Width: 16}); err != nil {
		log.Fatal(err)
	}
	defer talker.Close()
	return m.Run()
}

func target(t *testing.T) *drill.Target {
	t.Helper()
	s, err := serve.New(serve.Options{Models: []serve.Model{{Name: "talker", Model: talker}}, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &drill.Target{URL: "http://" + l.Addr().String(), Model: "talker", Own: true, Patience: 5 * time.Minute} // the race detector takes its time
}

// The server refuses what is hostile and is the same afterwards.
func TestHostile(t *testing.T) {
	r, err := drill.Hostile(context.Background(), target(t), drill.HostileOptions{Requests: 600, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range r.Faults() {
		t.Error(fault)
	}
	for _, k := range r.Kinds {
		if k.Sent < 30 {
			t.Errorf("%s: %d sent", k.Name, k.Sent)
		}
	}
}

// A mixed load gets right answers and leaves nothing behind.
func TestSoak(t *testing.T) {
	r, err := drill.Soak(context.Background(), target(t), drill.SoakOptions{Duration: 3 * time.Second, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range r.Faults() {
		t.Error(fault)
	}
	if r.Right == 0 || r.Aborts == 0 || r.Hoax == 0 || len(r.Rows) != 10 {
		t.Errorf("%d right, %d aborts, %d garbage, %d rows", r.Right, r.Aborts, r.Hoax, len(r.Rows))
	}
}
