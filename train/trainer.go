package train

import (
	"errors"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train/optim"
)

// Trainer is a model in training.
type Trainer struct {
	b     tensor.Backend
	m     model.Model
	o     Options
	opt   *optim.Optimizer
	pass  *op.Pass
	grads []*tensor.Tensor
	state state

	balance    model.Balance // of the experts, in the last step
	lastTokens int64         // for rates
}

// state is what a checkpoint holds besides tensors.
type state struct {
	Step    int    `json:"step"`    // steps done
	Tokens  int64  `json:"tokens"`  // trained targets so far
	Options string `json:"options"` // of the run, as JSON: a checkpoint goes on only with the same
	Guard   guard  `json:"guard"`
}

// New prepares to train m.
func New(b tensor.Backend, m model.Model, o Options) (*Trainer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	hidden := func(w *op.Param) bool { return w.T.Rows > 1 && !w.Lookup && w != m.Unembedding() }
	opt, err := optim.New(b, m.Params(), hidden, o.Optimizer)
	if err != nil {
		return nil, err
	}
	t := &Trainer{b: b, m: m, o: o, opt: opt, pass: op.NewPass(b, op.Options{Record: true})}
	for _, w := range m.Params() {
		t.grads = append(t.grads, w.Grad)
	}
	return t, nil
}

// Close gives the training memory back; the model stays.
func (t *Trainer) Close() {
	t.pass.Close()
	t.opt.Close()
}

// Cut makes the run end at the given step instead of the planned one.
func (t *Trainer) Cut(steps int) {
	s := &t.o.Schedule
	s.Cuts = append(slices.Clip(s.Cuts), optim.Cut{At: t.state.Step, Steps: steps})
}

// Step is the number of steps done.
func (t *Trainer) Step() int { return t.state.Step }

// Metrics describe one step.
type Metrics struct {
	Step     int     `json:"step"`
	Loss     float64 `json:"loss"` // nats per trained token
	LR       float64 `json:"lr"`
	GradNorm float64 `json:"grad_norm"`         // before clipping
	Tokens   int64   `json:"tokens"`            // trained so far
	Skipped  string  `json:"skipped,omitempty"` // why the guard left the weights alone
	Balance  float64 `json:"balance,omitempty"` // mean load-balancing loss of layers with experts; 1 is even

	TokensPerSecond float64 `json:"tokens_per_second,omitempty"`
	FLOPs           float64 `json:"flop_per_second,omitempty"`
	Seconds         float64 `json:"seconds,omitempty"` // of this step
	ValBPB          float64 `json:"val_bpb,omitempty"`
	ValLoss         float64 `json:"val_loss,omitempty"` // nats per token
}

// Accumulate runs the micro-batches of one step forward and backward. The loss
// is the mean over the trained tokens of all of them, so k micro-batches give
// the gradient of one large batch. The load of experts is balanced in each
// micro-batch by itself.
func (t *Trainer) Accumulate(micro []*batch.Batch) (loss float64, trained int) {
	for _, b := range micro {
		trained += b.Trained
	}
	t.pass.CachePacks = len(micro) > 1
	t.balance.Weight, t.balance.Losses = 1/float64(max(1, len(micro))), t.balance.Losses[:0]
	for i, b := range micro {
		t.pass.Reset()
		h := t.m.Hidden(t.pass, &model.Input{
			B: b.B, T: b.T, IDs: b.IDs, Pos: b.Pos, Start: b.Start,
			Dropout: t.o.Dropout, Seed: t.o.Seed, Step: uint64(t.state.Step)<<16 | uint64(i),
			Balance: &t.balance,
		})
		losses := model.Loss(t.pass, t.m, h, b.Targets, op.CrossEntropy{
			Scale: 1 / float64(max(1, trained)), ZLoss: t.o.ZLoss,
		})
		t.pass.Backward()
		for _, l := range losses {
			loss += l
		}
	}
	t.pass.Reset()
	return loss / float64(max(1, trained)), trained
}

// ErrDiverged reports a run whose gradients are no longer numbers.
var ErrDiverged = errors.New("training diverged: the loss or its gradient is not finite; lower the learning rate, or start again from an earlier checkpoint")

// StepOn takes one optimizer step on the micro-batches.
func (t *Trainer) StepOn(micro []*batch.Batch) (Metrics, error) {
	loss, trained := t.Accumulate(micro)
	norm := math.Sqrt(t.sumSquares())
	t.state.Step++
	t.state.Tokens += int64(trained)
	lr := t.o.Schedule.At(t.state.Step)
	m := Metrics{Step: t.state.Step, Loss: loss, LR: lr, GradNorm: norm, Tokens: t.state.Tokens}
	for _, l := range t.balance.Losses {
		m.Balance += l / float64(len(t.balance.Losses))
	}
	if m.Skipped = t.state.Guard.check(loss, norm); m.Skipped == "" {
		t.opt.Step(t.state.Step, lr, math.Min(1, t.o.Clip/(norm+1e-6)))
	}
	for _, w := range t.m.Params() {
		w.ZeroGrad()
	}
	if t.state.Guard.Broken >= maxBroken {
		return m, ErrDiverged
	}
	return m, nil
}

func (t *Trainer) sumSquares() float64 {
	var live []*tensor.Tensor
	for i, w := range t.m.Params() {
		if !w.Fresh {
			live = append(live, t.grads[i])
		}
	}
	return t.b.SumSquares(live)
}
