package parallel

import (
	"sync/atomic"
	"testing"
)

func TestRunCallsEachTaskOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := New(threads)
		for _, tasks := range []int{0, 1, 2, 7, 1000} {
			calls := make([]atomic.Int32, tasks)
			busy := make([]atomic.Int32, p.Threads())
			p.Run(tasks, func(task, worker int) {
				if busy[worker].Add(1) != 1 {
					t.Error("two tasks share a worker")
				}
				calls[task].Add(1)
				busy[worker].Add(-1)
			})
			for i := range calls {
				if n := calls[i].Load(); n != 1 {
					t.Errorf("%d threads, %d tasks: task %d ran %d times", threads, tasks, i, n)
				}
			}
		}
		p.Close()
	}
}

func TestNilPoolRunsOnTheCaller(t *testing.T) {
	var p *Pool
	sum := 0
	p.Run(5, func(task, worker int) { sum += task + worker })
	if sum != 10 || p.Threads() != 1 {
		t.Errorf("sum %d, %d threads", sum, p.Threads())
	}
	p.Close()
}
