package tokenizer

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/foundling-lm/foundling/internal/parallel"
)

// TrainOptions says how to train. The zero value is the documented default.
type TrainOptions struct {
	// VocabSize is the number of tokens, bytes and special tokens included; 0
	// means 8192. Training stops earlier where no pair is left.
	VocabSize int
	// Pattern cuts text into pieces: "gpt2", or "gpt4" (cl100k) and the other
	// names in patterns; "" means "gpt4".
	Pattern string
	// Special tokens take the last ids, in this order. They are cut out of the
	// text before counting.
	Special []string
	// Threads that count pieces; 0 means one per processor. The result does not
	// depend on it.
	Threads int
	// MinFrequency is the least number of times that a pair must occur in the
	// text to be merged; 0 means 2.
	MinFrequency int
	// MaxBytes bounds the text that is counted: of more, a random sample of
	// parts of about 64 KiB is taken, a function of Seed and the order of the
	// documents. 0 means all text. The sample is held in memory.
	MaxBytes int64
	Seed     uint64
	// Progress is called from Train's goroutine with the number of tokens
	// learned and wanted; nil is allowed.
	Progress func(done, total int)
}

// Validate names the first impossible option.
func (o TrainOptions) Validate() error {
	_, _, err := o.resolve()
	return err
}

// resolve fills in the defaults and checks the options.
func (o TrainOptions) resolve() (TrainOptions, *pattern, error) {
	if o.VocabSize == 0 {
		o.VocabSize = 8192
	}
	if o.Pattern == "" {
		o.Pattern = "gpt4"
	}
	if o.MinFrequency == 0 {
		o.MinFrequency = 2
	}
	p, err := findPattern(o.Pattern)
	if err != nil {
		return o, nil, err
	}
	if err := checkSpecial(o.Special); err != nil {
		return o, nil, err
	}
	if p.splitter.rule == splitWhole {
		return o, nil, fmt.Errorf("pattern %q does not cut text: choose gpt2 or gpt4", p.name)
	}
	switch least := 256 + len(o.Special); {
	case o.VocabSize < least:
		return o, nil, fmt.Errorf("vocabulary size %d is too small: 256 bytes and %d special tokens need %d", o.VocabSize, len(o.Special), least)
	case o.VocabSize > 1<<24:
		return o, nil, fmt.Errorf("vocabulary size %d is too large: at most %d", o.VocabSize, 1<<24)
	case o.MinFrequency < 0:
		return o, nil, fmt.Errorf("minimum frequency %d is negative", o.MinFrequency)
	case o.MaxBytes < 0:
		return o, nil, fmt.Errorf("byte limit %d is negative", o.MaxBytes)
	}
	return o, p, nil
}

// Train learns a byte-level BPE vocabulary from docs: the pair of neighbouring
// tokens that occurs most often becomes a token, again and again (Sennrich et
// al. 2016, algorithm 1). Of equally frequent pairs the one whose bytes are
// greater comes first, comparing left tokens, then right ones. The same
// documents give the same vocabulary on every machine. It returns ctx.Err()
// when ctx ends.
func Train(ctx context.Context, docs iter.Seq[string], o TrainOptions) (*Tokenizer, error) {
	o, p, err := o.resolve()
	if err != nil {
		return nil, fmt.Errorf("tokenizer training: %w", err)
	}
	if o.Progress == nil {
		o.Progress = func(done, total int) {}
	}
	o.Progress(0, o.VocabSize)
	if o.MaxBytes > 0 {
		if docs, err = sample(ctx, docs, o.MaxBytes, o.Seed); err != nil {
			return nil, err
		}
	}
	words, err := countPieces(ctx, docs, o, p)
	if err != nil {
		return nil, err
	}
	l, err := newLearner(words)
	if err != nil {
		return nil, err
	}
	want := o.VocabSize - 256 - len(o.Special)
	for step := 0; len(l.tokens)-256 < want; step++ {
		if step%64 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			o.Progress(len(l.tokens), o.VocabSize)
		}
		if !l.step(int64(o.MinFrequency)) {
			break
		}
	}
	t, err := assemble(l.tokens[256:], l.rules, false, p.name, o.Special)
	if err == nil {
		o.Progress(o.VocabSize, o.VocabSize)
	}
	return t, err
}

// taskBytes is the text that one task counts, batchBytes what is read before
// the tasks run.
const (
	taskBytes  = 1 << 18
	batchBytes = 32 * taskBytes
)

// pieceCounts counts pieces: index finds the place in counts.
type pieceCounts struct {
	index  map[string]int32
	pieces []string
	counts []int64
}

func (c *pieceCounts) add(piece string, n int64) {
	if at, ok := c.index[piece]; ok {
		c.counts[at] += n
		return
	}
	piece = strings.Clone(piece) // do not keep the document alive
	c.index[piece] = int32(len(c.pieces))
	c.pieces = append(c.pieces, piece)
	c.counts = append(c.counts, n)
}

// countPieces counts the pieces of all documents. Each worker has a table of
// its own; they are added up at the end, so the order of pieces depends on the
// schedule but nothing after this does.
func countPieces(ctx context.Context, docs iter.Seq[string], o TrainOptions, p *pattern) (*pieceCounts, error) {
	pool := parallel.New(o.Threads)
	defer pool.Close()
	split := p.splitter
	split.classes = classes()
	added := make([]addedToken, len(o.Special))
	for i, content := range o.Special {
		added[i].Content = content
	}
	special := newMatcher(added, func(*addedToken) bool { return true })
	tables := make([]*pieceCounts, pool.Threads())
	for w := range tables {
		tables[w] = &pieceCounts{index: map[string]int32{}}
	}
	var tasks []string
	size := 0
	run := func() error {
		pool.Run(len(tasks), func(task, worker int) {
			text, c := tasks[task], tables[worker]
			for i := 0; i < len(text); {
				end := split.next(text, i)
				c.add(text[i:end], 1)
				i = end
			}
		})
		tasks, size = tasks[:0], 0
		return ctx.Err()
	}
	for doc := range docs {
		for rest := doc; rest != ""; {
			segment, after := rest, ""
			if from, to, _, ok := special.next(rest, 0); ok {
				segment, after = rest[:from], rest[to:]
			}
			for part := range parts(segment, taskBytes) {
				tasks = append(tasks, part)
				if size += len(part); size >= batchBytes {
					if err := run(); err != nil {
						return nil, err
					}
				}
			}
			rest = after
		}
	}
	if err := run(); err != nil {
		return nil, err
	}
	sum := tables[0]
	for _, c := range tables[1:] {
		for i, piece := range c.pieces {
			sum.add(piece, c.counts[i])
		}
	}
	return sum, nil
}

// parts cuts text into parts of about size bytes such that the pieces of the
// parts are those of the text: it cuts before a single space between two
// ASCII letters. No pattern has a piece that holds a space after a letter, and
// none looks behind; only "whole" would, which Train refuses.
func parts(text string, size int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(text) > size {
			cut := cutBefore(text, size)
			if !yield(text[:cut]) {
				return
			}
			text = text[cut:]
		}
		if text != "" {
			yield(text)
		}
	}
}

// cutBefore returns the first place at or after from where text may be cut.
func cutBefore(text string, from int) int {
	for i := from; ; i++ {
		skip := strings.IndexByte(text[min(i, len(text)):], ' ')
		if skip < 0 {
			return len(text)
		}
		i += skip
		if i > 0 && i+1 < len(text) && asciiLetter(text[i-1]) && asciiLetter(text[i+1]) {
			return i
		}
	}
}

func asciiLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
