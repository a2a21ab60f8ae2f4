package nn

import (
	"cmp"
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Rope is what config.json says of rotary positions, in either spelling:
// rope_theta beside rope_scaling, or both in rope_parameters (transformers 5).
type Rope struct {
	RopeTheta           float64      `json:"rope_theta,omitempty"`
	RopeScaling         *RopeScaling `json:"rope_scaling,omitempty"`
	RopeParameters      *RopeScaling `json:"rope_parameters,omitempty"`
	PartialRotaryFactor float64      `json:"partial_rotary_factor,omitempty"` // share of a head that turns; 0: all

	// RunContext is the longest sequence that will be run, for the variants whose
	// rotations depend on it (dynamic, longrope): one table then serves all
	// positions, so that cached and full passes agree and old keys stay right. 0
	// means the context of pre-training. The key is ours: transformers looks at
	// the length of each single pass instead, which is the same up to the context
	// of pre-training.
	RunContext int `json:"run_context,omitempty"`
}

// RopeScaling is one way to stretch rotary positions.
type RopeScaling struct {
	RopeType                      string    `json:"rope_type,omitempty"`
	Type                          string    `json:"type,omitempty"` // the older name of the key
	RopeTheta                     float64   `json:"rope_theta,omitempty"`
	PartialRotaryFactor           float64   `json:"partial_rotary_factor,omitempty"`
	Factor                        float64   `json:"factor,omitempty"`
	OriginalMaxPositionEmbeddings int       `json:"original_max_position_embeddings,omitempty"` // context of pre-training
	LowFreqFactor                 float64   `json:"low_freq_factor,omitempty"`                  // llama3
	HighFreqFactor                float64   `json:"high_freq_factor,omitempty"`                 // llama3
	BetaFast                      float64   `json:"beta_fast,omitempty"`                        // yarn; 0: 32
	BetaSlow                      float64   `json:"beta_slow,omitempty"`                        // yarn; 0: 1
	MScale                        float64   `json:"mscale,omitempty"`                           // yarn
	MScaleAllDim                  float64   `json:"mscale_all_dim,omitempty"`                   // yarn
	Truncate                      *bool     `json:"truncate,omitempty"`                         // yarn: whole dimensions; nil: true
	AttentionFactor               *float64  `json:"attention_factor,omitempty"`                 // yarn, longrope
	ShortFactor                   []float64 `json:"short_factor,omitempty"`                     // longrope
	LongFactor                    []float64 `json:"long_factor,omitempty"`                      // longrope

	// One for each kind of layer (Gemma 3 in transformers 5).
	FullAttention    *RopeScaling `json:"full_attention,omitempty"`
	SlidingAttention *RopeScaling `json:"sliding_attention,omitempty"`
}

// Turns is the settings of one table of rotations.
type Turns struct {
	Theta   float64
	D       int     // width of a head
	Partial float64 // share of it that turns; 0: all
	Context int     // max_position_embeddings
	Run     int     // Rope.RunContext
	Scaling *RopeScaling
}

// Turns collects the settings of the model's only or global rotations.
func (c *Config) Turns() Turns {
	t := Turns{
		Theta: c.RopeTheta, D: c.HeadWidth(), Partial: c.PartialRotaryFactor, Context: c.MaxPositionEmbeddings,
		Run: c.RunContext, Scaling: c.RopeScaling,
	}
	if s := c.RopeParameters; s != nil {
		t = t.With(s)
		if s.FullAttention != nil {
			t = t.With(s.FullAttention)
		}
	}
	return t
}

// With is t with the scaling s and what s says of theta and width.
func (t Turns) With(s *RopeScaling) Turns {
	t.Scaling = s
	t.Theta, t.Partial = cmp.Or(s.RopeTheta, t.Theta), cmp.Or(s.PartialRotaryFactor, t.Partial)
	return t
}

// Longest is the longest sequence that the model takes: Run where rotations
// depend on it, else max_position_embeddings.
func (t Turns) Longest() int {
	switch t.kind() {
	case "dynamic", "longrope":
		return cmp.Or(t.Run, t.original())
	}
	return t.Context
}

func (t Turns) kind() string {
	if t.Scaling == nil {
		return "default"
	}
	switch k := cmp.Or(t.Scaling.RopeType, t.Scaling.Type, "default"); k {
	case "su": // the first name of LongRoPE
		return "longrope"
	default:
		return k
	}
}

func (t Turns) original() int {
	if t.Scaling == nil {
		return t.Context
	}
	return cmp.Or(t.Scaling.OriginalMaxPositionEmbeddings, t.Context)
}

// Rotary makes the table. The error names the key of rope_scaling.
func (t Turns) Rotary() (*tensor.Rotary, error) {
	if !(t.Theta > 1) || math.IsInf(t.Theta, 0) {
		return nil, fmt.Errorf("rope_theta is %g: it must be greater than 1", t.Theta)
	}
	r := &tensor.Rotary{D: t.D}
	if t.Partial != 0 && t.Partial != 1 {
		if r.D, r.Head = int(float64(t.D)*t.Partial), t.D; !(t.Partial > 0 && t.Partial < 1) || r.D < 2 || r.D%2 != 0 {
			return nil, fmt.Errorf("partial_rotary_factor %g of head_dim %d: an even number of channels in between must turn", t.Partial, t.D)
		}
	}
	r.Freq = op.Frequencies(r.D, t.Theta)
	k := t.kind()
	f, ok := variants[k]
	if !ok {
		return nil, fmt.Errorf("rope_scaling: type %q is not supported: default, linear, dynamic, llama3, yarn and longrope are", k)
	}
	if err := t.check(k); err != nil {
		return nil, fmt.Errorf("rope_scaling of type %s: %w", k, err)
	}
	if err := f(t, r); err != nil {
		return nil, fmt.Errorf("rope_scaling of type %s: %w", k, err)
	}
	for i, x := range r.Freq {
		if !(x > 0) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("rope_scaling of type %s: frequency %d is %g: the factors are impossible", k, i, x)
		}
	}
	return r, nil
}

