package pretrain

import (
	"os"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text/batch"
)

// random is one batch of random tokens, all trained.
func random(rows, context, vocab int) *batch.Batch {
	b := batch.New(rows, context)
	for i := range b.IDs {
		b.IDs[i] = int32(rng.Intn(1, 1, uint64(i), vocab))
		b.Targets[i] = int32(rng.Intn(1, 2, uint64(i), vocab))
		b.Pos[i], b.Start[i] = int32(i%context), 0
	}
	b.Trained = len(b.IDs)
	return b
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
