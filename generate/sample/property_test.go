package sample_test

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/foundling-lm/foundling/generate/sample"
)

// row draws a row of logits of several shapes, some of them with ties.
func row(t *rapid.T) []float32 {
	v := rapid.SampledFrom([]int{1, 2, 7, 40, 65, 300}).Draw(t, "v")
	scale := rapid.SampledFrom([]float64{0, 0.5, 3, 40}).Draw(t, "scale")
	coarse := rapid.Bool().Draw(t, "coarse")
	x := make([]float32, v)
	for i := range x {
		y := rapid.Float64Range(-1, 1).Draw(t, "logit") * scale
		if coarse {
			y = math.Round(y)
		}
		x[i] = float32(y)
	}
	return x
}

// place draws a mask that is not empty, often nil, and a history that repeats.
func place(t *rapid.T, v int) sample.At {
	at := sample.At{Stream: rapid.Uint64Range(0, 9).Draw(t, "stream"), Index: rapid.Uint64Range(0, 99).Draw(t, "index")}
	for range rapid.IntRange(0, 30).Draw(t, "history") {
		at.History = append(at.History, int32(rapid.IntRange(0, min(v-1, 4)).Draw(t, "id")))
	}
	if rapid.Bool().Draw(t, "masked") {
		at.Mask = make([]uint64, (v+63)/64)
		for i := range at.Mask {
			at.Mask[i] = rapid.Uint64().Draw(t, "mask")
		}
		one := rapid.IntRange(0, v-1).Draw(t, "allowed")
		at.Mask[one/64] |= 1 << (one % 64)
	}
	return at
}

// breakable is a vocabulary whose id 3 is a breaker.
func breakable() [][]byte { return [][]byte{[]byte("a"), []byte("b"), []byte("c"), []byte("\n")} }

// options draws possible options.
func options(t *rapid.T) sample.Options {
	some := func(name string, x ...float64) float64 { return rapid.SampledFrom(x).Draw(t, name) }
	count := func(name string, x ...int) int { return rapid.SampledFrom(x).Draw(t, name) }
	o := sample.Options{
		Temperature: some("temperature", 0, 1, 0.3, 0.9, 2.5), DynatempRange: some("range", 0, 0, 0.3, 3), DynatempExponent: some("exponent", 0, 2),
		TopK: count("k", 0, 0, 1, 3, 20), TypicalP: some("typical", 0, 0, 0.2, 0.9), TopP: some("p", 0, 1, 0.1, 0.95), MinP: some("min", 0, 0, 0.05, 1),
		XTCProbability: some("xtc", 0, 0.5, 1), RepeatPenalty: some("repeat", 0, 1.3, 0.5), FrequencyPenalty: some("frequency", 0, 0.4, -1),
		PresencePenalty: some("presence", 0, 0.7), RepeatLastN: count("last", 0, -1, 5), DRYMultiplier: some("dry", 0, 0.8, 1e300),
		DRYAllowedLength: count("allowed", 0, 1, 4), DRYLastN: count("dry last", 0, 12), Seed: 7, Vocabulary: breakable(),
	}
	if o.Temperature == 0 {
		o.DynatempRange = 0
	}
	if o.XTCProbability > 0 {
		o.XTCThreshold = some("threshold", 0, 0.02, 0.5)
	}
	if rapid.Bool().Draw(t, "bias") {
		o.LogitBias = map[int32]float64{0: some("bias 0", -1e9, 3, 1e308), 2: some("bias 2", -0.5, -1e308)}
	}
	if rapid.Bool().Draw(t, "order") {
		o.Samplers = rapid.Permutation(sample.Order()).Draw(t, "samplers")
	}
	return o
}

