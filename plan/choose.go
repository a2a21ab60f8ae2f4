package plan

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Rate is a measured training speed.
type Rate struct {
	Width int     `json:"width"`
	FLOPs float64 `json:"flops"` // FLOP a second, counted as Shape.FLOP counts them
}

// ChooseOptions are what a choice depends on.
type ChooseOptions struct {
	Candidates []Shape // of one vocabulary, since losses are per token; see Ladder
	Rates      []Rate  // at least one; small models run slower
	Seconds    float64 // of pre-training
	Unique     int64   // training tokens there are
	MaxEpochs  float64 // 0 means 4: up to there a repeat is worth nearly a first reading (Muennighoff et al. 2023)
	Tokens     int     // length of the training sequences; 0 means the shape's context
	Law        DataLaw // the zero value means Muennighoff
	MaxMemory  int64   // bytes a training step may take; 0 means no limit
	StepTokens int     // tokens of a step, for the memory; 0 means 4096
}

// Candidate is a shape with what a run of it would be.
type Candidate struct {
	Shape        Shape   `json:"shape"`
	Parameters   int64   `json:"parameters"` // N, all of them
	Tokens       int64   `json:"tokens"`     // D, repeats included
	Epochs       float64 `json:"epochs"`     // D / unique tokens
	FLOPPerToken float64 `json:"flop_per_token"`
	FLOP         float64 `json:"flop"`  // of the run
	FLOPs        float64 `json:"flops"` // a second, expected from the measured rates
	Seconds      float64 `json:"seconds"`
	Memory       int64   `json:"memory"`          // bytes, see Shape.TrainingMemory
	Loss         float64 `json:"loss"`            // nats a token by the law: good for ranking, not a forecast
	Limit        string  `json:"limit"`           // what bounds the tokens: "time" or "epochs"
	Unfit        string  `json:"unfit,omitempty"` // why it cannot be chosen
}

// Choose returns the candidate with the least expected loss (the one of fewer
// parameters where two are equal) and all candidates by rising parameters.
//
// The tokens of a candidate are those that its measured speed allows in the
// time, at most MaxEpochs readings. The law counts all parameters and was
// fitted on models a hundred times larger; that it ranks small ones rightly is
// an assumption, so the table is there to be shown and checked.
func Choose(o ChooseOptions) (best Candidate, table []Candidate, err error) {
	if err := o.validate(); err != nil {
		return Candidate{}, nil, err
	}
	if o.MaxEpochs == 0 {
		o.MaxEpochs = 4
	}
	if o.Law.A == 0 {
		o.Law = Muennighoff
	}
	if o.StepTokens == 0 {
		o.StepTokens = 4096
	}
	rates := slices.Clone(o.Rates)
	slices.SortFunc(rates, func(a, b Rate) int { return a.Width - b.Width })
	for _, s := range o.Candidates {
		table = append(table, o.evaluate(s, rates))
	}
	slices.SortStableFunc(table, func(a, b Candidate) int {
		switch {
		case a.Parameters < b.Parameters:
			return -1
		case a.Parameters > b.Parameters:
			return 1
		}
		return 0
	})
	found := false
	for _, c := range table {
		if c.Unfit == "" && (!found || c.Loss < best.Loss) {
			best, found = c, true
		}
	}
	if !found {
		return Candidate{}, table, fmt.Errorf("plan: none of %d shapes fits: %s; give more time or memory, or smaller shapes", len(table), table[0].Unfit)
	}
	return best, table, nil
}

