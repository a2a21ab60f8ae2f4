package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/foundling-lm/foundling/plan/machine"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// stages shows how far the stages of a long run are, one after the other: a bar
// on a terminal, elsewhere a line every few seconds.
type stages struct {
	w     io.Writer
	bars  *mpb.Progress
	bar   *mpb.Bar
	every time.Duration

	name  string
	total int64
	last  time.Time
	text  string
}

// newStages shows progress on f.
func newStages(f *os.File) *stages {
	p := &stages{w: f, every: 3 * time.Second}
	if term.IsTerminal(int(f.Fd())) {
		p.bars = mpb.New(mpb.WithOutput(f), mpb.WithWidth(28))
	}
	return p
}

// stage begins a stage of the given size; 0: not known.
func (p *stages) stage(name string, total int64) {
	p.end("")
	p.name, p.total, p.text, p.last = name, total, "", time.Now()
	if p.bars == nil {
		return
	}
	p.bar = p.bars.New(max(1, total), mpb.BarStyle(),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.text })))
}

// set says how much of the stage is done, and what else to show.
func (p *stages) set(done int64, text string) {
	if p.name == "" {
		return
	}
	if p.bar != nil {
		p.text = text
		p.bar.SetCurrent(min(done, max(1, p.total)-1)) // end completes it
		return
	}
	if now := time.Now(); now.Sub(p.last) >= p.every {
		p.last = now
		share := ""
		if p.total > 0 {
			share = fmt.Sprintf(" %3d %%", done*100/p.total)
		}
		fmt.Fprintln(p.w, strings.TrimRight(p.name+share+"  "+text, " "))
	}
}

// note says what is being done within a step of the stage.
func (p *stages) note(text string) {
	if p.name == "" {
		return
	}
	if p.bar != nil {
		p.text = text
		return
	}
	if now := time.Now(); now.Sub(p.last) >= p.every {
		p.last = now
		fmt.Fprintln(p.w, p.name+"  "+text)
	}
}

// end closes the stage with a line.
func (p *stages) end(text string) {
	if p.name == "" {
		return
	}
	if p.bar != nil {
		p.text = text
		p.bar.SetTotal(-1, true)
		p.bar.Wait()
		p.bar = nil
	} else if text != "" {
		fmt.Fprintln(p.w, p.name+"  "+text)
	}
	p.name = ""
}

// close ends all output; a stage that was not ended stays as it is.
func (p *stages) close() {
	if p.bar != nil {
		p.bar.Abort(false)
		p.bar.Wait()
	}
	p.bar, p.name = nil, ""
	if p.bars != nil {
		p.bars.Wait()
	}
}

// training shows the steps of a run.
type training struct {
	p     *stages
	steps int
	done  int
	peak  float64 // FLOP/s of this machine at its best; 0: not known
	unit  string  // of what the loss is a mean over; "": tokens

	began        time.Time
	first        int // step at which this process began
	rate         float64
	flops        float64
	loss         float64
	valLoss, bpb float64
	rewarded     string // of the last rollout
}

// newTraining begins a stage of so many steps.
func newTraining(p *stages, name string, steps int, peak float64) *training {
	p.stage(name, int64(steps))
	return &training{p: p, steps: steps, peak: peak, first: -1, began: time.Now()}
}

// step shows one step.
func (t *training) step(m train.Metrics) {
	if t.first < 0 {
		t.first, t.began = m.Step-1, time.Now().Add(-time.Duration(m.Seconds*float64(time.Second)))
		t.loss, t.rate, t.flops = m.Loss, m.TokensPerSecond, m.FLOPs
	}
	t.done = m.Step
	t.loss += 0.1 * (m.Loss - t.loss)
	t.rate += 0.1 * (m.TokensPerSecond - t.rate)
	t.flops += 0.1 * (m.FLOPs - t.flops)
	if m.ValLoss > 0 {
		t.valLoss, t.bpb = m.ValLoss, m.ValBPB
	}
	t.p.set(int64(m.Step), t.line(m))
}

// line is the state of the run in one line.
func (t *training) line(m train.Metrics) string {
	var s strings.Builder
	fmt.Fprintf(&s, "step %d/%d  loss %.3f", m.Step, t.steps, t.loss)
	if x, ok := m.Extra[posttrain.Scores]; ok {
		t.rewarded = fmt.Sprintf("  score %.3f", x)
		if kl, ok := m.Extra[posttrain.ObjectiveKL]; ok {
			t.rewarded += fmt.Sprintf("  KL %.3g", kl)
		}
	}
	s.WriteString(t.rewarded)
	if t.valLoss > 0 {
		fmt.Fprintf(&s, "  val %.3f nats/token", t.valLoss)
		if t.bpb > 0 { // demonstrations are not measured in bytes
			fmt.Fprintf(&s, " %.3f bpb", t.bpb)
		}
	}
	fmt.Fprintf(&s, "  %s%s/s  %sFLOP/s", amount(t.rate), cmp.Or(t.unit, "tok"), amount(t.flops))
	if t.peak > 0 {
		fmt.Fprintf(&s, " (%.0f %% of peak)", 100*t.flops/t.peak)
	}
	if m.Skipped != "" {
		fmt.Fprintf(&s, "  skipped: %s", m.Skipped)
	}
	perStep := time.Since(t.began).Seconds() / float64(m.Step-t.first)
	left := time.Duration(perStep * float64(t.steps-m.Step) * float64(time.Second))
	fmt.Fprintf(&s, "  ETA %s", left.Round(time.Second))
	return s.String()
}

// summary is what the run was, in one line.
func (t *training) summary() string {
	return fmt.Sprintf("%d steps in %s  loss %.3f", t.done, time.Since(t.began).Round(time.Second), t.loss)
}

// amount writes a number with three digits and a unit prefix.
func amount(x float64) string {
	for _, u := range []struct {
		at   float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if x >= u.at {
			return fmt.Sprintf("%.3g %s", x/u.at, u.name)
		}
	}
	return fmt.Sprintf("%.3g ", x)
}

// peakRateOf measures what this machine can multiply a second, for a moment.
func peakRateOf(ctx context.Context, b *cpu.Backend) (float64, error) {
	set, precision := computes(b)
	p, err := machine.Measure(ctx, machine.Options{Kernels: set, Threads: b.Threads(), Each: 50 * time.Millisecond})
	if precision == "bf16" {
		return p.BF16.All, err
	}
	return p.F32.All, err
}