func drawn(t *rapid.T, o sample.Options) *sample.Sampler {
	s, err := sample.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func allows(mask []uint64, id int32) bool { return mask == nil || mask[id/64]>>(id%64)&1 == 1 }

// With any options in any order: what may be drawn is never empty, is within the
// mask, sums to one, and holds what is drawn; nothing that was given changes.
func TestKeptSetIsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := row(t)
		at, o := place(t, len(x)), options(t)
		given := slices.Clone(x)
		mask := slices.Clone(at.Mask)
		s := drawn(t, o)
		d := s.Distribution(x, at)
		if len(d) == 0 {
			t.Fatal("nothing may be drawn")
		}
		var sum float64
		for i, tok := range d {
			if sum += math.Exp(tok.LogProb); !allows(at.Mask, tok.ID) {
				t.Fatalf("id %d is masked", tok.ID)
			}
			if i > 0 && (tok.LogProb > d[i-1].LogProb || tok.LogProb == d[i-1].LogProb && tok.ID < d[i-1].ID) {
				t.Fatalf("out of order: %v", d)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("probabilities sum to %v", sum)
		}
		got := s.Draw(x, at)
		i := slices.IndexFunc(d, func(z sample.Token) bool { return z.ID == got.ID })
		if i < 0 || math.Abs(d[i].LogProb-got.LogProb) > 1e-9 {
			t.Fatalf("drew %v from %v", got, d)
		}
		if again := s.Fork().Draw(x, at); again != got {
			t.Fatalf("drew %v, then %v", got, again)
		}
		if !slices.Equal(x, given) || !slices.Equal(at.Mask, mask) {
			t.Fatal("logits or mask were changed")
		}
	})
}

// The chain is that of the slow reference, to rounding.
func TestChainIsTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := row(t)
		at, o := place(t, len(x)), options(t)
		if o.DRYMultiplier > 1 {
			o.DRYMultiplier = 2 // the reference overflows
		}
		for id, b := range o.LogitBias {
			o.LogitBias[id] = max(-100, min(100, b))
		}
		c, p := reference(o, x, at)
		d := drawn(t, o).Distribution(x, at)
		want := map[int32]float64{}
		for i, z := range c {
			want[z.id] = p[i]
		}
		for _, tok := range d {
			q := math.Exp(tok.LogProb)
			if math.Abs(want[tok.ID]-q) > 1e-9 && !border(o, c, p) {
				t.Fatalf("id %d: %v, the reference says %v (%d and %d candidates)", tok.ID, q, want[tok.ID], len(d), len(c))
			}
			delete(want, tok.ID)
		}
		for id, q := range want {
			if q > 1e-12 && !border(o, c, p) {
				t.Fatalf("id %d of probability %v is missing", id, q)
			}
		}
	})
}

// border says that rounding may decide which candidates are kept: some are equal
// to it in what a step looks at, or a share falls on the border.
func border(o sample.Options, c []item, p []float64) bool {
	return (o.TypicalP != 0 || o.TopP > 0 && o.TopP < 1 || o.XTCProbability > 0) && tied(c)
}

func tied(c []item) bool {
	for i := 1; i < len(c); i++ {
		if math.Abs(c[i].logit-c[i-1].logit) < 1e-9 {
			return true
		}
	}
	return len(c) < 2
}

// A looser bound keeps all that a tighter one keeps, and at least as much mass.
func TestMassIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := row(t)
		at := place(t, len(x))
		a, b := rapid.Float64Range(0.001, 1).Draw(t, "a"), rapid.Float64Range(0.001, 1).Draw(t, "b")
		tight, loose := min(a, b), max(a, b)
		k := rapid.IntRange(1, 50).Draw(t, "k")
		for name, pair := range map[string][2]sample.Options{
			"top-k":     {{TopK: k}, {TopK: k + rapid.IntRange(0, 50).Draw(t, "more")}},
			"top-p":     {{TopP: tight}, {TopP: loose}},
			"min-p":     {{MinP: loose}, {MinP: tight}},
			"typical-p": {{TypicalP: tight}, {TypicalP: loose}},
		} {
			pair[0].Temperature, pair[1].Temperature = 1, 1
			few, many := drawn(t, pair[0]).Distribution(x, at), drawn(t, pair[1]).Distribution(x, at)
			for _, tok := range few {
				if !slices.ContainsFunc(many, func(z sample.Token) bool { return z.ID == tok.ID }) {
					t.Fatalf("%s: id %d is kept by the tighter bound alone", name, tok.ID)
				}
			}
			if f, m := mass(drawn(t, pair[0]), x, at), mass(drawn(t, pair[1]), x, at); f > m+1e-12 {
				t.Fatalf("%s: mass %v and %v", name, f, m)
			}
		}
	})
}

