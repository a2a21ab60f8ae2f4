package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/plan/machine"
	"github.com/foundling-lm/foundling/raise"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/train"
)

// raiseWatch shows a raise as it goes.
type raiseWatch struct {
	p     *stages
	t     *training
	stage string
	what  string // of the bytes being counted
	peak  float64
}

// newRaiseWatch measures the machine's best rate, for the progress line.
func newRaiseWatch(ctx context.Context, b *cpu.Backend) *raiseWatch {
	w := &raiseWatch{p: newStages(os.Stderr)}
	set, precision, _ := strings.Cut(b.Kernels(), "+")
	peaks, err := machine.Measure(ctx, machine.Options{Kernels: set, Threads: b.Threads()})
	if err == nil {
		w.peak = peaks.F32.All
		if precision == "bf16" {
			w.peak = peaks.BF16.All
		}
	}
	return w
}

// watch is the functions that raise calls.
func (w *raiseWatch) watch() raise.Watch {
	return raise.Watch{
		Stage: func(name string, planned time.Duration) {
			w.stage, w.t, w.what = name, nil, ""
			fmt.Printf("%s ... (planned %s)\n", name, planned.Round(100*time.Millisecond))
		},
		Done: func(name string, planned, took time.Duration, what string) {
			w.p.end("")
			fmt.Printf("%s: %s (%.1f s, planned %.1f s)\n", name, what, took.Seconds(), planned.Seconds())
		},
		Say: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
		Bytes: func(what string, done, total int64) {
			if w.what != what {
				w.what = what
				w.p.stage(what, total)
			}
			w.p.set(done, "")
		},
		Tokens: func(done, total int) {
			if w.what != "learning" {
				w.what = "learning"
				w.p.stage("tokens", int64(total))
			}
			w.p.set(int64(done), "")
		},
		Step: func(stage string, m train.Metrics, steps int) {
			if w.t == nil {
				w.t = newTraining(w.p, stage, steps, w.peak)
			}
			w.t.step(m)
		},
	}
}
