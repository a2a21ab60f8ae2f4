package drill

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/foundling-lm/foundling/eval/report"
)

// KillOptions say how a server is started and how often it dies.
type KillOptions struct {
	Start    func() *exec.Cmd // a command that serves at the target's address
	Kills    int              // 0: 10
	Seed     uint64           // of the moments
	Progress func(done, total int)
}

// KillReport is what came of kill -9.
type KillReport struct {
	Ready  []time.Duration `json:"ready"`  // from each start to its first 200 of /ready
	Right  int             `json:"right"`  // answers of the load
	Wrong  []string        `json:"wrong"`  // faults
	Kept   int             `json:"kept"`   // acknowledged things that were found again
	Broken int             `json:"broken"` // requests that a kill cut off
}

// killed is a drill under way.
type killed struct {
	t *Target
	keeper
	questions []question

	mu sync.Mutex
	r  *KillReport
}

// Kill starts a server, loads it, kills it in the middle, and looks whether it comes
// back, says the same, and holds all that it had acknowledged.
func Kill(ctx context.Context, t *Target, o KillOptions) (*KillReport, error) {
	if o.Kills == 0 {
		o.Kills = 10
	}
	k := &killed{t: t, r: &KillReport{}}
	d := &draws{seed: o.Seed, stream: 1 << 32}
	for i := range o.Kills + 1 {
		cmd := o.Start()
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		err := k.round(ctx, cmd, d, i == o.Kills)
		cmd.Process.Kill() // SIGKILL: nothing is written down on the way out
		cmd.Wait()
		t.http().CloseIdleConnections()
		if err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(i+1, o.Kills+1)
		}
	}
	return k.r, nil
}

// startTime is how long a server may take to load its model.
const startTime = time.Minute

// round is one life of the server; in the last one nothing is killed.
func (k *killed) round(ctx context.Context, cmd *exec.Cmd, d *draws, last bool) error {
	soon, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	took, err := k.t.Ready(soon)
	if err != nil {
		return err
	}
	k.r.Ready = append(k.r.Ready, took)
	if k.questions == nil {
		if k.questions, err = k.t.questions(ctx, 8); err != nil {
			return err
		}
	}
	kept, lost, err := k.keeper.check(ctx, k.t)
	if err != nil {
		return err
	}
	k.r.Kept += kept
	k.r.Wrong = append(k.r.Wrong, lost...)
	for _, q := range k.questions {
		k.ask(ctx, q, false)
	}
	if last || ctx.Err() != nil {
		return ctx.Err()
	}
	load, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for i := range 6 {
		own := &draws{seed: d.uint64(), stream: uint64(i)}
		wg.Go(func() {
			for load.Err() == nil {
				if own.below(3) == 0 {
					k.keeper.keep(load, k.t)
				} else {
					k.ask(load, one(own, k.questions), true)
				}
			}
		})
	}
	time.Sleep(time.Duration(100+d.below(900)) * time.Millisecond)
	err = cmd.Process.Kill()
	stop()
	wg.Wait()
	return err
}

// ask checks an answer; dying says that the server may go in the middle of it.
func (k *killed) ask(ctx context.Context, q question, dying bool) {
	got, err := k.t.ask(ctx, q)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err != nil && dying:
		k.r.Broken++
	case err != nil:
		k.r.Wrong = append(k.r.Wrong, err.Error())
	case got != q.want:
		k.r.Wrong = append(k.r.Wrong, fmt.Sprintf("%s says %q, before the kill %q", q.path, got, q.want))
	default:
		k.r.Right++
	}
}

// Faults are all that went wrong.
func (r *KillReport) Faults() []string { return r.Wrong }

// Table is the drill as text.
func (r *KillReport) Table() report.Table {
	times := slices.Clone(r.Ready)
	slices.Sort(times)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d.Microseconds())/1e3) }
	return report.Table{
		Title:   "Kill -9",
		Note:    "Ready: from the start of the process to the first 200 of /ready, the model read.",
		Columns: []report.Column{report.Right("kills"), report.Right("ready, median ms"), report.Right("slowest ms"), report.Right("right answers"), report.Right("cut off"), report.Right("kept"), report.Right("wrong or lost")},
		Rows: []report.Row{{Cells: []string{
			fmt.Sprint(len(r.Ready) - 1), ms(times[len(times)/2]), ms(times[len(times)-1]), fmt.Sprint(r.Right), fmt.Sprint(r.Broken), fmt.Sprint(r.Kept), fmt.Sprint(len(r.Wrong)),
		}}},
	}
}