// mass is what the first step behind the mask keeps.
func mass(s *sample.Sampler, x []float32, at sample.At) float64 {
	r := s.Explain(x, at, -1, nil)
	if len(r) < 2 {
		return 1
	}
	return r[1].Kept
}

// Steps that look at ranks and ratios only do not care about their order; those
// that look at shares do.
func TestOrderLaws(t *testing.T) {
	same := func(t *rapid.T, o sample.Options, a, b []string, x []float32, at sample.At) {
		o.Samplers = a
		p := drawn(t, o).Distribution(x, at)
		o.Samplers = b
		q := drawn(t, o).Distribution(x, at)
		if len(p) != len(q) {
			t.Fatalf("%v keeps %d, %v keeps %d", a, len(p), b, len(q))
		}
		for i := range p {
			if math.Abs(p[i].LogProb-q[i].LogProb) > 1e-9 { // equal ones may stand in another order, after rounding
				t.Fatalf("%v: %v, %v: %v", a, p[i], b, q[i])
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x := row(t)
		at := place(t, len(x))
		same(t, sample.Options{TopK: 5, Temperature: 0.7}, []string{"top_k", "temperature"}, []string{"temperature", "top_k"}, x, at)
		same(t, sample.Options{TopK: 5, MinP: 0.1, Temperature: 1}, []string{"top_k", "min_p"}, []string{"min_p", "top_k"}, x, at)
		same(t, sample.Options{LogitBias: map[int32]float64{0: 1}, FrequencyPenalty: .5, Temperature: 1}, []string{"logit_bias", "penalties"}, []string{"penalties", "logit_bias"}, x, at)
	})
	x := logs(.5, .25, .15, .1)
	for _, c := range []struct {
		o    sample.Options
		want []int32
	}{
		{sample.Options{TopP: .7, Temperature: 5}, []int32{0, 1}},
		{sample.Options{TopP: .7, Temperature: 5, Samplers: []string{"temperature", "top_p"}}, []int32{0, 1, 2}},
		{sample.Options{MinP: .25, Temperature: .2}, []int32{0, 1, 2}},
		{sample.Options{MinP: .25, Temperature: .2, Samplers: []string{"temperature", "min_p"}}, []int32{0}},
		{sample.Options{TopK: 2, TopP: .6, Temperature: 1}, []int32{0}},
		{sample.Options{TopK: 2, TopP: .6, Temperature: 1, Samplers: []string{"top_p", "top_k"}}, []int32{0, 1}},
	} {
		if got := ids(sampler(t, c.o).Distribution(x, sample.At{})); !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.o, got, c.want)
		}
	}
}

// A mask over a large row: forbidden ids have no part in anything, whatever the
// scan that reads it.
func TestMaskIsRemoval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const v = 20000
		x := make([]float32, v)
		seed := rapid.Uint64().Draw(t, "seed")
		for i := range x {
			x[i] = float32(math.Sin(float64(seed%1000)+float64(i)*1.7) * 9)
		}
		mask := make([]uint64, (v+63)/64)
		dense := rapid.IntRange(0, 3).Draw(t, "dense")
		for i := range mask {
			mask[i] = rapid.SampledFrom([]uint64{0, ^uint64(0), 1 << (seed % 64), seed}).Draw(t, "word")
			if dense == 0 && i > 2 {
				mask[i] = 0
			}
		}
		mask[v/128] |= 2
		without := slices.Clone(x)
		n := 0
		for i := range without {
			if !allows(mask, int32(i)) {
				without[i] = -inf
			}
		}
		for _, w := range mask {
			n += bits.OnesCount64(w)
		}
		for _, o := range []sample.Options{{}, {Temperature: 1, TopK: 40, TopP: .9}, {Temperature: .8, TopP: .9}, {Temperature: 1, MinP: .2}, {Temperature: 1.2}, {Temperature: 1, LogitBias: map[int32]float64{3: 2, 19999: 90}, TopK: 3}} {
			a, b := drawn(t, o).Distribution(x, sample.At{Mask: mask}), drawn(t, o).Distribution(without, sample.At{})
			if !slices.Equal(a, b) {
				t.Fatalf("%+v over %d allowed ids: %s", o, n, fmt.Sprint(len(a), " and ", len(b), " candidates"))
			}
		}
	})
}
