package sample_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/rng"
)

// Each step against numbers worked out by hand.
func TestSteps(t *testing.T) {
	fruit := logs(.55, .36, .06, .03)
	for _, c := range []struct {
		name   string
		o      sample.Options
		logits []float32
		at     sample.At
		want   []float64 // by id
	}{
		{"min-p keeps what reaches a share of the first", sample.Options{MinP: .1}, fruit, sample.At{}, []float64{.55 / .97, .36 / .97, .06 / .97, 0}},
		{"min-p 1 keeps the first and its equals", sample.Options{MinP: 1}, []float32{2, 5, 5}, sample.At{}, []float64{0, .5, .5}},
		// Entropy .951 nats; surprises .598, 1.022, 2.813, 3.507.
		{"typical-p begins nearest to the entropy", sample.Options{TypicalP: .3}, fruit, sample.At{}, []float64{0, 1, 0, 0}},
		{"typical-p reaches its share", sample.Options{TypicalP: .5}, fruit, sample.At{}, []float64{.55 / .91, .36 / .91, 0, 0}},
		{"xtc leaves the least of the probable", sample.Options{XTCProbability: 1, XTCThreshold: .05}, fruit, sample.At{}, []float64{0, 0, .06 / .09, .03 / .09}},
		{"xtc needs two", sample.Options{XTCProbability: 1, XTCThreshold: .5}, fruit, sample.At{}, []float64{.55, .36, .06, .03}},
		{"xtc with a threshold of 0.1 by default", sample.Options{XTCProbability: 1}, fruit, sample.At{}, []float64{0, .36 / .45, .06 / .45, .03 / .45}},
		{"bias", sample.Options{LogitBias: map[int32]float64{3: math.Log(12), 9: 5}}, fruit, sample.At{}, []float64{.55 / 1.33, .36 / 1.33, .06 / 1.33, .36 / 1.33}},
		{"bias against the last that is allowed", sample.Options{LogitBias: map[int32]float64{1: -1e9}}, fruit, sample.At{Mask: []uint64{2}}, []float64{0, 1, 0, 0}},
		{"bias of a masked id revives nothing", sample.Options{LogitBias: map[int32]float64{0: 1e9}}, fruit, sample.At{Mask: []uint64{12}}, []float64{0, 0, 2. / 3, 1. / 3}},
		{"frequency penalty counts", sample.Options{FrequencyPenalty: math.Ln2}, logs(.25, .25, .25, .25), sample.At{History: []int32{0, 1, 0}}, []float64{1. / 11, 2. / 11, 4. / 11, 4. / 11}},
		{"presence penalty counts once", sample.Options{PresencePenalty: math.Ln2}, logs(.25, .25, .25, .25), sample.At{History: []int32{0, 1, 0}}, []float64{1. / 6, 1. / 6, 2. / 6, 2. / 6}},
		{"repeat penalty divides and multiplies", sample.Options{RepeatPenalty: 2}, []float32{2, -1, 1, -2}, sample.At{History: []int32{0, 1}}, softmax(1, -2, 1, -2)},
		{"the window ends", sample.Options{PresencePenalty: 1, RepeatLastN: 2}, []float32{0, 0, 0, 0}, sample.At{History: []int32{0, 1, 2}}, softmax(0, -1, -1, 0)},
		{"the window is 64 ids", sample.Options{PresencePenalty: 1}, []float32{0, 0}, sample.At{History: append([]int32{0}, slices.Repeat([]int32{1}, 64)...)}, softmax(0, -1)},
		{"or the whole text", sample.Options{PresencePenalty: 1, RepeatLastN: -1}, []float32{0, 0}, sample.At{History: append([]int32{0}, slices.Repeat([]int32{1}, 64)...)}, softmax(-1, -1)},
		{"penalties may favour", sample.Options{FrequencyPenalty: -1}, []float32{0, 0}, sample.At{History: []int32{1, 1}}, softmax(0, 2)},
		{"a penalty too large for a number leaves a candidate", sample.Options{RepeatPenalty: math.MaxFloat64}, []float32{-3e38, -inf}, sample.At{History: []int32{0}}, []float64{1, 0}},
		// 0 1 2 ... 0 1: the repeat is 2 long, the token that followed is 2.
		{"dry penalises what followed", sample.Options{DRYMultiplier: 1}, []float32{0, 0, 0, 0}, sample.At{History: []int32{0, 1, 2, 3, 0, 1}}, softmax(0, 0, -1, 0)},
		{"dry grows by its base", sample.Options{DRYMultiplier: 1, DRYBase: 3, DRYAllowedLength: 1}, []float32{0, 0, 0, 0}, sample.At{History: []int32{0, 1, 2, 3, 0, 1}}, softmax(0, 0, -3, 0)},
		{"dry allows short repeats", sample.Options{DRYMultiplier: 1, DRYAllowedLength: 3}, []float32{0, 0, 0, 0}, sample.At{History: []int32{0, 1, 2, 3, 0, 1}}, softmax(0, 0, 0, 0)},
		{"dry stops at a breaker", sample.Options{DRYMultiplier: 1, Vocabulary: breakable()}, []float32{0, 0, 0, 0}, sample.At{History: []int32{1, 3, 0, 2, 1, 3, 0}}, softmax(0, 0, 0, 0)},
		{"dry without breakers", sample.Options{DRYMultiplier: 1, DRYBreakers: []string{}, Vocabulary: breakable()}, []float32{0, 0, 0, 0}, sample.At{History: []int32{1, 3, 0, 2, 1, 3, 0}}, softmax(0, 0, -1.75, 0)},
		{"dry lets a breaker follow", sample.Options{DRYMultiplier: 1, Vocabulary: breakable()}, []float32{0, 0, 0, 0}, sample.At{History: []int32{0, 1, 3, 2, 0, 1}}, softmax(0, 0, 0, 0)},
		{"dry looks at the end", sample.Options{DRYMultiplier: 1, DRYLastN: 4}, []float32{0, 0, 0, 0}, sample.At{History: []int32{0, 1, 2, 3, 0, 1}}, softmax(0, 0, 0, 0)},
		{"a breaker may straddle tokens", sample.Options{DRYMultiplier: 1, DRYAllowedLength: 1, DRYBreakers: []string{"ab"}, Vocabulary: breakable()}, []float32{0, 0, 0, 0}, sample.At{History: []int32{0, 1, 2, 0, 1, 2}}, softmax(-1, 0, 0, 0)},
		{"dynamic temperature of an even choice is the highest", sample.Options{DynatempRange: .5}, []float32{2, 2}, sample.At{}, []float64{.5, .5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Temperature = 1
			got := make([]float64, len(c.logits))
			for _, x := range sampler(t, c.o).Distribution(c.logits, c.at) {
				got[x.ID] = math.Exp(x.LogProb)
			}
			for i := range got {
				if math.Abs(got[i]-c.want[i]) > 1e-6 {
					t.Fatalf("got %.6f, want %.6f", got, c.want)
				}
			}
		})
	}
}

