package drill_test

import (
	"context"
	"log"
	"net"
	"os"
	"runtime"
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

// A mixed load gets right answers and leaves nothing behind, in memory neither. On a slow
// machine it takes longer until all has happened.
func TestSoak(t *testing.T) {
	at := target(t)
	before := live()
	for long := 3 * time.Second; ; long *= 2 {
		r, err := drill.Soak(context.Background(), at, drill.SoakOptions{Duration: long, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range r.Faults() {
			t.Error(fault)
		}
		if r.Right > 0 && r.Aborts > 0 && r.Hoax > 0 && len(r.Rows) == 10 {
			break
		}
		if long > maxSoak {
			t.Fatalf("in %v %d right, %d aborts, %d garbage, %d rows", long, r.Right, r.Aborts, r.Hoax, len(r.Rows))
		}
	}
	if after := live(); after > before+32<<20 {
		t.Errorf("%d bytes are held after the load, %d before", after, before)
	}
}

const maxSoak = time.Minute

// live is what the heap holds.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers let go
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Memory that stays up is a leak, a large request at a time is none.
func TestGrown(t *testing.T) {
	row := func(minutes, megabytes int) drill.SoakRow {
		return drill.SoakRow{At: time.Duration(minutes) * time.Minute, Resident: float64(megabytes << 20)}
	}
	for _, c := range []struct {
		name   string
		memory []int
		faults int
	}{
		{"steady", []int{20, 60, 80, 90, 85, 80, 90, 85, 95, 90}, 0},
		{"noisy", []int{20, 60, 80, 90, 85, 80, 90, 185, 95, 190}, 0},
		{"growing", []int{20, 60, 80, 90, 100, 110, 120, 150, 160, 170}, 1},
	} {
		r := &drill.SoakReport{}
		for i, m := range c.memory {
			r.Rows = append(r.Rows, row(i+1, m))
		}
		if got := r.Grown(); len(got) != c.faults {
			t.Errorf("%s: %q, want %d faults", c.name, got, c.faults)
		}
	}
}
