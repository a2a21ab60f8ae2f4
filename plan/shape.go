// Package plan answers before a run what it will take and what it should be:
// parameters, FLOP, memory and cache from a configuration alone, the loss that
// published scaling laws expect, and the size and tokens that are best for a
// time on a machine (Choose).
//
// All functions are pure: nothing is measured and no file is read here. N
// counts all parameters of a model, embeddings included and a tied embedding
// once, as Hoffmann et al. 2022 count them. Kaplan et al. 2020 leave
// embeddings out; that, at small sizes, explains most of the difference
// between the two laws (Pearce & Song 2024, arXiv 2406.12907), and small
// models are what is planned here.
package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Shape is the sizes of a decoder-only transformer of one of the families.
type Shape struct {
	Family  string `json:"family"`   // model_type of config.json: see Families
	Layers  int    `json:"layers"`   // L
	Width   int    `json:"width"`    // C
	Heads   int    `json:"heads"`    // H
	KVHeads int    `json:"kv_heads"` // K; 0 means H
	HeadDim int    `json:"head_dim"` // D; 0 means C/H
	FF      int    `json:"ff"`       // F, of dense MLPs
	Vocab   int    `json:"vocab"`    // V
	Context int    `json:"context"`  // tokens; learned positions of gpt2
	Tied    bool   `json:"tied"`     // the unembedding is the embedding; gpt2 always is

	QKVBias bool `json:"qkv_bias,omitempty"` // biases of query, key, value; Qwen 2 always has them
	OutBias bool `json:"out_bias,omitempty"` // llama only: bias of the attention's output (attention_bias sets both)
	MLPBias bool `json:"mlp_bias,omitempty"` // llama only

	// Mixtures of experts. Zeros mean what zoo makes of a new model: 8 experts, 2
	// of them for a token, together as wide as FF.
	Experts         int `json:"experts,omitempty"`           // E, in a layer
	ExpertsPerToken int `json:"experts_per_token,omitempty"` // of a token
	ExpertFF        int `json:"expert_ff,omitempty"`         // inner width of one
	SharedFF        int `json:"shared_ff,omitempty"`         // of the shared expert, qwen2_moe
	DenseLayers     int `json:"dense_layers,omitempty"`      // layers with a dense MLP instead
}

// traits are what tells the families apart where parameters are counted.
type traits struct {
	norms             int  // of width C in a layer
	headNorms         bool // of queries and keys, as wide as a head
	rowNorms          bool // of queries and keys, over the whole row
	qkvBias, fused    bool // fused: one matrix for q, k, v and one for gate and up
	mixture, shared   bool
	scaled            bool // embeddings are multiplied by a number
	postNorms         bool // norms of what the blocks give
	layerNorm, biases bool // GPT-2
}

var families = map[string]traits{
	"gpt2":        {norms: 2, layerNorm: true, biases: true},
	"llama":       {norms: 2},
	"mistral":     {norms: 2},
	"qwen2":       {norms: 2, qkvBias: true},
	"qwen3":       {norms: 2, headNorms: true},
	"gemma2":      {norms: 4, postNorms: true, scaled: true},
	"gemma3_text": {norms: 4, postNorms: true, scaled: true, headNorms: true},
	"phi3":        {norms: 2, fused: true},
	"olmo2":       {norms: 2, postNorms: true, rowNorms: true},
	"mixtral":     {norms: 2, mixture: true},
	"qwen2_moe":   {norms: 2, qkvBias: true, mixture: true, shared: true},
	"qwen3_moe":   {norms: 2, headNorms: true, mixture: true},
}

// Families are the families that can be planned, sorted.
func Families() []string { return slices.Sorted(maps.Keys(families)) }

// DefaultFF is the usual inner width of an MLP: 4C for GPT-2, and as many
// parameters with three matrices, 8C/3 rounded up to 32, for the others.
func DefaultFF(family string, width int) int {
	if families[family].biases {
		return 4 * width
	}
	return (width*8/3 + 31) / 32 * 32
}

// Mixture says that the family has experts.
func (s Shape) Mixture() bool { return families[s.Family].mixture }

// filled replaces the zeros that mean something.
func (s Shape) filled() Shape {
	if s.KVHeads == 0 {
		s.KVHeads = s.Heads
	}
	if s.HeadDim == 0 && s.Heads > 0 {
		s.HeadDim = s.Width / s.Heads
	}
	f := families[s.Family]
	if s.Family == "gpt2" {
		s.Tied = true
	}
	s.QKVBias = s.QKVBias || f.qkvBias
	if !f.mixture {
		return s
	}
	s.Experts, s.ExpertsPerToken = cmp.Or(s.Experts, 8), cmp.Or(s.ExpertsPerToken, 2)
	s.ExpertsPerToken = min(s.ExpertsPerToken, s.Experts)
	part := func(n int) int { return max(1, (s.FF/n+7)/8*8) }
	if f.shared {
		s.SharedFF = cmp.Or(s.SharedFF, part(2))
		s.ExpertFF = cmp.Or(s.ExpertFF, part(2*s.ExpertsPerToken))
	}
	s.ExpertFF = cmp.Or(s.ExpertFF, part(s.ExpertsPerToken))
	return s
}

