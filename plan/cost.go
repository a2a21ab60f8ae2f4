package plan

import (
	"cmp"
	"fmt"
)

// FLOP is the floating-point operations a token costs on average, a
// multiplication and an addition counted as two. Norms, activations, softmax
// and the optimiser are left out, as is usual, and so is what an attention
// kernel computes a second time in the backward pass.
type FLOP struct {
	Layers    float64 `json:"layers"`    // forward: 2 for each weight of a matrix
	Attention float64 `json:"attention"` // forward: scores and weighted values, 4*H*D for each key seen
	Head      float64 `json:"head"`      // forward: unembedding, 2*V*C
	Forward   float64 `json:"forward"`   // the sum
	Training  float64 `json:"training"`  // forward and backward: 3 * Forward
	SixN      float64 `json:"six_n"`     // the usual estimate of Training: 6 * all parameters
}

// FLOP counts a token of sequences of T tokens with causal attention: on
// average it sees (T+1)/2 keys. Sliding windows, which see fewer, are not
// counted; of a mixture only the experts that a token visits are.
func (s Shape) FLOP(T int) FLOP {
	if T < 1 {
		panic(fmt.Sprintf("plan: FLOP of sequences of %d tokens", T))
	}
	s = s.filled()
	n := s.Count()
	keys := float64(T+1) / 2
	f := FLOP{
		Layers:    2 * float64(n.Matrices),
		Attention: 4 * float64(s.Layers) * float64(s.Heads*s.HeadDim) * keys,
		Head:      2 * float64(s.Vocab) * float64(s.Width),
		SixN:      6 * float64(n.Total),
	}
	f.Forward = f.Layers + f.Attention + f.Head
	f.Training = 3 * f.Forward
	return f
}

// CacheBytesPerToken is what keys and values of one token take in the cache at
// the given bytes a number (2 for f16 and bf16): 2*L*K*D numbers.
func (s Shape) CacheBytesPerToken(bytes int) int64 {
	s = s.filled()
	return 2 * int64(s.Layers) * int64(s.KVHeads*s.HeadDim) * int64(bytes)
}

// WeightBytes is the memory of all weights at the given bytes a number.
func (s Shape) WeightBytes(bytes int) int64 { return s.Count().Total * int64(bytes) }

// MemoryOptions say how a training step stores its numbers. The zero value is
// what train does: f32 weights, gradients and two moments (16 bytes a
// parameter, as in mixed training with bf16 weights and gradients beside f32
// masters), bf16 activations on an f32 residual stream.
type MemoryOptions struct {
	Weight     int // bytes a parameter; 0 means 4
	Gradient   int // bytes a parameter; 0 means 4
	Optimizer  int // bytes a parameter; 0 means 8 (AdamW), 4 is Muon or momentum
	Activation int // bytes a stored activation; 0 means 2 (bf16), 4 is f32
	LogitBytes int // the chunk of logits that exists at a time; 0 means 96 MiB
}

// Memory is the bytes that a training step needs, by use.
type Memory struct {
	Weights     int64 `json:"weights"`
	Gradients   int64 `json:"gradients"`
	Optimizer   int64 `json:"optimizer"`
	Activations int64 `json:"activations"` // kept from the forward for the backward pass
	Logits      int64 `json:"logits"`      // one chunk
	Backward    int64 `json:"backward"`    // gradients of one layer's activations, f32
	Packed      int64 `json:"packed"`      // the largest matrix in the layout of the kernels
	Total       int64 `json:"total"`
}

// TrainingMemory estimates a step over rows = B*T tokens. For each token a
// layer keeps, with a bytes an activation,
//
//	residual streams    4*C for each block   norms      a*C for each, 8 of statistics
//	q, k, v             a*(H+2K)*D           attention  a*H*D + 4*H of log-sums
//	MLP                 a*2*F (gpt2: before and after GELU), a*3*F (gate, up, product)
//
// and outside the layers the embeddings (f32) and the last norm. Families add
// what they keep besides: norms of queries and keys, what a block gave before its
// norm, the parts of fused projections, and of a mixture the rows of each expert.
func (s Shape) TrainingMemory(rows int, o MemoryOptions) Memory {
	o.Weight, o.Gradient, o.Optimizer = cmp.Or(o.Weight, 4), cmp.Or(o.Gradient, 4), cmp.Or(o.Optimizer, 8)
	o.Activation, o.LogitBytes = cmp.Or(o.Activation, 2), cmp.Or(o.LogitBytes, 96<<20)
	s = s.filled()
	N, R, a := s.Count().Total, int64(rows), int64(o.Activation)
	C, f := int64(s.Width), families[s.Family]
	q, kv := int64(s.Heads*s.HeadDim), int64(s.KVHeads*s.HeadDim)
	embeddings := C
	if f.layerNorm {
		embeddings = 3 * C // token and position rows and their sum
	} else if f.scaled {
		embeddings = 2 * C
	}
	mlp, widest := s.mlpMemory(a)
	m := Memory{
		Weights:     N * int64(o.Weight),
		Gradients:   N * int64(o.Gradient),
		Optimizer:   N * int64(o.Optimizer),
		Activations: R * (int64(s.Layers)*s.blockMemory(a) + mlp + 4*embeddings + a*C + 8),
		Logits:      min(int64(o.LogitBytes), R*int64(s.Vocab)*4),
		Backward:    R * 4 * (2*C + max(widest, q+2*kv)),
		Packed:      a * C * max(int64(s.FF), int64(s.Vocab)),
	}
	m.Total = m.Weights + m.Gradients + m.Optimizer + m.Activations + m.Logits + m.Backward + m.Packed
	return m
}

// blockMemory is what a layer keeps of a token besides the inside of its MLP;
// s is filled.
func (s Shape) blockMemory(a int64) int64 {
	f, C := families[s.Family], int64(s.Width)
	q, kv := int64(s.Heads*s.HeadDim), int64(s.KVHeads*s.HeadDim)
	n := 2*4*C + int64(f.norms)*(a*C+8) + a*(2*q+2*kv) + 4*int64(s.Heads)
	if f.postNorms {
		n += 2 * a * C
	}
	if f.headNorms {
		n += a*(q+kv) + 8*int64(s.Heads+s.KVHeads)
	}
	if f.rowNorms {
		n += a*(q+kv) + 16
	}
	if f.fused {
		n += a * (q + 2*kv)
	}
	return n
}

// mlpMemory is what the MLPs of all layers keep of a token, and the widest of
// them; s is filled.
func (s Shape) mlpMemory(a int64) (all, widest int64) {
	f, C, dense := families[s.Family], int64(s.Width), int64(s.Layers)
	inner := 3 * int64(s.FF)
	switch {
	case f.biases:
		inner = 2 * int64(s.FF)
	case f.fused:
		inner = 5 * int64(s.FF)
	}
	if f.mixture {
		dense = int64(s.DenseLayers)
		k := int64(s.ExpertsPerToken)
		widest = k*3*int64(s.ExpertFF) + 3*int64(s.SharedFF)
		one := a*(widest+2*k*C) + 8*int64(s.Experts) + 4*k + 4*C // rows of experts, router, their sum
		if f.shared {
			one += a*C + 8*C + 8
		}
		all = (int64(s.Layers) - dense) * one
	}
	if dense > 0 {
		all, widest = all+dense*a*inner, max(widest, inner)
	}
	return all, widest
}
