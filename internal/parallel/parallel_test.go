package parallel

import (
	"sync/atomic"
	"testing"
	"time"
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

// TestRunManyLists runs short lists without and with gaps, in which workers fall
// asleep: no task of one list runs in another, and Run waits for all of them.
func TestRunManyLists(t *testing.T) {
	for _, threads := range []int{2, 3, 8} {
		p := New(threads)
		for list := range 3000 {
			tasks := 1 + list%7
			var sum atomic.Int64
			p.Run(tasks, func(task, _ int) { sum.Add(int64(list*10 + task)) })
			if got, want := sum.Load(), int64(tasks*list*10+tasks*(tasks-1)/2); got != want {
				t.Fatalf("%d threads, list %d of %d tasks: got sum %d, want %d", threads, list, tasks, got, want)
			}
			if list%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		p.Close()
	}
}

func BenchmarkRun(b *testing.B) {
	p := New(2)
	defer p.Close()
	for b.Loop() {
		p.Run(2, func(int, int) {})
	}
}