// Validate says which size is impossible and what it may be.
func (s Shape) Validate() error {
	if _, ok := families[s.Family]; !ok {
		return fmt.Errorf("plan: family %q is unknown: %s are planned", s.Family, strings.Join(Families(), ", "))
	}
	for _, k := range []struct {
		name  string
		value int
	}{
		{"layers", s.Layers}, {"width", s.Width}, {"heads", s.Heads}, {"feed-forward width", s.FF},
		{"vocabulary", s.Vocab}, {"context", s.Context},
	} {
		if k.value <= 0 {
			return fmt.Errorf("plan: %s is %d: it must be positive", k.name, k.value)
		}
	}
	if s.HeadDim < 0 || s.HeadDim == 0 && s.Width%s.Heads != 0 {
		return fmt.Errorf("plan: %d heads do not divide width %d: give a head width or other heads", s.Heads, s.Width)
	}
	f := s.filled()
	if f.KVHeads < 0 || f.Heads%f.KVHeads != 0 {
		return fmt.Errorf("plan: %d key/value heads do not divide %d heads", s.KVHeads, s.Heads)
	}
	if s.Family == "gpt2" && (f.KVHeads != f.Heads || f.HeadDim*f.Heads != f.Width || s.QKVBias || s.OutBias || s.MLPBias) {
		return fmt.Errorf("plan: gpt2 has as many key/value heads as heads, heads that fill its width, and always biases: %+v", s)
	}
	if s.Experts < 0 || s.ExpertsPerToken < 0 || s.ExpertFF < 0 || s.SharedFF < 0 || s.DenseLayers < 0 || s.DenseLayers > s.Layers {
		return fmt.Errorf("plan: %d experts, %d for a token, of width %d, %d dense layers: none may be negative, nor more layers than there are",
			s.Experts, s.ExpertsPerToken, s.ExpertFF, s.DenseLayers)
	}
	if !s.Mixture() && s.Experts != 0 {
		return fmt.Errorf("plan: %s has no experts, %d are asked for", s.Family, s.Experts)
	}
	return nil
}

// Counts are numbers of parameters by part.
type Counts struct {
	Embedding   int64 `json:"embedding"`        // V*C
	Positions   int64 `json:"positions"`        // learned positions, gpt2
	Attention   int64 `json:"attention"`        // all layers, biases included
	MLP         int64 `json:"mlp"`              // all layers, biases included
	Norms       int64 `json:"norms"`            // all layers and the last norm
	Unembedding int64 `json:"unembedding"`      // 0 where tied
	Router      int64 `json:"router,omitempty"` // of experts, gates of shared ones included
	Total       int64 `json:"total"`            // N
	Active      int64 `json:"active"`           // of them used for one token: all but the experts it does not visit
	Matrices    int64 `json:"matrices"`         // weights a token is multiplied with in the layers; no biases, no embeddings
}

// NonEmbedding is Kaplan's N: without embedding, positions and unembedding.
func (c Counts) NonEmbedding() int64 { return c.Attention + c.MLP + c.Norms + c.Router }

// Count gives the exact parameters of a valid shape.
func (s Shape) Count() Counts {
	f, ok := families[s.Family]
	if !ok {
		panic(fmt.Sprintf("plan: family %q", s.Family))
	}
	s = s.filled()
	C, L := int64(s.Width), int64(s.Layers)
	q, kv := int64(s.Heads*s.HeadDim), int64(s.KVHeads*s.HeadDim)
	attention := C*(q+2*kv) + q*C
	c := Counts{Embedding: int64(s.Vocab) * C, Attention: L * attention, Norms: (L*int64(f.norms) + 1) * C}
	if !s.Tied {
		c.Unembedding = c.Embedding
	}
	if f.layerNorm { // a shift beside each scale, and learned positions
		c.Norms *= 2
		c.Positions = int64(s.Context) * C
	}
	if s.QKVBias || f.biases {
		c.Attention += L * (q + 2*kv)
	}
	if s.OutBias || f.biases {
		c.Attention += L * C
	}
	if f.headNorms {
		c.Norms += L * 2 * int64(s.HeadDim)
	}
	if f.rowNorms {
		c.Norms += L * (q + kv)
	}
	idle, matrices := s.countMLP(&c, f)
	c.Matrices = L*attention + matrices
	c.Total = c.Embedding + c.Positions + c.Attention + c.MLP + c.Norms + c.Router + c.Unembedding
	c.Active = c.Total - idle
	return c
}

// countMLP counts the MLPs of all layers, the parameters of experts that a token
// does not visit, and the matrices that it meets.
func (s Shape) countMLP(c *Counts, f traits) (idle, matrices int64) {
	C, F, dense := int64(s.Width), int64(s.FF), int64(s.Layers)
	gated := int64(3)
	if f.biases {
		gated = 2
	}
	if f.mixture {
		dense = int64(s.DenseLayers)
		sparse, one := int64(s.Layers)-dense, 3*C*int64(s.ExpertFF)
		shared := 3 * C * int64(s.SharedFF)
		c.Router = sparse * int64(s.Experts) * C
		if f.shared {
			c.Router += sparse * C
		}
		c.MLP = sparse * (int64(s.Experts)*one + shared)
		idle = sparse * int64(s.Experts-s.ExpertsPerToken) * one
		matrices = c.MLP - idle + c.Router
	}
	c.MLP += dense * gated * C * F
	matrices += dense * gated * C * F
	if s.MLPBias || f.biases {
		c.MLP += dense * ((gated-1)*F + C)
	}
	return idle, matrices
}
