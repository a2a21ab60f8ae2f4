package tokenizer

import (
	"container/heap"
	"context"
	"iter"
	"strings"

	"github.com/foundling-lm/foundling/internal/rng"
)

// samplePart is the size of the parts that a sample is made of.
const samplePart = 1 << 16

// sampled is a part of the text with its random priority.
type sampled struct {
	priority uint64
	text     string
}

// sampleHeap has the part of greatest priority on top.
type sampleHeap []sampled

func (h sampleHeap) Len() int           { return len(h) }
func (h sampleHeap) Less(i, j int) bool { return h[i].priority > h[j].priority }
func (h sampleHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *sampleHeap) Push(x any)        { *h = append(*h, x.(sampled)) }
func (h *sampleHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = sampled{}
	*h = (*h)[:len(*h)-1]
	return last
}

// sample reads all docs and returns at most limit bytes of them: the parts of
// least random priority, so that every part has the same chance. Text within
// the limit is returned whole.
func sample(ctx context.Context, docs iter.Seq[string], limit int64, seed uint64) (iter.Seq[string], error) {
	var kept sampleHeap
	var size int64
	var index uint64
	stream := rng.Stream("tokenizer sample")
	bound := ^uint64(0) // parts of this priority and above no longer fit
	for doc := range docs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for part := range parts(doc, samplePart) {
			priority := rng.Uint64(seed, stream, index)
			index++
			if priority >= bound {
				continue
			}
			part = part[:min(int64(len(part)), limit)] // a part without a place to cut
			if len(part) < len(doc) {
				part = strings.Clone(part)
			}
			heap.Push(&kept, sampled{priority, part})
			for size += int64(len(part)); size > limit; {
				out := heap.Pop(&kept).(sampled)
				size -= int64(len(out.text))
				bound = out.priority
			}
		}
	}
	return func(yield func(string) bool) {
		for _, s := range kept {
			if !yield(s.text) {
				return
			}
		}
	}, nil
}
