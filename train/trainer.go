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

// Micro is one micro-batch of a step.
type Micro interface {
	// Size is what the loss of a step is a mean over (units: trained tokens, pairs,
	// sequences) and the places that the model computes.
	Size() (units, places int)
	// Forward runs the model on p and leaves there the gradient of f.Scale times
	// the sum of the units' losses, for Pass.Backward; it returns that sum, without
	// f.Scale.
	Forward(p *op.Pass, f Forward) float64
}

// Forward is what a micro-batch is told.
type Forward struct {
	Scale   float64 // 1 / units of the step
	ZLoss   float64 // Options.ZLoss
	Dropout float64
	Noise   float64 // of embeddings
	Seed    uint64  // of dropout and noise
	Step    uint64  // of dropout and noise: different for every micro-batch
	Balance *model.Balance
	// Note adds to a figure of the step, Metrics.Extra[name]: the sum of all sums
	// over the sum of all n.
	Note func(name string, sum float64, n int)
}

// Input is the forward pass over b.
func (f Forward) Input(b *batch.Batch) *model.Input {
	return &model.Input{
		B: b.B, T: b.T, IDs: b.IDs, Pos: b.Pos, Start: b.Start,
		Dropout: f.Dropout, Noise: f.Noise, Seed: f.Seed, Step: f.Step, Balance: f.Balance,
	}
}

// Language is the micro-batches of a language model: the cross-entropy of the
// targets.
func Language(m model.Model, bs ...*batch.Batch) []Micro {
	out := make([]Micro, len(bs))
	for i, b := range bs {
		out[i] = language{m, b}
	}
	return out
}

type language struct {
	m model.Model
	b *batch.Batch
}

func (l language) Size() (units, places int) { return l.b.Trained, l.b.B * l.b.T }

func (l language) Forward(p *op.Pass, f Forward) (sum float64) {
	h, targets := l.m.Hidden(p, f.Input(l.b)), l.b.Targets
	if rows := l.trained(); len(rows) <= len(targets)*mostGathered/8 {
		h = op.Gather(p, h, rows)
		all := targets
		targets = make([]int32, len(rows))
		for i, r := range rows {
			targets[i] = all[r]
		}
	}
	for _, x := range model.Loss(p, l.m, h, targets, op.CrossEntropy{Scale: f.Scale, ZLoss: f.ZLoss}) {
		sum += x
	}
	return sum
}

// mostGathered is the eighths of a batch up to which the rows that are trained are
// brought together, so that the unembedding runs over them alone.
const mostGathered = 7

