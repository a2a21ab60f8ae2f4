// Package generate turns models and prompts into streams of tokens. It knows
// token ids and their bytes, not tokenizers or chat formats.
//
// An Engine decodes many sequences at a time (continuous batching, Yu et al.
// 2022, Orca): sequences join and leave between steps, and one step of the model
// takes the next token of each that decodes and a chunk of the prompts of those
// that have just come. Keys and values lie in the pages of model/cache.
// Speculation guesses tokens ahead, which a step confirms or corrects; a Constraint
// says which may follow, and what it forces goes in as a chunk, like a prompt.
//
// The text of a sequence is a function of the model, the kernel set, the format
// of the cache, the prompt and the options: the same bits alone or among others,
// at any number of threads, with its prefix from the cache or computed, for any
// chunk, with coupled speculation or none. Choosing an id from logits is
// generate/sample, constraints of texts are made by generate/grammar.
package generate

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Config is the options of an Engine; the zero value decodes exactly, without a
// bound of memory and without speculation.
type Config struct {
	CacheFormat  string        // of keys and values: "f32", "f16", "bf16", "q8"; "" is exact (cache.Options)
	CacheBytes   int64         // bounds the memory of keys and values, of the draft model apart; 0: no bound
	Budget       *cache.Budget // of that memory, together with other engines; nil: CacheBytes
	PrefixTokens int           // tokens kept for later prompts that begin alike; 0: the model's context, at least 4096; negative: none
	Chunk        int           // tokens of prompts that one step takes at most; 0: 512. It changes no bit
	Beside       int           // the same while others take their next token, who wait for it; 0: 128, or Chunk if that is less
	Sequences    int           // that decode at a time, others wait; 0: 64
	Speculation  Speculation
}

const (
	defaultChunk     = 512
	defaultBeside    = 128
	defaultSequences = 64
	defaultPrefixes  = 4096 // tokens, at least
)

// Validate says which option is impossible.
func (c *Config) Validate() error {
	switch {
	case c.CacheBytes < 0:
		return fmt.Errorf("cache memory of %d bytes: it must be positive, or 0 for no bound", c.CacheBytes)
	case c.Chunk < 0:
		return fmt.Errorf("a chunk of %d prompt tokens: it must be positive, or 0 for %d", c.Chunk, defaultChunk)
	case c.Beside < 0:
		return fmt.Errorf("a chunk of %d prompt tokens beside others: it must be positive, or 0 for %d", c.Beside, defaultBeside)
	case c.Sequences < 0:
		return fmt.Errorf("%d sequences at a time: they must be positive, or 0 for %d", c.Sequences, defaultSequences)
	}
	if c.CacheFormat != "" {
		if _, err := tensor.ParseCacheFormat(c.CacheFormat); err != nil {
			return err
		}
	}
	return c.Speculation.validate()
}

// Engine decodes with one model. Its methods may be called from several
// goroutines: whoever waits for tokens runs the steps for all.
type Engine struct {
	*core
	adapter *adapter // that all sequences of this Engine take; nil: none
}

// core is what the engines of a model and of its adapters have in common.
type core struct {
	m      model.Model
	c      Config
	p      *op.Pass
	pool   *cache.Pool
	tokens [][]byte // bytes of each id; special tokens have none
	guess  guesser  // nil without speculation

	mu       sync.Mutex
	changed  *sync.Cond // some sequence has pieces, or a step ended
	stepping bool       // somebody runs a step, and owns what follows until it ends
	stuck    bool       // no step could be run, for want of sequences or of room for them, and nothing has changed since
	freed    bool       // another engine gave memory back since the last step began
	queue    []*sequence
	arrived  []*sequence // since the last step; guarded by mu alone
	running  []*sequence
	shares   shares
	step     step
	adapters uint64 // so far; guarded by mu alone
	delivery
}

// adapter is changes of the model's matrices, and their number in the cache.
type adapter struct {
	op.Changes
	number uint64
}

// New makes an engine of the zero Config. Tokens maps each id to its bytes; nil
// leaves Piece.Text empty and makes stop strings an error.
func New(b tensor.Backend, m model.Model, tokens [][]byte) *Engine {
	e, err := Open(b, m, tokens, Config{})
	if err != nil {
		panic("generate: " + err.Error()) // the zero Config is possible
	}
	return e
}

