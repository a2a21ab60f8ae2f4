package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/foundling-lm/foundling/plan/machine"
)

func TestDoctor(t *testing.T) {
	c := doctorCmd{JSON: true, Dir: t.TempDir()}
	out := stdout(t, func() error { return c.Run(context.Background()) })
	var d diagnosis
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	if d.Chosen != d.Kernels[0] || d.Peaks.Kernels != d.Chosen || d.Peaks.F32.One <= 0 {
		t.Errorf("diagnosis %+v", d)
	}
	var text bytes.Buffer
	d.print(&text)
	for _, want := range []string{"processor ", "tiles ", d.Chosen + " (chosen", "GFLOP/s on one thread", "advice "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("text lacks %q:\n%s", want, text.String())
		}
	}
}

func TestAdvice(t *testing.T) {
	good := diagnosis{
		Machine: machine.Machine{Cores: 1 << 20, Kernels: []string{"amx", "purego"}, Memory: machine.Memory{Total: 1 << 35, Available: 1 << 34}},
		Chosen:  "amx", DiskFree: 1 << 40,
	}
	for _, c := range []struct {
		name   string
		change func(*diagnosis)
		want   string // part of the only advice; "" for none
	}{
		{"all is well", func(*diagnosis) {}, ""},
		{"old system", func(d *diagnosis) {
			d.Tiles = machine.Tiles{Processor: true, Refused: syscall.EINVAL.Error()}
		}, "Linux 5.16"},
		{"virtual machine", func(d *diagnosis) {
			d.Tiles = machine.Tiles{Processor: true, Refused: syscall.EOPNOTSUPP.Error()}
		}, "XCR0"},
		{"seccomp", func(d *diagnosis) {
			d.Tiles = machine.Tiles{Processor: true, Refused: syscall.EPERM.Error()}
		}, "seccomp"},
		{"plain build", func(d *diagnosis) {
			d.Kernels, d.Chosen, d.Build = []string{"purego"}, "purego", "go1.26 -tags purego"
		}, "tag purego"},
		{"slower set", func(d *diagnosis) { d.Chosen = "purego" }, "--kernels purego"},
		{"few cores", func(d *diagnosis) { d.Cores = 0 }, "GOMAXPROCS"},
		{"busy", func(d *diagnosis) {
			d.Peaks = machine.Peaks{Threads: 2, F32: machine.Rate{One: 1e9, All: 1e9}}
		}, "other programs"},
		{"little memory", func(d *diagnosis) { d.Memory.Available = 1 << 30 }, "memory"},
		{"little disk", func(d *diagnosis) { d.DiskFree = 1 << 20 }, "disk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := good
			c.change(&d)
			d.advise()
			switch {
			case c.want == "" && len(d.Advice) > 0:
				t.Errorf("advice %q, want none", d.Advice)
			case c.want != "" && (len(d.Advice) != 1 || !strings.Contains(d.Advice[0], c.want)):
				t.Errorf("advice %q, want one with %q", d.Advice, c.want)
			}
		})
	}
}
