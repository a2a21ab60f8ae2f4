// Package parallel is the only place that starts compute goroutines.
//
// A Pool runs a fixed list of tasks on its workers. Which worker takes which
// task, and in what order, is left to the scheduler; callers make results
// independent of it by splitting work by shape (never by thread count) and by
// giving each task its own output. Sums across tasks are taken afterwards, in
// task order.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Pool is a fixed number of workers. The goroutine that calls Run is one of
// them. A nil *Pool runs everything on the caller.
type Pool struct {
	threads int
	jobs    chan *job
	mu      sync.Mutex // one Run at a time
	job     job
}

type job struct {
	fn    func(task, worker int)
	tasks int64
	next  atomic.Int64
	wg    sync.WaitGroup
}

// New starts a pool of the given number of threads; zero or less means
// runtime.GOMAXPROCS(0).
func New(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, jobs: make(chan *job)}
	for w := 1; w < threads; w++ {
		go func() {
			for j := range p.jobs {
				j.run(w)
				j.wg.Done()
			}
		}()
	}
	return p
}

// Threads is the number of workers, at least 1.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// Run calls fn(task, worker) once for each task in [0, tasks) and returns when
// all calls have returned. Worker is in [0, Threads()) and no two calls with
// the same worker run at the same time, so it may index scratch memory. Run
// must not be called from inside fn.
func (p *Pool) Run(tasks int, fn func(task, worker int)) {
	if p == nil || p.threads == 1 || tasks <= 1 {
		for t := 0; t < tasks; t++ {
			fn(t, 0)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	j := &p.job
	j.fn, j.tasks = fn, int64(tasks)
	j.next.Store(0)
	helpers := min(p.threads, tasks) - 1
	j.wg.Add(helpers)
	for range helpers {
		p.jobs <- j
	}
	j.run(0)
	j.wg.Wait()
	j.fn = nil
}

func (j *job) run(worker int) {
	for {
		t := j.next.Add(1) - 1
		if t >= j.tasks {
			return
		}
		j.fn(int(t), worker)
	}
}

// Close stops the workers. The pool must not be used afterwards.
func (p *Pool) Close() {
	if p != nil {
		close(p.jobs)
	}
}