func (o *ChooseOptions) validate() error {
	switch {
	case len(o.Candidates) == 0:
		return errors.New("plan: no shapes to choose from")
	case len(o.Rates) == 0:
		return errors.New("plan: no measured rates")
	case !(o.Seconds > 0):
		return fmt.Errorf("plan: %g seconds of training: want more than 0", o.Seconds)
	case o.Unique <= 0:
		return fmt.Errorf("plan: %d training tokens: want more than 0", o.Unique)
	case o.MaxEpochs < 0 || o.Tokens < 0 || o.StepTokens < 0 || o.MaxMemory < 0:
		return errors.New("plan: epochs, sequence length, step and memory must not be negative")
	}
	for _, r := range o.Rates {
		if r.Width <= 0 || !(r.FLOPs > 0) || math.IsInf(r.FLOPs, 0) {
			return fmt.Errorf("plan: measured rate %g FLOP/s at width %d: both must be positive", r.FLOPs, r.Width)
		}
	}
	for _, s := range o.Candidates {
		if err := s.Validate(); err != nil {
			return err
		}
		if s.Vocab != o.Candidates[0].Vocab {
			return fmt.Errorf("plan: vocabularies of %d and %d: losses a token cannot be compared", s.Vocab, o.Candidates[0].Vocab)
		}
	}
	return nil
}

func (o *ChooseOptions) evaluate(s Shape, rates []Rate) Candidate {
	T := o.Tokens
	if T == 0 {
		T = s.Context
	}
	c := Candidate{
		Shape:        s.filled(),
		Parameters:   s.Count().Total,
		FLOPPerToken: s.FLOP(T).Training,
		FLOPs:        rateAt(rates, s.Width),
		Memory:       s.TrainingMemory(o.StepTokens, MemoryOptions{}).Total,
		Limit:        "time",
	}
	tokens := math.Floor(o.Seconds * c.FLOPs / c.FLOPPerToken)
	if most := math.Floor(o.MaxEpochs * float64(o.Unique)); tokens > most {
		tokens, c.Limit = most, "epochs"
	}
	switch {
	case tokens < float64(T):
		c.Unfit = fmt.Sprintf("the time allows only %.0f tokens", tokens)
		return c
	case o.MaxMemory > 0 && c.Memory > o.MaxMemory:
		c.Unfit = fmt.Sprintf("a step takes %d MB", c.Memory>>20)
	}
	c.Tokens = int64(tokens)
	c.Epochs = tokens / float64(o.Unique)
	c.FLOP = tokens * c.FLOPPerToken
	c.Seconds = c.FLOP / c.FLOPs
	c.Loss = o.Law.Loss(float64(c.Parameters), tokens, float64(o.Unique))
	return c
}

// rateAt reads the rate of a width off the measured ones (sorted): on a line
// over log width between two, and constant beyond the first and last.
func rateAt(rates []Rate, width int) float64 {
	for i, r := range rates {
		if width > r.Width {
			continue
		}
		if i == 0 || width == r.Width {
			return r.FLOPs
		}
		p := rates[i-1]
		t := math.Log(float64(width)/float64(p.Width)) / math.Log(float64(r.Width)/float64(p.Width))
		return p.FLOPs + t*(r.FLOPs-p.FLOPs)
	}
	return rates[len(rates)-1].FLOPs
}

// Ladder is the usual candidates of a family: widths 64, 128, ... 1024, a layer
// for each 64 of width and at least 4 (very small models gain from depth
// before width: llama2.c's 260 k one has 5 layers of 64), heads of 32 up to
// width 192 and of 64 above, MLP 4C (gpt2) or 8C/3 rounded up to 64 (the others),
// tied embeddings.
func Ladder(family string, vocab, context int) []Shape {
	var out []Shape
	for width := 64; width <= 1024; width += 64 {
		s := Shape{
			Family: family, Width: width, Layers: max(4, width/64), HeadDim: 64,
			FF: 4 * width, Vocab: vocab, Context: context, Tied: true,
		}
		if width < 256 {
			s.HeadDim = 32
		}
		if family != "gpt2" {
			s.FF = (8*width/3 + 63) / 64 * 64
		}
		s.Heads = width / s.HeadDim
		s.KVHeads = s.Heads
		out = append(out, s)
	}
	return out
}
