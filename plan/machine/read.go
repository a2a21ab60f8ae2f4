package machine

import (
	"unsafe"

	mmap "github.com/edsrzf/mmap-go"

	"github.com/foundling-lm/foundling/internal/parallel"
)

// A read of readBytes leaves little of it in the last cache, which on servers
// holds more than 100 MiB.
const (
	readBytes   = 512 << 20
	readLeast   = 64 << 20
	readStreams = 4    // interleaved in each part: one alone leaves memory idle between its prefetches
	readChunk   = 4096 // bytes of a stream at a time
	pageBytes   = 4096
)

// read measures the bytes a second that come from memory through the kernel
// set's sums, using at most an eighth of the available memory.
func (m *meter) read(available int64) Rate {
	size := int64(readBytes)
	if available > 0 {
		size = min(size, available/8)
	}
	parts := m.pool.Threads()
	unit := int64(parts * readStreams * readChunk)
	if size = size / unit * unit; size < readLeast {
		return Rate{}
	}
	region, err := mmap.MapRegion(nil, int(size), mmap.COPY, mmap.ANON, 0)
	if err != nil {
		return Rate{} // no memory to measure with: the figure stays unknown
	}
	defer region.Unmap()
	adviseHuge(region)
	part := int(size) / parts
	m.pool.Run(parts, func(task, _ int) {
		for i := task * part; i < (task+1)*part; i += pageBytes {
			region[i] = 1 // pages never written all read the same zeros, from the cache
		}
	})
	values := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(region))), len(region)/4)
	return m.both(func(pool *parallel.Pool) float64 {
		return m.best(float64(size), func() {
			pool.Run(parts, func(task, _ int) { m.stream(values[task*part/4 : (task+1)*part/4]) })
		})
	})
}

// stream reads x as readStreams streams side by side.
func (m *meter) stream(x []float32) {
	const chunk = readChunk / 4
	lane := len(x) / readStreams
	for i := 0; i < lane; i += chunk {
		for s := 0; s < readStreams; s += 2 {
			m.set.Dot(x[s*lane+i:][:chunk], x[(s+1)*lane+i:][:chunk])
		}
	}
}