// trained are the rows of the batch that have a target.
func (l language) trained() []int32 {
	var rows []int32
	for i, t := range l.b.Targets {
		if t >= 0 {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// Trainer is parameters in training.
type Trainer struct {
	b      tensor.Backend
	params []*op.Param
	o      Options
	opt    *optim.Optimizer
	pass   *op.Pass
	state  state

	places  int           // that the model computed in the last step
	balance model.Balance // of the experts, in the last step
	notes   map[string]note
}

// note is a figure of a step, a mean in the making.
type note struct {
	sum float64
	n   int
}

// state is what a checkpoint holds besides tensors.
type state struct {
	Step    int    `json:"step"`    // steps done
	Tokens  int64  `json:"tokens"`  // trained units so far
	Options string `json:"options"` // of the run, as JSON: a checkpoint goes on only with the same
	Guard   guard  `json:"guard"`
}

// New prepares to train params, of which unembedding (nil: none) turns hidden
// states into logits: Muon leaves it to AdamW.
func New(b tensor.Backend, params []*op.Param, unembedding *op.Param, o Options) (*Trainer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	hidden := func(w *op.Param) bool { return w.T.Rows > 1 && !w.Lookup && w != unembedding }
	opt, err := optim.New(b, params, hidden, o.Optimizer)
	if err != nil {
		return nil, err
	}
	// An adapter's training has no large optimizer state: activations are most of
	// its memory, and those that cost little are made twice.
	frugal := unembedding != nil && !slices.Contains(params, unembedding)
	return &Trainer{b: b, params: params, o: o, opt: opt, pass: op.NewPass(b, op.Options{Record: true, Recompute: frugal}), notes: map[string]note{}}, nil
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
	Loss     float64 `json:"loss"` // mean over the units: nats per trained token in a language model
	LR       float64 `json:"lr"`
	GradNorm float64 `json:"grad_norm"`         // before clipping
	Tokens   int64   `json:"tokens"`            // units trained so far
	Skipped  string  `json:"skipped,omitempty"` // why the guard left the weights alone
	Balance  float64 `json:"balance,omitempty"` // mean load-balancing loss of layers with experts; 1 is even

	Extra map[string]float64 `json:"extra,omitempty"` // what the method measures

	TokensPerSecond float64 `json:"tokens_per_second,omitempty"` // units a second
	FLOPs           float64 `json:"flop_per_second,omitempty"`
	Seconds         float64 `json:"seconds,omitempty"` // of this step
	ValBPB          float64 `json:"val_bpb,omitempty"`
	ValLoss         float64 `json:"val_loss,omitempty"` // nats per token
}

// Accumulate runs the micro-batches of one step forward and backward. The loss
// is the mean over the units of all of them, so k micro-batches give the gradient
// of one large batch. The load of experts is balanced in each micro-batch by
// itself.
func (t *Trainer) Accumulate(micro []Micro) (loss float64, units int) {
	places := 0
	for _, m := range micro {
		u, n := m.Size()
		units, places = units+u, places+n
	}
	t.places = places
	t.pass.CachePacks = len(micro) > 1
	t.balance.Weight, t.balance.Losses = 1/float64(max(1, len(micro))), t.balance.Losses[:0]
	clear(t.notes)
	for i, m := range micro {
		t.pass.Reset()
		t.pass.Draw = uint64(t.state.Step)<<16 | uint64(i)
		loss += m.Forward(t.pass, Forward{
			Scale: 1 / float64(max(1, units)), ZLoss: t.o.ZLoss,
			Dropout: t.o.Dropout, Noise: t.o.Noise, Seed: t.o.Seed, Step: t.pass.Draw,
			Balance: &t.balance,
			Note: func(name string, sum float64, n int) {
				t.notes[name] = note{t.notes[name].sum + sum, t.notes[name].n + n}
			},
		})
		t.pass.Backward()
	}
	t.pass.Reset()
	return loss / float64(max(1, units)), units
}

// ErrDiverged reports a run whose gradients are no longer numbers.
var ErrDiverged = errors.New("training diverged: the loss or its gradient is not finite; lower the learning rate, or start again from an earlier checkpoint")

// nothing is why a step without units leaves the weights alone.
const nothing = "nothing to learn"

// StepOn takes one optimizer step on the micro-batches.
func (t *Trainer) StepOn(micro []Micro) (Metrics, error) {
	loss, units := t.Accumulate(micro)
	norm := math.Sqrt(t.sumSquares())
	t.state.Step++
	t.state.Tokens += int64(units)
	lr := t.o.Schedule.At(t.state.Step)
	m := Metrics{Step: t.state.Step, Loss: loss, LR: lr, GradNorm: norm, Tokens: t.state.Tokens}
	for _, l := range t.balance.Losses {
		m.Balance += l / float64(len(t.balance.Losses))
	}
	for name, n := range t.notes {
		if m.Extra == nil {
			m.Extra = map[string]float64{}
		}
		m.Extra[name] = n.sum / float64(max(1, n.n))
	}
	if units == 0 {
		m.Skipped = nothing
	} else if m.Skipped = t.state.Guard.check(loss, norm); m.Skipped == "" {
		t.opt.Step(t.state.Step, lr, math.Min(1, t.o.Clip/(norm+1e-6)))
	}
	for _, w := range t.params {
		w.ZeroGrad()
	}
	if t.state.Guard.Broken >= maxBroken {
		return m, ErrDiverged
	}
	return m, nil
}

func (t *Trainer) sumSquares() float64 {
	var live []*tensor.Tensor
	for _, w := range t.params {
		if !w.Fresh {
			live = append(live, w.Grad)
		}
	}
	return t.b.SumSquares(live)
}