// Open makes an engine. Tokens are those of New.
func Open(b tensor.Backend, m model.Model, tokens [][]byte, c Config) (*Engine, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Chunk == 0 {
		c.Chunk = defaultChunk
	}
	if c.Beside == 0 {
		c.Beside = min(defaultBeside, c.Chunk)
	}
	if c.Sequences == 0 {
		c.Sequences = defaultSequences
	}
	if c.Speculation.Tokens == 0 {
		c.Speculation.Tokens = defaultGuesses
	}
	if c.PrefixTokens == 0 {
		c.PrefixTokens = max(m.Dims().Context, defaultPrefixes)
	}
	e := &Engine{core: &core{m: m, c: c, p: op.NewPass(b, op.Options{CachePacks: true}), tokens: tokens, shares: shares{}}}
	e.changed = sync.NewCond(&e.mu)
	e.patience = time.AfterFunc(time.Hour, e.impatient)
	e.patience.Stop()
	o := c.cache()
	o.Freed = e.room
	var err error
	if e.pool, err = model.NewCache(b, m, o); err != nil {
		return nil, err
	}
	e.step.batch = e.pool.NewBatch()
	if e.guess, err = newGuesser(b, m, &e.c); err != nil {
		return nil, err
	}
	return e, nil
}

func (c *Config) cache() cache.Options {
	return cache.Options{
		Format: c.CacheFormat, MaxBytes: c.CacheBytes, Budget: c.Budget, PrefixTokens: max(0, c.PrefixTokens),
		StepTokens: max(c.Chunk, c.Beside, c.Speculation.Tokens+1),
	}
}

// With is an engine of the same model whose sequences all take the changes of an
// adapter (lora.Adapter.Changes). Both decode in the same steps and share the memory of
// keys and values, but no prefixes. Close is for the first engine.
func (e *Engine) With(changes op.Changes) *Engine {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.adapters++
	return &Engine{core: e.core, adapter: &adapter{changes, e.adapters}}
}

// Close gives the engine's memory back. No sequence may be running.
func (e *Engine) Close() {
	if e.guess != nil {
		e.guess.close()
	}
	e.pool.Close()
	e.p.Close()
}

// CacheBytes is the memory that the keys and values of a sequence of so many
// tokens take.
func (e *Engine) CacheBytes(tokens int) int64 { return e.pool.Bytes(tokens) }

// PrefixHits is the number of prompt tokens that came from the cache so far.
func (e *Engine) PrefixHits() int64 {
	var n int64
	e.alone(func() { n = e.pool.PrefixHits() })
	return n
}

// Room is the most tokens, prompt included, that a sequence may have: those of the
// model's context, or fewer where the memory of keys and values holds fewer.
func (e *Engine) Room() int {
	context := e.m.Dims().Context
	return sort.Search(context, func(n int) bool { return e.pool.Check(n+1) != nil })
}

// Options say how to choose and when to stop.
type Options struct {
	Sample    sample.Options
	MaxTokens int      // at most so many new tokens; 0: until the context is full
	MinTokens int      // no StopIDs before so many new tokens, unless the constraint allows nothing else
	Budget    int      // new tokens of all texts of GenerateN together, shared out evenly; 0: no bound
	Stop      []string // ends before any of these; they may straddle tokens
	StopRegex string   // ends before the first match of this (Go's syntax), of at most 2048 bytes; "": none
	NoStop    NoStop   // from where on neither of these is looked for
	StopIDs   []int32  // ends at any of these ids, which are not part of the text
	// TimeLimit ends the text at the first step after so long, counted from the
	// call; 0: never. It is the one option with which the same seed may give a
	// shorter text.
	TimeLimit time.Duration
	Context   ContextPolicy // what happens when the model's context is full
	Stream    uint64        // number of this sequence among those that share the seed
	Key       string        // who asks: those who wait take turns by it
	// Constraint says which ids may follow; nil: all. The sequence works on a fork
	// of it, so that several may share these options.
	Constraint Constraint
	// LogProbs is how many of the most probable ids Piece.Detail lists; 0: no detail.
	LogProbs int
	// SkipBytes is how many bytes at the beginning of the text are not shown: the end
	// of a prompt that is written again, so that its border lies where a token's does
	// (grammar.Vocabulary.Heal).
	SkipBytes int
	// SkipBlank leaves out a space at the beginning of the text, which the tokenizer
	// puts before every text.
	SkipBlank bool
	// Spell is the text of ids that have none of their own: special tokens that are to be
	// read as text.
	Spell map[int32][]byte
	// FirstDraw is the number of new tokens that came before, where the prompt ends
	// with them: a sequence goes on as if it had never been interrupted. The
	// constraint must have accepted them.
	FirstDraw uint64
}

