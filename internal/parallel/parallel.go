// Package parallel is the only place that starts compute goroutines.
//
// A Pool runs a fixed list of tasks on its workers. Which worker takes which
// task, and in what order, is left to the scheduler; callers make results
// independent of it by splitting work by shape (never by thread count) and by
// giving each task its own output. Sums across tasks are taken afterwards, in
// task order.
//
// A training step runs hundreds of lists, many of them shorter than it takes to
// wake a thread. So workers look for the next list for a moment before they
// sleep, and Run waits for tasks, never for a worker that has not woken up.
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
	spins   int        // looks before sleeping
	mu      sync.Mutex // one Run at a time
	sleep   []sleeper  // of the workers but the caller

	// The list that is running. Fn and tasks are read only after taking a task,
	// which Run then waits for.
	fn    func(task, worker int)
	tasks uint32

	// tickets is the number of the list in the upper half and of the tasks that
	// nobody has taken in the lower: a worker that comes late cannot take a task
	// of the next list for one of its own.
	tickets atomic.Uint64
	// left is the number of tasks that have not returned, plus asleep while Run
	// sleeps until there are none.
	left     atomic.Int64
	finished chan struct{}
}

// sleeper is where a worker sleeps.
type sleeper struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte // workers do not share a cache line
}

const asleep = 1 << 40

// spinRounds is how often a waiting goroutine looks before it sleeps, each time
// after pauses: some tens of microseconds, about what waking a thread takes.
const (
	spinRounds = 400
	pauses     = 4
)

// New starts a pool of the given number of threads; zero or less means
// runtime.GOMAXPROCS(0).
func New(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, sleep: make([]sleeper, threads-1), finished: make(chan struct{}, 1)}
	if threads <= runtime.GOMAXPROCS(0) {
		p.spins = spinRounds
	}
	for i := range p.sleep {
		p.sleep[i].wake = make(chan struct{}, 1)
		go p.work(i)
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
	list := uint32(p.tickets.Load()>>32) + 1
	p.fn, p.tasks = fn, uint32(tasks)
	p.left.Store(int64(tasks))
	p.tickets.Store(uint64(list)<<32 | uint64(tasks))
	for i := range min(p.threads, tasks) - 1 {
		if s := &p.sleep[i]; s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
			s.wake <- struct{}{}
		}
	}
	p.take(list, 0)
	p.wait()
	p.fn = nil
}

// take runs tasks of the list until none is left to take.
func (p *Pool) take(list uint32, worker int) {
	done := int64(0)
	for {
		v := p.tickets.Load()
		if uint32(v>>32) != list || uint32(v) == 0 {
			break
		}
		if p.tickets.CompareAndSwap(v, v-1) {
			p.fn(int(p.tasks-uint32(v)), worker)
			done++
		}
	}
	if done > 0 && p.left.Add(-done) == asleep {
		p.finished <- struct{}{}
	}
}

// wait returns when all tasks have.
func (p *Pool) wait() {
	for range p.spins {
		if p.left.Load() == 0 {
			return
		}
		pause(pauses)
	}
	if p.left.Add(asleep) != asleep {
		<-p.finished
	}
}

// work is the life of a worker: number i+1 for fn.
func (p *Pool) work(i int) {
	s, list := &p.sleep[i], uint32(0)
	for {
		next, ok := p.next(s, list)
		if !ok {
			return
		}
		list = next
		p.take(list, i+1)
	}
}

// next waits for a list after the given one; ok is false when the pool has been
// closed.
func (p *Pool) next(s *sleeper, list uint32) (next uint32, ok bool) {
	for range p.spins {
		if next = uint32(p.tickets.Load() >> 32); next != list {
			return next, true
		}
		pause(pauses)
	}
	s.asleep.Store(true)
	if next = uint32(p.tickets.Load() >> 32); next != list && s.asleep.CompareAndSwap(true, false) {
		return next, true
	}
	if _, ok = <-s.wake; !ok {
		return 0, false
	}
	return uint32(p.tickets.Load() >> 32), true
}

// Close stops the workers. The pool must not be used afterwards.
func (p *Pool) Close() {
	if p != nil {
		for i := range p.sleep {
			close(p.sleep[i].wake)
		}
	}
}
