// Package foundling runs language models inside a Go program. Open reads a model
// directory or a GGUF file, Generate and Chat stream text, Score and Embed look at
// given text:
//
//	m, err := foundling.Open("run1", foundling.Options{})
//	if err != nil { ... }
//	defer m.Close()
//	for piece, err := range m.Generate(ctx, "Once upon a time", foundling.Decoding{}) {
//		if err != nil { ... }
//		fmt.Print(piece.Text)
//	}
//
// A Model may be used by several goroutines: their sequences are decoded in one
// batch. The same seed gives the same text, whatever runs beside it and on any
// number of threads.
//
// Not here: training (train, raise), token ids and batches of them (generate, at
// Model.Engine), flags and files of results (cmd/foundling).
package foundling

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/plan/machine"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/chat"
)

// Options say how a model is opened; the zero value computes exactly on all
// processors.
type Options struct {
	Threads   int    // compute threads; 0: all processors. Results do not depend on it
	Kernels   string // kernel set; "": the best of this machine (tensor/cpu)
	Precision string // of products: "f32", "bf16"; "": f32

	Adapter string // directory of a LoRA in PEFT's layout that is added to the model; "": none

	CacheFormat string        // of keys and values: "f32", "f16", "bf16", "q8"; "": exact
	CacheBytes  int64         // bounds their memory; 0: nine tenths of what is free once the weights are read
	Budget      *cache.Budget // of that memory, which several models share; nil: CacheBytes

	// Speculate is "ngram" or the path of a smaller model with the same vocabulary;
	// "": no speculation. It makes generation faster and changes no bit of the text.
	Speculate       string
	SpeculateTokens int  // guesses a step; 0: 4
	Rejection       bool // speculation by rejection sampling: the same distribution, not the same text
}

// Decoding says how text is made; the zero value follows the model's
// generation_config.json and else samples at temperature 0.8.
type Decoding struct {
	Temperature *float64 // 0 takes the most probable token; nil: the model's, else 0.8
	TopK        *int     // nil: the model's, else all
	TopP        *float64 // nil: the model's, else all
	MinP        *float64 // nil: the model's, else all
	TypicalP    *float64 // nil: the model's, else all
	// RepeatPenalty is the factor of tokens that occurred; nil: the model's, which looks
	// at the whole text unless Chain.RepeatLastN says otherwise, else none.
	RepeatPenalty *float64
	Seed          uint64 // the same seed gives the same text
	// Chain is the other steps of the sampling chain and their order; of its fields
	// those above are not looked at. What the model wishes gives way to it: no top-k
	// with Mirostat, no step that Chain.Samplers leaves out.
	Chain     sample.Options
	Stream    uint64   // number of this text among those that share the seed
	MaxTokens int      // 0: until the context is full
	MinTokens int      // the model does not end the text before so many tokens
	Stop      []string // ends before any of these
	StopRegex string   // ends before the first match of this, in Go's syntax
	// TimeLimit ends the text after so long. With it, the same seed may give a
	// shorter text.
	TimeLimit time.Duration
	Context   ContextPolicy // what happens when the model's context is full
	Grammar   *Grammar      // what the text must be, of this model; nil: free
	// Heal writes the last tokens of the prompt again where a longer token could
	// replace them.
	Heal bool
	// Result is filled in when the text has ended, where it is not nil: why it did,
	// its ids and their log-probabilities, what was left out of a full context.
	Result *generate.Result
}

// ContextPolicy is what happens to a text that fills the model's context.
type ContextPolicy = generate.ContextPolicy

// The policies; "" is ContextStop.
const (
	ContextStop  = generate.ContextStop  // it ends
	ContextFail  = generate.ContextFail  // it ends with a *generate.ContextError
	ContextShift = generate.ContextShift // it goes on without the older half of what is behind the prompt
)

const defaultTemperature = 0.8

// Message is one turn of a conversation; the roles are "system", "user" and
// "assistant".
type Message = chat.Message

// Piece is what one token adds to a text.
type Piece = generate.Piece

// Model is an opened model. Its fields are for programs that work with token ids.
type Model struct {
	Bundle  *bundle.Bundle
	Backend *cpu.Backend
	Engine  *generate.Engine

	draft   *bundle.Bundle // nil without a draft model
	adapter *lora.Adapter  // nil: none
	base    *Model         // whose weights it shares; nil: they are its own

	vocabs sync.Map // *laidOut by the ids that count as text, of grammars
	types  sync.Map // *Grammar by reflect.Type, of GenerateInto
}

