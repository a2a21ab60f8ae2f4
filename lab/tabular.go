package lab

import (
	"math"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

// tabular is a policy whose distribution is known exactly: P tokens of K ids each,
// every place with its own distribution. It is what a language model is above its
// hidden states, an unembedding (K,P), on hidden states that say the place and
// nothing else; it learns by the operations and the loop that models learn by.
type tabular struct {
	b      tensor.Backend
	w      *op.Param // (K,P)
	critic *op.Param // (1,P): a value for each place
	K, P   int
	ref    [][]float64 // (P,K): log-probabilities of the reference
}

// newTabular is a policy that begins at the reference.
func newTabular(b tensor.Backend, ref [][]float64) *tabular {
	t := &tabular{b: b, K: len(ref[0]), P: len(ref), ref: ref}
	t.w, t.critic = op.NewParam(b, "policy", t.K, t.P), op.NewParam(b, "critic", 1, t.P)
	w := make([]float32, t.K*t.P)
	for j, row := range ref {
		for k, x := range row {
			w[k*t.P+j] = float32(x)
		}
	}
	b.Upload(t.w.T, w)
	b.Zero(t.critic.T)
	return t
}

// close gives the memory back.
func (t *tabular) close() { model.Release(t.b, []*op.Param{t.w, t.critic}) }

// trainer trains the policy, and the critic if asked, with AdamW and a rate that
// falls to 0 on a cosine.
func (t *tabular) trainer(critic bool, steps int, rate float64) (*train.Trainer, error) {
	params := []*op.Param{t.w}
	if critic {
		params = append(params, t.critic)
	}
	return train.New(t.b, params, t.w, train.Options{
		Optimizer: optim.Options{Name: "adamw"},
		Schedule:  optim.Schedule{Kind: "cosine", Peak: rate, Steps: steps},
	})
}

// logProbs are the log-probabilities of the policy, (P,K).
func (t *tabular) logProbs() [][]float64 {
	w := make([]float32, t.w.Len())
	t.b.Download(w, t.w.T)
	out := make([][]float64, t.P)
	for j := range out {
		out[j] = make([]float64, t.K)
		for k := range out[j] {
			out[j][k] = float64(w[k*t.P+j])
		}
		normalise(out[j])
	}
	return out
}

// normalise turns logits into log-probabilities.
func normalise(x []float64) {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	var sum float64
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	for i := range x {
		x[i] -= top + math.Log(sum)
	}
}

// divergence is the exact KL(policy || reference) of a sequence in nats.
func (t *tabular) divergence(logp [][]float64) (kl float64) {
	for j, row := range logp {
		for k, x := range row {
			kl += math.Exp(x) * (x - t.ref[j][k])
		}
	}
	return kl
}

// drawIDs draws n sequences; ids are (n,P).
func drawIDs(logp [][]float64, n int, seed, stream uint64) []int32 {
	P := len(logp)
	cumulative := make([][]float64, P)
	for j, row := range logp {
		cumulative[j] = make([]float64, len(row))
		var sum float64
		for k, x := range row {
			sum += math.Exp(x)
			cumulative[j][k] = sum
		}
	}
	ids := make([]int32, n*P)
	for i := range ids {
		c := cumulative[i%P]
		u := rng.Float64(seed, stream, uint64(i)) * c[len(c)-1]
		for c[ids[i]] <= u {
			ids[i]++
		}
	}
	return ids
}

// hidden are the hidden states of n sequences, (n*P, P).
func (t *tabular) hidden(p *op.Pass, n int) *op.Value {
	h := make([]float32, n*t.P*t.P)
	for i := range n * t.P {
		h[i*t.P+i%t.P] = 1
	}
	return p.Input(h, n*t.P, t.P, false)
}

// tokens are the log-probabilities of each id of sequences in the table logp.
func tokens(logp [][]float64, ids []int32) []float64 {
	out := make([]float64, len(ids))
	for i, id := range ids {
		out[i] = logp[i%len(logp)][id]
	}
	return out
}

// sums adds up what the P tokens of each sequence have.
func sums(x []float64, P int) []float64 {
	out := make([]float64, len(x)/P)
	for i, v := range x {
		out[i/P] += v
	}
	return out
}