// check looks at what all variants but the plain one need.
func (t Turns) check(kind string) error {
	if s := t.Scaling; kind != "default" && kind != "longrope" && (!(s.Factor >= 1) || math.IsInf(s.Factor, 0)) {
		return fmt.Errorf("factor is %g: it must be at least 1", s.Factor)
	}
	if t.original() <= 0 {
		return fmt.Errorf("original_max_position_embeddings is %d: it must be positive", t.original())
	}
	switch long := kind == "longrope"; {
	case t.Run == 0:
	case kind != "dynamic" && !long:
		return fmt.Errorf("run_context is %d: only dynamic and longrope depend on it", t.Run)
	case t.Run < 0 || t.Run > mostSize || long && t.Run > t.Context:
		return fmt.Errorf("run_context is %d: it must be positive, and for longrope at most max_position_embeddings %d", t.Run, t.Context)
	}
	return nil
}

var variants = map[string]func(t Turns, r *tensor.Rotary) error{
	"default": func(Turns, *tensor.Rotary) error { return nil },
	"linear":  linear, "dynamic": dynamic, "llama3": llama3, "yarn": yarn, "longrope": longRoPE,
}

// linear is position interpolation (Chen et al. 2023, arXiv 2306.15595).
func linear(t Turns, r *tensor.Rotary) error {
	for i := range r.Freq {
		r.Freq[i] /= t.Scaling.Factor
	}
	return nil
}

// dynamic raises theta for runs longer than the context of pre-training ("NTK
// aware" scaling; Peng et al. 2023, arXiv 2309.00071, appendix A.1).
func dynamic(t Turns, r *tensor.Rotary) error {
	if r.D <= 2 {
		return fmt.Errorf("it needs more than %d channels", r.D)
	}
	o, s := float64(t.original()), t.Scaling.Factor
	stretch := s*math.Max(float64(t.Run), o)/o - (s - 1)
	r.Freq = op.Frequencies(r.D, t.Theta*math.Pow(stretch, float64(r.D)/float64(r.D-2)))
	return nil
}