func softmax(x ...float64) []float64 {
	var sum float64
	for i := range x {
		x[i] = math.Exp(x[i])
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
	return x
}

// The temperature that entropy chooses: 0.5 + 1 x H/ln 2.
func TestDynamicTemperature(t *testing.T) {
	x := []float32{0, 1}
	p := softmax(0, 1)
	h := -(p[0]*math.Log(p[0]) + p[1]*math.Log(p[1])) / math.Ln2
	for _, exponent := range []float64{0, 1, 2} {
		want := softmax(0, 1/(.5+math.Pow(h, max(1, exponent))))
		d := sampler(t, sample.Options{Temperature: 1, DynatempRange: .5, DynatempExponent: exponent}).Distribution(x, sample.At{})
		if got := math.Exp(d[0].LogProb); math.Abs(got-want[1]) > 1e-12 {
			t.Errorf("exponent %v: %v, want %v", exponent, got, want[1])
		}
	}
	// A range below 0 ends at 0: with one candidate that matters there is no choice.
	d := sampler(t, sample.Options{Temperature: .1, DynatempRange: 1}).Distribution([]float32{0, 800}, sample.At{})
	if len(d) != 1 || d[0].ID != 1 {
		t.Errorf("a sure model: %v", d)
	}
}

// The first row may be drawn at temperature 0 after penalties; what truncates has
// no part in it, and nothing is drawn.
func TestGreedyTakesPenaltiesAlone(t *testing.T) {
	o := sample.Options{PresencePenalty: 1, XTCProbability: 1, XTCThreshold: .01, TypicalP: .1, Seed: 1}
	s := sampler(t, o)
	x := []float32{3, 2.5, 2.5, 1}
	for i := range uint64(9) {
		if got := s.Sample(x, sample.At{History: []int32{0}, Index: i}); got != 1 {
			t.Fatalf("got %d, want the first of the largest after penalties", got)
		}
	}
	o.Samplers = []string{"penalties", "typical_p", "xtc"}
	if got := sampler(t, o).Sample(x, sample.At{History: []int32{0}}); got != 1 {
		t.Errorf("without a step of that name: got %d", got)
	}
	if got := s.Sample(x, sample.At{Mask: []uint64{8}}); got != 3 {
		t.Errorf("masked: got %d", got)
	}
	if got := s.Sample(x, sample.At{Mask: []uint64{0}}); got != -1 {
		t.Errorf("an empty mask: got %d", got)
	}
}

// Chi-square of draws against the distribution, for every step alone and together.
func TestDrawsOfEveryStep(t *testing.T) {
	if testing.Short() {
		t.Skip("many draws")
	}
	const v, draws = 40, 20000
	x := make([]float32, v)
	for i := range x {
		x[i] = float32(1.5 * rng.Normal(3, 0, uint64(i)))
	}
	history := []int32{1, 2, 3, 4, 5, 1, 2, 3}
	mask := []uint64{0xffffffff0f}
	for name, o := range map[string]sample.Options{
		"bias": {LogitBias: map[int32]float64{4: 2, 30: -3}}, "repeat": {RepeatPenalty: 1.5}, "frequency": {FrequencyPenalty: .8},
		"presence": {PresencePenalty: 1.2}, "dry": {DRYMultiplier: .8}, "top-k": {TopK: 11}, "typical-p": {TypicalP: .6}, "top-p": {TopP: .8},
		"min-p": {MinP: .1}, "xtc": {XTCProbability: 1, XTCThreshold: .05}, "temperature": {Temperature: 1.7}, "dynamic": {DynatempRange: .6, DynatempExponent: 1.5},
		"all": {RepeatPenalty: 1.2, DRYMultiplier: .5, TopK: 30, TypicalP: .95, TopP: .95, MinP: .02, XTCProbability: 1, XTCThreshold: .08, Temperature: 1.3, DynatempRange: .2},
	} {
		if o.Temperature == 0 {
			o.Temperature = 1
		}
		o.Seed = 12
		s := sampler(t, o)
		d := s.Distribution(x, sample.At{History: history, Mask: mask})
		count := make([]float64, v)
		for n := range uint64(draws) {
			count[s.Sample(x, sample.At{History: history, Mask: mask, Stream: n / 7, Index: n})]++
		}
		chi, seen := chiSquare(count, d, draws)
		if bound := quantile(len(d) - 1); chi > bound || seen != draws {
			t.Errorf("%s: chi-square %.1f over %d ids, bound %.1f, %v outside", name, chi, len(d), bound, draws-seen)
		}
	}
}

// chiSquare compares counts with n draws of a distribution.
func chiSquare(count []float64, d []sample.Token, n float64) (chi, seen float64) {
	for _, tok := range d {
		want := n * math.Exp(tok.LogProb)
		chi += (count[tok.ID] - want) * (count[tok.ID] - want) / want
		seen += count[tok.ID]
	}
	return chi, seen
}

// quantile is the 99.9 % one of chi-square (Wilson and Hilferty 1931).
func quantile(degrees int) float64 {
	f := float64(degrees)
	return f * math.Pow(1-2/(9*f)+3.09*math.Sqrt(2/(9*f)), 3)
}

// XTC acts as often as its probability says, for places and streams.
func TestXTCActsNowAndThen(t *testing.T) {
	x := logs(.5, .3, .2)
	for _, p := range []float64{0.1, .5, .9} {
		s := sampler(t, sample.Options{Temperature: 1, XTCProbability: p, XTCThreshold: .1, Seed: 4})
		acted := 0.0
		for i := range uint64(4000) {
			if d := s.Distribution(x, sample.At{Stream: i % 3, Index: i / 3}); len(d) == 1 {
				acted++
			}
		}
		if sd := math.Sqrt(p * (1 - p) / 4000); math.Abs(acted/4000-p) > 3.3*sd {
			t.Errorf("probability %v: acted in %v of 4000", p, acted)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	for want, o := range map[string]sample.Options{
		"typical-p 1.2":                      {TypicalP: 1.2},
		"min-p -0.1":                         {MinP: -.1},
		"xtc-probability 2":                  {XTCProbability: 2},
		"xtc-threshold 0.6":                  {XTCProbability: 1, XTCThreshold: .6},
		"logit-bias +Inf of id 3":            {LogitBias: map[int32]float64{3: math.Inf(1)}},
		"logit-bias of id -1":                {LogitBias: map[int32]float64{-1: 1}},
		"repeat-penalty -1":                  {RepeatPenalty: -1},
		"frequency-penalty NaN":              {FrequencyPenalty: math.NaN()},
		"presence-penalty +Inf":              {PresencePenalty: math.Inf(1)},
		"repeat-last-n -2":                   {RepeatLastN: -2},
		"dry-multiplier -1":                  {DRYMultiplier: -1},
		"dry-base 0.5":                       {DRYBase: .5},
		"dry-allowed-length -1":              {DRYAllowedLength: -1},
		"dry-penalty-last-n -2":              {DRYLastN: -2},
		"dry-sequence-breakers":              {DRYBreakers: []string{"\n", ""}},
		"dynatemp-range -1":                  {DynatempRange: -1},
		"dynatemp-exponent NaN":              {DynatempExponent: math.NaN()},
		"dynatemp-range 0.5 at temperature":  {DynatempRange: .5},
		"mirostat 1":                         {Mirostat: 1, Temperature: 1},
		"mirostat 2 at temperature 0":        {Mirostat: 2},
		"mirostat-tau -1":                    {Mirostat: 2, Temperature: 1, MirostatTau: -1},
		"mirostat-eta 2":                     {Mirostat: 2, Temperature: 1, MirostatEta: 2},
		"mirostat-mu NaN":                    {Mirostat: 2, Temperature: 1, MirostatMu: math.NaN()},
		"mirostat 2 and top-k 40":            {Mirostat: 2, Temperature: 1, TopK: 40},
		"mirostat 2 and typical-p 0.9":       {Mirostat: 2, Temperature: 1, TypicalP: .9},
		"mirostat 2 and top-p 0.9":           {Mirostat: 2, Temperature: 1, TopP: .9},
		"mirostat 2 and min-p 0.1":           {Mirostat: 2, Temperature: 1, MinP: .1},
		"mirostat 2 and xtc-probability 0.1": {Mirostat: 2, Temperature: 1, XTCProbability: .1},
		"mirostat 2 and samplers with top_k": {Mirostat: 2, Temperature: 1, Samplers: []string{"temperature", "top_k"}},
		`no step "topk": the steps are logit_bias, penalties, dry, top_k`: {Samplers: []string{"topk"}},
		"top_k stands there twice":                                        {Samplers: []string{"top_k", "dry", "top_k"}},
		"min-p 0.1, but samplers has no min_p":                            {MinP: .1, Samplers: []string{"top_k"}},
		"temperature 0.7, but samplers has no temperature":                {Temperature: .7, Samplers: []string{"top_k"}},
		"logit-bias of 2 ids, but samplers has no logit_bias":             {LogitBias: map[int32]float64{1: 1, 2: 2}, Samplers: []string{}},
	} {
		if _, err := sample.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", o, err, want)
		}
	}
	for _, o := range []sample.Options{
		{Mirostat: 2, Temperature: 1, TopP: 1, TypicalP: 1}, {Temperature: 1, Samplers: []string{}}, {RepeatPenalty: 1, Samplers: []string{"top_k"}},
		{Temperature: 1, Mirostat: 2, FrequencyPenalty: .1, Samplers: []string{"temperature", "penalties"}},
		{}, {Temperature: .5}, {Temperature: 1, TopK: 3, MinP: .1}, {Temperature: 1, Mirostat: 2},
	} {
		if _, err := sample.New(o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
		if _, err := sample.New(o.Filled()); err != nil {
			t.Errorf("%+v as reported: %v", o, err)
		}
	}
}

func TestMaskTooShort(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a mask of 64 bits for 65 logits: no panic")
		}
	}()
	sampler(t, sample.Options{}).Sample(make([]float32, 65), sample.At{Mask: []uint64{1}})
}
