// Package generate turns a model and a prompt into a stream of tokens: prefill
// in blocks, then one token at a time over the cache. It knows token ids and
// their bytes, not tokenizers or chat formats.
//
// The text is a function of the model, the kernel set, the prompt and the
// options, whatever the number of threads. Choosing an id from logits is
// generate/sample.
package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// prefillBlock is how many prompt tokens go through the model at a time. It
// bounds memory and changes no bit of the result.
const prefillBlock = 256

// Engine decodes with one model. It serves one sequence at a time.
type Engine struct {
	m      model.Model
	p      *op.Pass
	tokens [][]byte // bytes of each id; special tokens have none
}

// New makes an engine. Tokens maps each id to its bytes; nil leaves Piece.Text
// empty and makes stop strings an error.
func New(b tensor.Backend, m model.Model, tokens [][]byte) *Engine {
	return &Engine{m: m, p: op.NewPass(b, op.Options{CachePacks: true}), tokens: tokens}
}

// Close gives the engine's memory back.
func (e *Engine) Close() { e.p.Close() }

// Options say how to choose and when to stop.
type Options struct {
	Sample    sample.Options
	MaxTokens int      // at most so many new tokens; 0: until the context is full
	Stop      []string // ends before any of these; they may straddle tokens
	StopIDs   []int32  // ends at any of these ids, which are not part of the text
	Stream    uint64   // number of this sequence among those that share the seed
}

// Piece is what one token adds. Text is whole UTF-8 characters as far as the
// tokens are UTF-8 at all; it can be empty while a character or a possible stop
// string is incomplete.
type Piece struct {
	ID      int32
	Text    string
	LogProb float64 // natural log of the model's probability, before sampling options
}

// Why a generation ended.
const (
	FinishStop    = "stop"    // a stop id or stop string
	FinishLength  = "length"  // MaxTokens
	FinishContext = "context" // the model's context is full
	FinishCaller  = "caller"  // yield returned false
)

// ErrNoLogits reports a model whose logits are not numbers.
var ErrNoLogits = errors.New("the model gives no finite logits: its weights are broken (NaN or infinite)")

// Result is a finished generation.
type Result struct {
	IDs    []int32
	Text   string
	Finish string
}

// Generate continues prompt and calls yield for every new token until a stop
// rule holds, yield returns false or ctx ends (its error is returned with what
// was generated). A prompt that fills the context is an error.
func (e *Engine) Generate(ctx context.Context, prompt []int32, o Options, yield func(Piece) bool) (*Result, error) {
	sampler, err := sample.New(o.Sample)
	if err != nil {
		return nil, err
	}
	context := e.m.Dims().Context
	if err := e.check(prompt, o, context); err != nil {
		return nil, err
	}
	limit := context - len(prompt)
	full := FinishContext
	if o.MaxTokens > 0 && o.MaxTokens <= limit {
		limit, full = o.MaxTokens, FinishLength
	}
	kv := model.NewCache(e.p, e.m, len(prompt)+limit)
	defer kv.Close()
	logits := e.prefill(prompt, kv)
	r := &Result{Finish: full}
	text := holdback{stops: o.Stop}
	emit := func(id int32, lp float64, s string) bool {
		r.Text += s
		return yield == nil || yield(Piece{id, s, lp})
	}
	for i := range limit {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		id := sampler.Sample(logits, o.Stream, uint64(i))
		if id < 0 {
			return r, ErrNoLogits
		}
		if slices.Contains(o.StopIDs, id) {
			r.Finish = FinishStop
			break
		}
		r.IDs = append(r.IDs, id)
		lp := sample.LogProb(logits, id)
		s, stopped := text.push(e.bytes(id))
		if !emit(id, lp, s) {
			r.Finish = FinishCaller
			return r, nil
		}
		if stopped {
			r.Finish = FinishStop
			return r, nil
		}
		if i+1 < limit {
			logits = e.forward([]int32{id}, kv)
		}
	}
	if rest := text.flush(); rest != "" {
		emit(-1, 0, rest)
	}
	return r, nil
}

func (e *Engine) check(prompt []int32, o Options, context int) error {
	vocab := e.m.Dims().Vocab
	switch {
	case len(prompt) == 0:
		return fmt.Errorf("the prompt is empty: give at least one token (a start token will do)")
	case len(prompt) >= context:
		return fmt.Errorf("the prompt has %d tokens and the model's context is %d: shorten the prompt", len(prompt), context)
	case o.MaxTokens < 0:
		return fmt.Errorf("max tokens is %d: it must be positive, or 0 for no limit", o.MaxTokens)
	case len(o.Stop) > 0 && e.tokens == nil:
		return fmt.Errorf("stop strings need a tokenizer: this model has none")
	case slices.Contains(o.Stop, ""):
		return fmt.Errorf("a stop string is empty")
	}
	for i, id := range prompt {
		if id < 0 || int(id) >= vocab {
			return fmt.Errorf("token %d of the prompt is id %d, outside the vocabulary of %d", i, id, vocab)
		}
	}
	return nil
}

func (e *Engine) bytes(id int32) []byte {
	if int(id) >= len(e.tokens) {
		return nil
	}
	return e.tokens[id]
}

// prefill runs the prompt and returns the logits after its last token.
func (e *Engine) prefill(prompt []int32, kv *cache.KV) []float32 {
	for len(prompt) > prefillBlock {
		e.hidden(prompt[:prefillBlock], kv)
		e.p.Reset()
		prompt = prompt[prefillBlock:]
	}
	return e.forward(prompt, kv)
}

func (e *Engine) hidden(ids []int32, kv *cache.KV) *op.Value {
	return e.m.Hidden(e.p, &model.Input{
		B: 1, T: len(ids), IDs: ids, Pos: model.Positions(kv.Len(), len(ids)), Cache: kv,
	})
}

// forward runs the next tokens and returns the logits after the last one.
func (e *Engine) forward(ids []int32, kv *cache.KV) []float32 {
	h := e.hidden(ids, kv)
	last := &op.Value{T: h.T.RowRange(h.T.Rows-1, h.T.Rows)}
	logits := e.p.Host(model.Logits(e.p, e.m, last).T)
	e.p.Reset()
	return logits
}

// holdback releases text only when no stop string can begin in it and no
// character is cut in two.
type holdback struct {
	stops   []string
	pending []byte
}

// push adds a token's bytes and returns what may be shown; stopped says that a
// stop string is complete, the text before it being the last to show.
func (h *holdback) push(b []byte) (show string, stopped bool) {
	h.pending = append(h.pending, b...)
	cut := -1
	for _, s := range h.stops {
		if i := bytes.Index(h.pending, []byte(s)); i >= 0 && (cut < 0 || i < cut) {
			cut = i
		}
	}
	if cut >= 0 {
		show = string(h.pending[:cut])
		h.pending = nil
		return show, true
	}
	keep := incomplete(h.pending)
	for _, s := range h.stops {
		for n := min(len(s)-1, len(h.pending)); n > keep; n-- {
			if bytes.HasSuffix(h.pending, []byte(s[:n])) {
				keep = n
			}
		}
	}
	n := len(h.pending) - keep
	show = string(h.pending[:n])
	h.pending = append(h.pending[:0], h.pending[n:]...)
	return show, false
}

// flush is what is left when nothing more can come.
func (h *holdback) flush() string {
	s := string(h.pending)
	h.pending = nil
	return s
}

// incomplete is the length of a cut-off UTF-8 character at the end of b.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return n
			}
			return 0
		}
	}
	return 0
}
