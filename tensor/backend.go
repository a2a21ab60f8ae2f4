package tensor

import "github.com/foundling-lm/foundling/tensor/dtype"

// Backend is the arithmetic of one device. Methods work on whole tensors, row
// by row where a row is one token's vector; shapes are checked and a mismatch
// panics, since it can only be a mistake in the program.
//
// Formats: Wide is the format of parameters, gradients and residual streams,
// Narrow that of activations on their way into a matrix product. Inputs may be
// in either; outputs are written in the format of the destination. No method
// but Upload and Download touches Go memory, apart from small index slices.
//
// Two backends pass the suite in tensor/tensortest: tensor/cpu, and tensor/ref
// (plain loops in float64), against which everything else is checked.
type Backend interface {
	Name() string                        // "cpu", "reference"
	Kernels() string                     // kernel set: results are the same bits for the same set
	Wide() dtype.Type                    // f32 (f64 in the reference)
	Narrow() dtype.Type                  // bf16 in mixed precision, else as Wide
	Alloc(n int) Memory                  // n zero bytes, 64-byte aligned
	Release(m Memory)                    // m must not be used afterwards
	Upload(dst *Tensor, src []float32)   // row by row
	Download(dst []float32, src *Tensor) // row by row
	Zero(t *Tensor)
	Copy(dst, src *Tensor) // converts between formats

	// Weights makes a constant matrix of rows that data holds as files do (f32,
	// bf16, f16, block formats; little-endian). The backend lays them out as it
	// likes and data is not needed afterwards. MatMul takes the result as B with
	// TransB, Embed as table; Copy and Download read it, Release its Mem frees it.
	// Rows that are no whole blocks, data of another length and scales that are not
	// finite are errors.
	Weights(dt dtype.Type, rows, cols int, data []byte) (*Tensor, error)

	// MatMul computes C = op(A) op(B) with C (M,N), op(A) (M,K), op(B) (K,N). The
	// operands of products with Weights are rounded first: A to bf16 for weights in
	// bf16, and for block formats each 32 values of a row of A to int8 with one f32
	// scale, their largest magnitude / 127.
	MatMul(c, a, b *Tensor, o MatMul)
	// Pack prepares op(b) for use as MatMul.Packed; nil where that gains nothing.
	Pack(b *Tensor, trans bool) Packed

	Add(dst, a, b *Tensor)               // dst = a + b
	Mul(dst, a, b *Tensor)               // dst = a * b, elementwise
	AddScaled(dst, a *Tensor, s float64) // dst += s * a
	Scale(dst, a *Tensor, s float64)     // dst = s * a
	Sum(t *Tensor) float64               // over all elements
	SumRows(dst, a *Tensor)              // dst (1,C) += sum of the rows of a
	ScaleRows(dst, a, s *Tensor)         // row i of dst = s[i] * row i of a; s is (N,1)
	DotRows(dst, a, b *Tensor)           // dst (N,1): row i of a times row i of b
	SumSquares(ts []*Tensor) float64     // over all elements of all tensors
	Dropout(dst, a *Tensor, d Dropout)   // dst = a * mask / (1-p)
	Unary(f Func, dst, x *Tensor)        // dst = f(x)
	UnaryBack(f Func, dx, dy, x *Tensor) // dx = dy * f'(x)
	// GLU is the gated unit dst = f(gate) * up; GLUBack sets dgate and dup.
	GLU(f Func, dst, gate, up *Tensor)
	GLUBack(f Func, dgate, dup, dy, gate, up *Tensor)
	Softmax(dst, x *Tensor)        // over each row
	SoftmaxBack(dx, dy, y *Tensor) // y is Softmax's result

	// Embed copies row ids[i] of table to row i of dst.
	Embed(dst, table *Tensor, ids []int32)
	// EmbedBack adds row i of dy to row ids[i] of dtable, in the order of i.
	EmbedBack(dtable, dy *Tensor, ids []int32)
	// Norm normalises each row; stats (N,2) receives mean and 1/deviation for
	// NormBack. b and w may be nil.
	Norm(k NormKind, dst, stats, x, w, b *Tensor, eps float64)
	// NormBack sets dx and adds to dw and db (nil where absent).
	NormBack(k NormKind, dx, dw, db, dy, x, w, stats *Tensor)
	// RoPE rotates x (N, heads*width) in place by r; inverse turns back, which
	// is the gradient.
	RoPE(x *Tensor, pos []int32, r *Rotary, inverse bool)
	// Attention computes softmax(scale q kT) v over the key ranges of a; lse
	// (N,H) receives the log of each softmax's denominator, for AttentionBack.
	Attention(out, lse, q, k, v *Tensor, a *Attention)
	// CacheStore writes the keys and values of the new tokens of c into its pages;
	// CacheAttention is Attention of the new tokens' queries over the pages, with
	// the bits of Attention where the format holds the keys and values exactly.
	CacheStore(c *Cached, k, v *Tensor)
	CacheAttention(out, q *Tensor, c *Cached)
	// AttentionBack sets dq, dk and dv.
	AttentionBack(dq, dk, dv, dout, out, lse, q, k, v *Tensor, a *Attention)

	// CrossEntropy turns each row of logits into the gradient of its loss and
	// writes the loss to losses[i]; rows with target -1 become zero. Without targets
	// losses are log Z of each row, and there is no gradient.
	CrossEntropy(losses []float64, logits *Tensor, targets []int32, o CrossEntropy)
	// AdamW updates p, m, v from gradient g.
	AdamW(p, m, v, g *Tensor, o AdamW)
}

