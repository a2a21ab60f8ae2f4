package kernel

import (
	"runtime"
	"unsafe"

	"github.com/edsrzf/mmap-go"
)

// Scratch is the working memory of products: packed operands and blocks of
// sums. It lies outside the Go heap, grows to what the largest product needed
// and is given back when the Scratch is no longer reachable. One product at a
// time may use it.
type Scratch struct {
	workers []*Scratch
	a, b, c memory
	job     gemmJob
	call    blockCall
	pack    func(task, worker int) // job.packTask and job.multiplyTask, bound once
	product func(task, worker int)

	blocks blockJob // products with weights in blocks
	panel  unpacked
	round  func(task, worker int) // roundTask and panelsTask
	panels func(task, worker int)
}

// NewScratch makes working memory for a pool of the given number of threads.
func NewScratch(threads int) *Scratch {
	s := newWorker()
	for range max(threads, 1) {
		s.workers = append(s.workers, newWorker())
	}
	return s
}

func newWorker() *Scratch {
	s := &Scratch{}
	s.job.scratch = s
	s.pack, s.product = s.packTask, s.multiplyTask
	s.round, s.panels = s.roundTask, s.panelsTask
	return s
}

// Worker is the part of worker i: a Scratch of its own for products that a pool
// task computes by itself.
func (s *Scratch) Worker(i int) *Scratch { return s.workers[i] }

// memory is bytes outside the Go heap, aligned to cache lines.
type memory struct {
	bytes   []byte
	cleanup runtime.Cleanup
}

// hugePage is the size of large pages, the unit in which memory grows.
const hugePage = 2 << 20

// need returns at least n bytes. What was in them before may be lost.
func (m *memory) need(n int) unsafe.Pointer {
	if n > len(m.bytes) {
		m.grow(n)
	}
	return unsafe.Pointer(unsafe.SliceData(m.bytes))
}

func (m *memory) grow(n int) {
	if m.bytes != nil {
		m.cleanup.Stop()
		unmap(m.bytes)
	}
	size := 64 << 10 // the first step is small: most scratches of workers stay so
	if n > size {
		size = roundUp(n+n/4, hugePage)
	}
	region, err := mmap.MapRegion(nil, size, mmap.COPY, mmap.ANON, 0)
	if err != nil {
		panic("kernel: out of memory for scratch: " + err.Error())
	}
	if size >= hugePage {
		adviseHuge(region)
	}
	m.bytes = region
	m.cleanup = runtime.AddCleanup(m, unmap, region)
}

func unmap(b mmap.MMap) { _ = b.Unmap() }