// NoStop is a text from which on nothing stops but the model: the beginning of a call
// of a function, say. What lies before it may stop, the text itself not as soon as it is
// whole.
type NoStop struct {
	From  string // "": there is none
	First bool   // it counts only where the whole text begins with it
}

// Piece is what one token adds. Text is whole UTF-8 characters as far as the
// tokens are UTF-8 at all; it can be empty while a character or a possible stop
// string is incomplete.
type Piece struct {
	ID      int32 // -1: no token, only the rest of the text
	Text    string
	LogProb float64   // natural log of the model's probability, before sampling options and constraint
	Forced  bool      // the constraint left no choice
	Detail  *Detail   // nil without Options.LogProbs
	Chosen  time.Time // when the token was drawn
}

// Why a generation ended.
const (
	FinishStop     = "stop"        // a stop id
	FinishString   = "stop_string" // a stop string, Result.Stopped
	FinishRegex    = "stop_regex"  // a match of StopRegex, Result.Stopped
	FinishComplete = "complete"    // the constraint allows nothing more but the end
	FinishLength   = "length"      // MaxTokens
	FinishBudget   = "budget"      // this text's share of Budget
	FinishContext  = "context"     // the model's context is full
	FinishTime     = "time"        // TimeLimit
	FinishCaller   = "caller"      // yield returned false
)

// ErrNoLogits reports a model whose logits are not numbers.
var ErrNoLogits = errors.New("the model gives no finite logits: its weights are broken (NaN or infinite)")

// Result is a finished generation.
type Result struct {
	IDs      []int32
	LogProbs []float64 // of each id, as in Piece
	Text     string
	Finish   string
	// StopID is the one of Options.StopIDs that ended the text, -1 for none, and
	// StopLogProb its log-probability: IDs and LogProbs are without it.
	StopID      int32
	StopLogProb float64
	Stopped     string    // what the text ended before, with FinishString and FinishRegex
	Cached      int       // tokens of the prompt that came from the cache
	Forced      int       // new tokens that the constraint left no choice about
	Shifted     int       // tokens that ContextShift left out
	Details     []*Detail // of each id, where Options.LogProbs asks for them
	Mu          float64   // what Mirostat remembers: Sample.MirostatMu of a sequence that goes on
	Speculated  Speculated
	Began       time.Time // when its prompt was first worked on: it waited until then
}

// Request is one of several sequences.
type Request struct {
	Prompt []int32
	Options
}

func (e *Engine) check(prompt []int32, o Options) error {
	d := e.m.Dims()
	switch {
	case len(prompt) == 0:
		return fmt.Errorf("the prompt is empty: give at least one token (a start token will do)")
	case len(prompt) >= d.Context:
		return fmt.Errorf("the prompt has %d tokens and the model's context is %d: shorten the prompt", len(prompt), d.Context)
	case o.LogProbs < 0:
		return fmt.Errorf("%d log-probabilities a token: they must be 0 (none) or more", o.LogProbs)
	case o.MaxTokens < 0:
		return fmt.Errorf("max tokens is %d: it must be positive, or 0 for no limit", o.MaxTokens)
	case o.MinTokens < 0:
		return fmt.Errorf("min tokens is %d: it must be positive, or 0 for none", o.MinTokens)
	case o.Budget < 0:
		return fmt.Errorf("a budget of %d tokens: it must be positive, or 0 for no bound", o.Budget)
	case o.SkipBytes < 0:
		return fmt.Errorf("%d bytes are not to be shown: they must be 0 or more", o.SkipBytes)
	case o.TimeLimit < 0:
		return fmt.Errorf("a time limit of %v: it must be positive, or 0 for none", o.TimeLimit)
	case !o.Context.known():
		return fmt.Errorf("context policy %q is unknown: %s, %s and %s are supported", o.Context, ContextStop, ContextFail, ContextShift)
	case o.Context == ContextShift && o.MaxTokens == 0 && o.Budget == 0:
		return fmt.Errorf("context policy %s needs max tokens: the text would never end", ContextShift)
	case o.StopRegex != "" && e.tokens == nil:
		return fmt.Errorf("a stop regex needs a tokenizer: this model has none")
	case len(o.Stop) > 0 && e.tokens == nil:
		return fmt.Errorf("stop strings need a tokenizer: this model has none")
	case slices.Contains(o.Stop, ""):
		return fmt.Errorf("a stop string is empty")
	}
	for i, id := range prompt {
		if id < 0 || int(id) >= d.Vocab {
			return fmt.Errorf("token %d of the prompt is id %d, outside the vocabulary of %d", i, id, d.Vocab)
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