// Open reads a model directory or a GGUF file.
func Open(path string, o Options) (*Model, error) {
	if o.Precision == "" {
		o.Precision = "f32" // what the weights say, on every machine
	}
	b, err := cpu.New(cpu.Options{Threads: o.Threads, Kernels: o.Kernels, Precision: o.Precision})
	if err != nil {
		return nil, err
	}
	m, err := open(b, path, o)
	if err != nil {
		b.Close()
		return nil, err
	}
	return m, nil
}

func open(b *cpu.Backend, path string, o Options) (_ *Model, err error) {
	m := &Model{Backend: b}
	defer func() {
		if err != nil {
			m.release()
		}
	}()
	if m.Bundle, err = bundle.OpenStored(b, path); err != nil {
		return nil, err
	}
	if o.Adapter != "" {
		if m.adapter, err = m.Bundle.Adapt(b, o.Adapter); err != nil {
			return nil, fmt.Errorf("adapter: %w", err)
		}
	}
	c := generate.Config{CacheFormat: o.CacheFormat, CacheBytes: o.CacheBytes, Budget: o.Budget}
	c.Speculation = generate.Speculation{NGram: o.Speculate == "ngram", Tokens: o.SpeculateTokens, Rejection: o.Rejection}
	if o.Speculate != "" && o.Speculate != "ngram" {
		if m.draft, err = bundle.OpenStored(b, o.Speculate); err != nil {
			return nil, fmt.Errorf("draft model: %w", err)
		}
		c.Speculation.Draft = m.draft.Model
	}
	if c.CacheBytes == 0 && c.Budget == nil {
		c.CacheBytes = machine.Describe().Memory.Available / 10 * 9
	}
	if m.Engine, err = generate.Open(b, m.Bundle.Model, m.Bundle.TokenBytes(), c); err != nil {
		return nil, err
	}
	return m, nil
}

// With is the model with the adapter in dir (LoRA in PEFT's layout) for its own texts: m
// goes on as it is, and both decode in the same steps. It must be closed before m.
func (m *Model) With(dir string) (*Model, error) {
	if m.base != nil {
		m = m.base
	}
	var z *bundle.Bundle
	var a *lora.Adapter
	var err error
	m.Engine.Between(func(*op.Pass) { z, a, err = m.Bundle.Adapted(m.Backend, dir) }) // the backend serves one at a time
	if err != nil {
		return nil, fmt.Errorf("adapter: %w", err)
	}
	return &Model{Bundle: z, Backend: m.Backend, Engine: m.Engine.With(a.Changes()), adapter: a, base: m}, nil
}

// Shares says whether both have the same weights, of which With made one.
func (m *Model) Shares(other *Model) bool {
	owner := func(m *Model) *Model {
		if m.base != nil {
			return m.base
		}
		return m
	}
	return owner(m) == owner(other)
}

// Close gives the model's memory and threads back; those that it shares stay.
func (m *Model) Close() {
	if m.base != nil {
		m.base.Engine.Between(func(*op.Pass) { m.adapter.Detach() }) // as With
		return
	}
	m.Engine.Close()
	m.release()
	m.Backend.Close()
}

// release gives the weights back.
func (m *Model) release() {
	if m.adapter != nil {
		m.adapter.Detach()
	}
	for _, z := range []*bundle.Bundle{m.Bundle, m.draft} {
		if z == nil {
			continue
		}
		for _, w := range z.Model.Params() {
			w.Changed() // packed copies
			m.Backend.Release(w.T.Mem)
		}
	}
}

