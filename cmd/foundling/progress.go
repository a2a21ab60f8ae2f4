package main

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progressDelay is how long work stays silent.
const progressDelay = 2 * time.Second

// progress shows on a terminal how far long work has come. It writes to standard
// error, and nothing where that is no terminal.
type progress struct {
	label       atomic.Pointer[string]
	done, total atomic.Int64
	start       time.Time

	mu    sync.Mutex // of what follows
	timer *time.Timer
	p     *mpb.Progress
	bar   *mpb.Bar
}

// newProgress begins; Close must follow.
func newProgress(label string) *progress {
	p := &progress{start: time.Now()}
	p.label.Store(&label)
	if term.IsTerminal(int(os.Stderr.Fd())) {
		p.timer = time.AfterFunc(progressDelay, p.show)
	}
	return p
}

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil { // closed
		return
	}
	p.p = mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(40))
	p.bar = p.p.MustAdd(p.total.Load(), mpb.BarStyle().Build(), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return *p.label.Load() + " " })),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), decor.NewElapsed(decor.ET_STYLE_GO, p.start, decor.WC{W: 6})))
	p.bar.SetCurrent(p.done.Load())
}

// Set says what is being done and how much of it is done; a total of 0 is not
// known.
func (p *progress) Set(label string, done, total int64) {
	p.label.Store(&label)
	p.done.Store(done)
	p.total.Store(total)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.SetTotal(total, false)
		p.bar.SetCurrent(done)
	}
}

// Close takes the display away.
func (p *progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if p.bar != nil {
		p.bar.Abort(true)
		p.p.Wait()
		p.bar = nil
	}
}
