package op

import (
	"slices"
	"sort"

	"github.com/foundling-lm/foundling/tensor"
)

// arena hands out blocks of backend memory and takes them back. A freed block
// serves a later request of its size or up to a quarter less, so a steady
// training step allocates nothing.
type arena struct {
	b     tensor.Backend
	free  []tensor.Memory // by size
	used  map[tensor.Memory]struct{}
	order []tensor.Memory // blocks in the order they were handed out since reset; may hold freed ones
	bytes int
}

// blockSize rounds requests up so that nearly equal shapes share blocks.
func blockSize(n int) int {
	if n < 4096 {
		return max(64, (n+63)&^63)
	}
	return (n + 4095) &^ 4095
}

func (a *arena) get(n int) tensor.Memory {
	n = blockSize(n)
	i := sort.Search(len(a.free), func(i int) bool { return a.free[i].Bytes() >= n })
	var m tensor.Memory
	if i < len(a.free) && a.free[i].Bytes() <= n+n/4 {
		m = a.free[i]
		a.free = slices.Delete(a.free, i, i+1)
	} else {
		m = a.b.Alloc(n)
		a.bytes += n
	}
	a.used[m] = struct{}{}
	a.order = append(a.order, m)
	return m
}

// put takes a block back; a block that is not in use is left alone.
func (a *arena) put(m tensor.Memory) {
	if _, ok := a.used[m]; !ok {
		return
	}
	delete(a.used, m)
	n := m.Bytes()
	i := sort.Search(len(a.free), func(i int) bool { return a.free[i].Bytes() >= n })
	a.free = slices.Insert(a.free, i, m)
}

func (a *arena) mark() int { return len(a.order) }

// release takes back the blocks handed out since the mark, except keep.
func (a *arena) release(mark int, keep tensor.Memory) {
	kept := false
	for _, m := range a.order[mark:] {
		if m == keep {
			kept = true
		} else {
			a.put(m)
		}
	}
	a.order = a.order[:mark]
	if kept {
		a.order = append(a.order, keep)
	}
}

func (a *arena) reset() {
	for _, m := range a.order {
		a.put(m)
	}
	clear(a.order)
	a.order = a.order[:0]
}

func (a *arena) close() {
	for _, m := range a.free {
		a.b.Release(m)
	}
	a.free, a.bytes = nil, 0
}
