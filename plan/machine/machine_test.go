package machine

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestDescribe(t *testing.T) {
	m := Describe()
	if m.Cores != runtime.GOMAXPROCS(0) || m.System != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("%d cores of %s, want %d of %s/%s", m.Cores, m.System, runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH)
	}
	if !slices.Contains(m.Kernels, "purego") {
		t.Errorf("kernel sets %v lack purego", m.Kernels)
	}
	if m.Tiles.Permitted != slices.Contains(m.Features, "amx-bf16") {
		t.Errorf("tiles %+v, features %v", m.Tiles, m.Features)
	}
	if runtime.GOOS == "linux" && !(m.Memory.Total > 64<<20 && m.Memory.Available > 0 && m.Memory.Available <= m.Memory.Total) {
		t.Errorf("memory %+v", m.Memory)
	}
	if _, err := json.Marshal(m); err != nil {
		t.Error(err)
	}
}

func TestMeasure(t *testing.T) {
	p, err := Measure(context.Background(), Options{Each: 20 * time.Millisecond, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]Rate{"f32": p.F32, "bf16": p.BF16} {
		// Plain Go under the race detector still makes some 10 MFLOP/s.
		for threads, x := range map[string]float64{"one": r.One, "all": r.All} {
			if !(x > 1e6 && x < 1e15) {
				t.Errorf("%s on %s thread(s): %g FLOP/s", name, threads, x)
			}
		}
	}
	if p.Read != (Rate{}) && !(p.Read.One > 1e7 && p.Read.All < 1e13) {
		t.Errorf("read %g and %g bytes/s", p.Read.One, p.Read.All)
	}
	if p.Threads != 2 || math.IsNaN(p.F32.One) {
		t.Errorf("%+v", p)
	}
}

func TestMeasureErrors(t *testing.T) {
	if _, err := Measure(context.Background(), Options{Kernels: "abacus"}); err == nil {
		t.Error("no error for an unknown kernel set")
	}
	if _, err := Measure(context.Background(), Options{Threads: -1}); err == nil {
		t.Error("no error for -1 threads")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Measure(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want Canceled", err)
	}
}

func TestPeakMemory(t *testing.T) {
	if !ResetPeak() {
		t.Skip("this system cannot reset the peak")
	}
	before := PeakMemory()
	const size = 64 << 20
	x := make([]byte, size)
	for i := 0; i < size; i += os.Getpagesize() {
		x[i] = 1
	}
	grown := PeakMemory() - before
	if grown < size*3/4 || grown > 2*size {
		t.Errorf("peak grew by %d bytes after %d were written", grown, size)
	}
	runtime.KeepAlive(x)
}

func TestDiskFree(t *testing.T) {
	if n, ok := DiskFree(t.TempDir()); ok && n <= 0 {
		t.Errorf("%d bytes free, and yet a directory was made", n)
	}
	if _, ok := DiskFree("no/such/path"); ok {
		t.Error("a path that does not exist has free space")
	}
}
