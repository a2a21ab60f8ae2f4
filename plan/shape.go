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

import "fmt"

// Shape is the sizes of a decoder-only transformer of one of the families.
type Shape struct {
	Family  string `json:"family"`   // "gpt2": LayerNorm, learned positions, biases, tied; "llama": RMSNorm, RoPE, SwiGLU
	Layers  int    `json:"layers"`   // L
	Width   int    `json:"width"`    // C
	Heads   int    `json:"heads"`    // H
	KVHeads int    `json:"kv_heads"` // K; 0 means H
	HeadDim int    `json:"head_dim"` // D; 0 means C/H
	FF      int    `json:"ff"`       // F
	Vocab   int    `json:"vocab"`    // V
	Context int    `json:"context"`  // tokens; learned positions of gpt2
	Tied    bool   `json:"tied"`     // the unembedding is the embedding; gpt2 always is

	QKVBias bool `json:"qkv_bias,omitempty"` // llama only: biases of query, key, value (Qwen2)
	OutBias bool `json:"out_bias,omitempty"` // llama only: bias of the attention's output (attention_bias sets both)
	MLPBias bool `json:"mlp_bias,omitempty"` // llama only
}

// filled replaces the zeros that mean something.
func (s Shape) filled() Shape {
	if s.KVHeads == 0 {
		s.KVHeads = s.Heads
	}
	if s.HeadDim == 0 && s.Heads > 0 {
		s.HeadDim = s.Width / s.Heads
	}
	if s.Family == "gpt2" {
		s.Tied = true
	}
	return s
}

// Validate says which size is impossible and what it may be.
func (s Shape) Validate() error {
	if s.Family != "gpt2" && s.Family != "llama" {
		return fmt.Errorf("plan: family %q is unknown: gpt2 and llama are planned", s.Family)
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
	return nil
}

// Counts are numbers of parameters by part.
type Counts struct {
	Embedding   int64 `json:"embedding"`   // V*C
	Positions   int64 `json:"positions"`   // learned positions, gpt2
	Attention   int64 `json:"attention"`   // all layers, biases included
	MLP         int64 `json:"mlp"`         // all layers, biases included
	Norms       int64 `json:"norms"`       // all layers and the last norm
	Unembedding int64 `json:"unembedding"` // 0 where tied
	Total       int64 `json:"total"`       // N
	Matrices    int64 `json:"matrices"`    // weights a token is multiplied with in the layers; no biases, no embeddings
}

// NonEmbedding is Kaplan's N: without embedding, positions and unembedding.
func (c Counts) NonEmbedding() int64 { return c.Attention + c.MLP + c.Norms }

// Count gives the exact parameters of a valid shape.
func (s Shape) Count() Counts {
	s = s.filled()
	C, F, L := int64(s.Width), int64(s.FF), int64(s.Layers)
	q, kv := int64(s.Heads*s.HeadDim), int64(s.KVHeads*s.HeadDim)
	attention := C*(q+2*kv) + q*C
	var c Counts
	c.Embedding = int64(s.Vocab) * C
	if !s.Tied {
		c.Unembedding = c.Embedding
	}
	switch s.Family {
	case "gpt2":
		mlp := 2 * C * F
		c.Matrices = L * (attention + mlp)
		c.Positions = int64(s.Context) * C
		c.Attention = L * (attention + q + 2*kv + C)
		c.MLP = L * (mlp + F + C)
		c.Norms = (2*L + 1) * 2 * C
	case "llama":
		mlp := 3 * C * F
		c.Matrices = L * (attention + mlp)
		c.Norms = (2*L + 1) * C
		c.Attention, c.MLP = L*attention, L*mlp
		if s.QKVBias {
			c.Attention += L * (q + 2*kv)
		}
		if s.OutBias {
			c.Attention += L * C
		}
		if s.MLPBias {
			c.MLP += L * (2*F + C)
		}
	default:
		panic(fmt.Sprintf("plan: family %q", s.Family))
	}
	c.Total = c.Embedding + c.Positions + c.Attention + c.MLP + c.Norms + c.Unembedding
	return c
}