// llama3 slows the waves that do not fit into the context of pre-training by
// the factor, leaves short ones, and goes over smoothly (Llama 3.1).
func llama3(t Turns, r *tensor.Rotary) error {
	s, o := t.Scaling, float64(t.original())
	if !(s.LowFreqFactor > 0 && s.HighFreqFactor > s.LowFreqFactor) {
		return fmt.Errorf("low_freq_factor %g and high_freq_factor %g must rise", s.LowFreqFactor, s.HighFreqFactor)
	}
	for i, f := range r.Freq {
		turns := o * f / (2 * math.Pi) // of this pair within the context
		keep := (turns - s.LowFreqFactor) / (s.HighFreqFactor - s.LowFreqFactor)
		keep = math.Min(1, math.Max(0, keep))
		r.Freq[i] = (1-keep)*f/s.Factor + keep*f
	}
	return nil
}

// yarn is YaRN (Peng et al. 2023, arXiv 2309.00071, section 3.2 to 3.4): pairs
// that turn often in the context of pre-training stay, those that turn less than
// once are interpolated, a linear ramp between; what turned is multiplied by
// 0.1 ln(factor) + 1, or by the quotient of two such (mscale; DeepSeek-V2).
func yarn(t Turns, r *tensor.Rotary) error {
	s := t.Scaling
	fast, slow := cmp.Or(s.BetaFast, 32), cmp.Or(s.BetaSlow, 1)
	pair := func(turns float64) float64 { // whose wave makes as many turns
		return float64(r.D) * math.Log(float64(t.original())/(turns*2*math.Pi)) / (2 * math.Log(t.Theta))
	}
	low, high := pair(fast), pair(slow)
	if s.Truncate == nil || *s.Truncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = math.Max(low, 0), math.Min(high, float64(r.D-1))
	if low == high {
		high += 0.001
	}
	for i, f := range r.Freq {
		ramp := math.Min(1, math.Max(0, (float64(i)-low)/(high-low)))
		r.Freq[i] = f/s.Factor*ramp + f*(1-ramp)
	}
	magnitude := func(m float64) float64 { return 0.1*m*math.Log(s.Factor) + 1 }
	switch {
	case s.AttentionFactor != nil:
		r.Scale = *s.AttentionFactor
	case s.MScale != 0 && s.MScaleAllDim != 0:
		r.Scale = magnitude(s.MScale) / magnitude(s.MScaleAllDim)
	default:
		r.Scale = magnitude(1)
	}
	return positive("attention_factor", r.Scale)
}

// longRoPE has a factor for each pair, one list for runs within the context of
// pre-training and one for longer ones (Ding et al. 2024, arXiv 2402.13753).
func longRoPE(t Turns, r *tensor.Rotary) error {
	s, o := t.Scaling, t.original()
	factors, name := s.ShortFactor, "short_factor"
	if t.Run > o {
		factors, name = s.LongFactor, "long_factor"
	}
	if len(factors) != r.D/2 {
		return fmt.Errorf("%s has %d numbers: %d pairs turn", name, len(factors), r.D/2)
	}
	for i := range r.Freq {
		r.Freq[i] /= factors[i]
	}
	stretch := s.Factor
	if o != t.Context {
		stretch = float64(t.Context) / float64(o)
	}
	switch {
	case s.AttentionFactor != nil:
		r.Scale = *s.AttentionFactor
	case stretch > 1:
		r.Scale = math.Sqrt(1 + math.Log(stretch)/math.Log(float64(o)))
	default:
		return nil
	}
	return positive("attention_factor", r.Scale)
}

func positive(name string, x float64) error {
	if !(x > 0) || math.IsInf(x, 0) {
		return fmt.Errorf("%s is %g: it must be positive", name, x)
	}
	return nil
}