// Options joins what d leaves open with the model's own defaults.
func (m *Model) Options(d Decoding) generate.Options {
	g := m.Bundle.Generation
	s := d.Chain
	s.Seed = d.Seed
	runs := func(step string) bool { return s.Samplers == nil || slices.Contains(s.Samplers, step) }
	truncates := func(step string) bool { return s.Mirostat == 0 && runs(step) }
	s.TopK = wished(d.TopK, truncates(sample.StepTopK), g.TopK)
	s.TopP = wished(d.TopP, truncates(sample.StepTopP), g.TopP)
	s.MinP = wished(d.MinP, truncates(sample.StepMinP), g.MinP)
	s.TypicalP = wished(d.TypicalP, truncates(sample.StepTypicalP), g.TypicalP)
	s.RepeatPenalty = wished(d.RepeatPenalty, runs(sample.StepPenalties), g.RepetitionPenalty)
	if d.RepeatPenalty == nil && s.RepeatPenalty != 0 && s.RepeatPenalty != 1 && s.RepeatLastN == 0 {
		s.RepeatLastN = -1 // as the file's own library looks at it
	}
	temperature := g.Temperature
	if !(temperature > 0) {
		temperature = defaultTemperature
	}
	if !runs(sample.StepTemperature) {
		temperature = 1
	}
	s.Temperature = wished(d.Temperature, true, temperature)
	o := generate.Options{
		Sample: s, MaxTokens: d.MaxTokens, MinTokens: d.MinTokens, StopIDs: g.EOS, Stop: d.Stop, StopRegex: d.StopRegex,
		TimeLimit: d.TimeLimit, Context: d.Context, Stream: d.Stream,
	}
	if d.Grammar != nil {
		d.Grammar.within(&o)
	}
	return o
}

// wished is what the caller says, else what the model wishes where that may be.
func wished[N int | float64](said *N, may bool, model N) N {
	switch {
	case said != nil:
		return *said
	case may:
		return model
	}
	return 0
}

// Generate continues a text; an empty one starts where documents start. An error
// is the last thing that the iterator gives.
func (m *Model) Generate(ctx context.Context, prompt string, d Decoding) iter.Seq2[Piece, error] {
	return m.stream(ctx, d, m.Options(d), func() ([]int32, error) { return m.Bundle.TextPrompt(prompt) })
}

// Chat answers the last message of a conversation, on which the model must have
// been trained. Where it is too long for the context its oldest turns are left
// out.
func (m *Model) Chat(ctx context.Context, messages []Message, d Decoding) iter.Seq2[Piece, error] {
	o := m.Options(d)
	o.StopIDs = m.Bundle.Stops()
	return m.stream(ctx, d, o, func() ([]int32, error) {
		room := max(1, m.Bundle.Model.Dims().Context/4)
		if d.MaxTokens > 0 {
			room = min(room, d.MaxTokens)
		}
		ids, _, err := m.Bundle.ChatPrompt(messages, room)
		return ids, err
	})
}

func (m *Model) stream(ctx context.Context, d Decoding, o generate.Options, prompt func() ([]int32, error)) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		ids, err := prompt()
		if err == nil {
			ids, err = m.Begin(ids, d, &o)
		}
		stopped := false
		if err == nil {
			var r *generate.Result
			r, err = m.Engine.Generate(ctx, ids, o, func(p Piece) bool {
				stopped = !yield(p, nil)
				return !stopped
			})
			d.report(r)
		}
		if err != nil && !stopped {
			yield(Piece{ID: -1}, err)
		}
	}
}

// report fills in Result.
func (d *Decoding) report(r *generate.Result) {
	if d.Result != nil && r != nil {
		*d.Result = *r
	}
}

// Score is the natural log-probabilities of the tokens of a text, each given what
// is before it. The first has one only where the model has a token that texts
// start with.
type Score struct {
	IDs      []int32 // of the tokens that have a probability
	LogProbs []float64
}

// Score looks at one text.
func (m *Model) Score(ctx context.Context, text string) (*Score, error) {
	ids, err := m.Bundle.TextPrompt(text)
	if err != nil {
		return nil, err
	}
	s, err := m.Engine.ScoreAll(ctx, [][]int32{ids}, 0)
	if err != nil {
		return nil, err
	}
	return &Score{ids[1:], s[0].LogProbs}, nil
}

// Pooling is how the hidden states of a text become one vector.
type Pooling = generate.Pooling

// The poolings.
const (
	PoolMean = generate.PoolMean // of all tokens
	PoolLast = generate.PoolLast // of the last token
)

// Embed turns texts into vectors of the model's width; they are not normalised.
func (m *Model) Embed(ctx context.Context, texts []string, pool Pooling) ([][]float32, error) {
	if pool != PoolMean && pool != PoolLast {
		return nil, fmt.Errorf("pooling %q is unknown: %s and %s are supported", pool, PoolMean, PoolLast)
	}
	ids := make([][]int32, len(texts))
	for i, text := range texts {
		var err error
		if ids[i], err = m.Bundle.TextPrompt(text); err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
	}
	return m.Engine.Embed(ctx, ids, pool)
}