// Packed is a matrix laid out for a Backend's product kernels.
type Packed interface {
	Bytes() int // memory that it holds
	Release()
}

// MatMul is the options of a product.
type MatMul struct {
	TransA, TransB bool
	Accumulate     bool    // C += (C must be Wide)
	Bias           *Tensor // (1,N), added to each row; nil for none
	Packed         Packed  // op(B), prepared; b is then used for its shape only
}

// Func names an elementwise function.
type Func uint8

// The elementwise functions.
const (
	GELUTanh Func = iota // Hendrycks & Gimpel 2016, tanh approximation (GPT-2)
	GELUErf              // exact: x * Phi(x)
	SiLU                 // x * sigmoid(x)
	ReLU
	Tanh
	Sigmoid
)

// NormKind names a normalisation.
type NormKind uint8

// The normalisations.
const (
	LayerNorm NormKind = iota // Ba et al. 2016
	RMSNorm                   // Zhang & Sennrich 2019
)

// Dropout is the parameters of one dropout mask: element i of the mask is a
// function of (Seed, Stream, i).
type Dropout struct {
	P            float64 // probability of zero
	Seed, Stream uint64
}

// Attention describes one call. Queries are B sequences of TQ rows, keys and
// values B sequences of TK rows. Query row i sees keys [Lo[i], Hi[i]) of its
// sequence: causality, documents, padding and windows are all such ranges.
type Attention struct {
	B, TQ, TK int
	H, K, D   int // query heads, key/value heads (K divides H), head width
	Scale     float64
	SoftCap   float64 // if not 0, scores s become SoftCap*tanh(s/SoftCap) (Gemma 2, arXiv 2408.00118, section 2)
	Lo, Hi    []int32 // B*TQ
}

// CrossEntropy is the options of the loss.
type CrossEntropy struct {
	Scale float64 // gradient per trained row, for example 1 / trained tokens of the step
	// Weights, if not nil, multiply the gradient of each row.
	Weights []float64
	ZLoss   float64 // coefficient of (log Z)^2 (Chowdhery et al. 2022, PaLM, section 5)
	NoGrad  bool    // leave logits unspecified, only write losses
}

// AdamW is the options of one step (Loshchilov & Hutter 2019, algorithm 2).
type AdamW struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	GradScale                          float64 // clipping: the gradient is multiplied by it first
	Step                               int     // 1 for the first
}
