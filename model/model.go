// Package model says what a language model is to the rest of the program: token
// ids in, hidden states out, and an unembedding that turns hidden states into
// logits where they are wanted.
//
// One architecture is one package below (gpt2, llama, ...), made of the layers
// in nn; zoo finds it by name. Not here: text (ids only), decoding (generate),
// learning (train).
package model

import (
	"strings"

	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Model is one network of some family. One definition serves training,
// inference and export.
type Model interface {
	// Family is the model_type of config.json: "gpt2", "llama".
	Family() string
	Dims() Dims
	// Config is the model's config.json, to be encoded as JSON.
	Config() any
	// Params are all parameters in the order of the network.
	Params() []*op.Param
	// Hidden runs all layers and the final norm and returns (B*T, C). With a
	// cache it also advances it.
	Hidden(p *op.Pass, in *Input) *op.Value
	// Unembedding is (V,C); it may be the embedding itself.
	Unembedding() *op.Param
}

// Dims are the sizes that other packages need to know.
type Dims struct {
	Layers, Width, Heads, KVHeads, HeadDim, FF, Vocab, Context int

	LogitCap float64 // logits are soft-capped at it; 0: they are not

	Experts, ExpertsPerToken int // of a mixture; 0: none
}

// Windowed is a Model some of whose layers see a limited number of tokens back.
type Windowed interface {
	// Windows is that number for each layer, the token itself included; 0: no limit.
	Windows() []int
}

// Input is one forward pass: over B sequences of T tokens, or with a Cache over a
// ragged batch, the next tokens of some sequences, one sequence after another.
type Input struct {
	B, T    int // 1 and all rows with a Cache
	IDs     []int32
	Pos     []int32      // position of each token in its document
	Start   []int32      // first key of its row that a token may see; nil: 0. Not with a Cache
	Cache   *cache.Batch // what was before; nil: nothing
	Dropout float64      // probability, in training
	Seed    uint64       // of the dropout masks
	Step    uint64       // of the dropout masks: different in every forward pass
	Balance *Balance     // nil: the load of experts is not balanced
	Noise   float64      // of the tokens' embeddings in training: alpha of NEFTune; 0: none

	// Observe, if not nil, is shown the queries (rows, H*D), keys and values
	// (rows, K*D) of each layer as attention takes them. They are not valid later.
	Observe func(layer int, a *tensor.Attention, q, k, v *tensor.Tensor)
}

// Balance asks a mixture of experts for the gradient of its load-balancing loss,
// and hears it.
type Balance struct {
	Weight float64   // of this pass in the step
	Losses []float64 // of the layers that have experts, 1 where the load is even
}

// Logits turns hidden states of m (N,C) into logits (N,V), Wide.
func Logits(p *op.Pass, m Model, h *op.Value) *op.Value {
	l := op.Logits(p, h, m.Unembedding())
	if limit := m.Dims().LogitCap; limit != 0 {
		l = op.SoftCap(p, l, limit)
	}
	return l
}

// Loss is op.Loss of hidden states of m under its unembedding.
func Loss(p *op.Pass, m Model, h *op.Value, targets []int32, o op.CrossEntropy) []float64 {
	o.LogitCap = m.Dims().LogitCap
	return op.Loss(p, h, m.Unembedding(), targets, o)
}

// Positions returns from, from+1, ..., n of them.
func Positions(from, n int) []int32 {
	p := make([]int32, n)
	for i := range p {
		p[i] = int32(from + i)
	}
	return p
}

// NewCache makes a pool of pages for sequences of m; o's sizes are filled in.
func NewCache(b tensor.Backend, m Model, o cache.Options) (*cache.Pool, error) {
	d := m.Dims()
	o.Layers, o.KVHeads, o.HeadDim = d.Layers, d.KVHeads, d.HeadDim
	if w, ok := m.(Windowed); ok {
		o.Windows = w.Windows()
	}
	return cache.New(b, o)
}

// Count is the number of parameters of m.
func Count(m Model) int {
	n := 0
	for _, w := range m.Params() {
		n += w.Len()
	}
	return n
}

// Active is the number of parameters that one token uses: all but those of the
// experts that it does not visit.
func Active(m Model) int {
	n, d := Count(m), m.Dims()
	if d.Experts == 0 {
		return n
	}
	experts := 0
	for _, w := range m.Params() {
		if strings.Contains(w.Name, ".experts.") {
			experts += w.Len()
		}
	}
	return n - experts/d.Experts*(d.Experts-d.ExpertsPerToken) // they are of one size
}
