package sample_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/rng"
)

var inf = float32(math.Inf(1))
var nan = float32(math.NaN())

func sampler(t testing.TB, o sample.Options) *sample.Sampler {
	t.Helper()
	s, err := sample.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// logs turns probabilities into logits.
func logs(p ...float64) []float32 {
	x := make([]float32, len(p))
	for i, p := range p {
		x[i] = float32(math.Log(p))
	}
	return x
}

func ids(d []sample.Token) []int32 {
	out := make([]int32, len(d))
	for i, t := range d {
		out[i] = t.ID
	}
	return out
}

func TestTemperature(t *testing.T) {
	for _, c := range []struct{ temperature, first, second float64 }{
		{0.5, .1192, .8808}, {0.7, .1933, .8067}, {1, .2689, .7311}, {1.5, .3392, .6608}, {2, .3775, .6225},
		{1e9, .5, .5}, {math.SmallestNonzeroFloat64, 0, 1},
	} {
		got := make([]float64, 2)
		for _, x := range sampler(t, sample.Options{Temperature: c.temperature}).Distribution([]float32{1, 2}, sample.At{}) {
			got[x.ID] = math.Exp(x.LogProb)
		}
		if math.Abs(got[0]-c.first) > 5e-5 || math.Abs(got[1]-c.second) > 5e-5 {
			t.Errorf("temperature %g: got %.4f, want (%.4f, %.4f)", c.temperature, got, c.first, c.second)
		}
	}
}

func TestKeptTokens(t *testing.T) {
	fruit := logs(.55, .36, .06, .03)
	for _, c := range []struct {
		name   string
		o      sample.Options
		logits []float32
		want   []int32
	}{
		{"top-p .9 keeps the token that crosses", sample.Options{TopP: .9}, fruit, []int32{0, 1}},
		{"top-p .99 needs all, .97 is short", sample.Options{TopP: .99}, fruit, []int32{0, 1, 2, 3}},
		{"top-p below the first keeps it", sample.Options{TopP: 1e-300}, fruit, []int32{0}},
		{"top-p 1 keeps all", sample.Options{TopP: 1}, fruit, []int32{0, 1, 2, 3}},
		{"top-p counts after top-k", sample.Options{TopK: 2, TopP: .6}, fruit, []int32{0}},
		{"top-p counts before temperature", sample.Options{Temperature: 1e6, TopP: .7}, fruit, []int32{0, 1}},
		{"top-p after temperature where the order says so", sample.Options{Temperature: 1e6, TopP: .7, Samplers: []string{"temperature", "top_p"}}, fruit, []int32{0, 1, 2}},
		{"top-k 1", sample.Options{TopK: 1}, []float32{1, 5, 3}, []int32{1}},
		{"top-k beyond the vocabulary", sample.Options{TopK: 9}, []float32{1, 5, 3}, []int32{1, 2, 0}},
		{"top-k border of equals", sample.Options{TopK: 3}, []float32{7, 7, 9, 7, 7}, []int32{2, 0, 1}},
		{"top-p border of equals", sample.Options{TopP: .5}, []float32{7, 7, 7, 7}, []int32{0, 1}},
		{"masked ids", sample.Options{TopK: 3}, []float32{-inf, 2, -inf, 1}, []int32{1, 3}},
		{"NaN is never kept", sample.Options{}, []float32{nan, 2, nan, 3}, []int32{3, 1}},
		{"+Inf takes all", sample.Options{}, []float32{3, inf, 2, inf}, []int32{1, 3}},
		{"huge logits", sample.Options{}, []float32{3e38, -3e38, 3e38}, []int32{0, 2}},
		{"nothing to draw", sample.Options{TopK: 2, TopP: .5}, []float32{-inf, nan}, []int32{}},
		{"no logits", sample.Options{}, nil, []int32{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.o.Temperature == 0 {
				c.o.Temperature = 1
			}
			s := sampler(t, c.o)
			d := s.Distribution(c.logits, sample.At{})
			if got := ids(d); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			var sum float64
			for _, x := range d {
				sum += math.Exp(x.LogProb)
			}
			if len(d) > 0 && math.Abs(sum-1) > 1e-12 {
				t.Errorf("probabilities sum to %v", sum)
			}
			for i := range uint64(50) {
				id := s.Sample(c.logits, sample.At{Index: i})
				if len(c.want) == 0 && id != -1 || len(c.want) > 0 && !slices.Contains(c.want, id) {
					t.Fatalf("drew %d, want one of %v", id, c.want)
				}
			}
		})
	}
}

func TestTemperatureZeroIsArgmax(t *testing.T) {
	s := sampler(t, sample.Options{Seed: 4, TopK: 2, TopP: .1})
	for _, c := range []struct {
		logits []float32
		want   int32
	}{
		{[]float32{1, 3, 3, 2}, 1}, {[]float32{nan, -5, -4}, 2}, {[]float32{inf, inf}, 0},
		{[]float32{-inf, -inf}, -1}, {nil, -1},
	} {
		if got := s.Sample(c.logits, sample.At{Stream: 1, Index: 2}); got != c.want {
			t.Errorf("%v: got %d, want %d", c.logits, got, c.want)
		}
		if d := s.Distribution(c.logits, sample.At{}); c.want >= 0 && (len(d) != 1 || d[0] != sample.Token{ID: c.want}) {
			t.Errorf("%v: distribution %v", c.logits, d)
		}
	}
}

// TestSelectionAgainstSort compares quickselect, plain and weighted, with the
// first entries of a full sort, on rows chosen to hurt it.
func TestSelectionAgainstSort(t *testing.T) {
	const v = 3001
	rows := map[string]func(i int) float32{
		"normal":     func(i int) float32 { return float32(4 * rng.Normal(1, 0, uint64(i))) },
		"rising":     func(i int) float32 { return float32(i) / 300 },
		"falling":    func(i int) float32 { return -float32(i) / 300 },
		"equal":      func(int) float32 { return 2 },
		"few values": func(i int) float32 { return float32(rng.Intn(2, 0, uint64(i), 3)) },
		"organ pipe": func(i int) float32 { return float32(min(i, v-i)) / 200 },
		"peaked":     func(i int) float32 { return float32(30 / (1 + i)) },
		"wide":       func(i int) float32 { return float32(100 * rng.Normal(3, 0, uint64(i))) },
		"two hills":  func(i int) float32 { return float32(math.Abs(9*rng.Float64(4, 0, uint64(i)) - 4)) },
		"far apart":  func(i int) float32 { return float32(40 * (1 - i%2)) },
	}
	for name, f := range rows {
		x := make([]float32, v)
		order := make([]int32, v)
		for i := range x {
			x[i], order[i] = f(i), int32(i)
		}
		slices.SortStableFunc(order, func(a, b int32) int {
			switch {
			case x[a] > x[b]:
				return -1
			case x[a] < x[b]:
				return 1
			}
			return 0
		})
		var total float64
		for _, l := range x {
			total += math.Exp(float64(l) - float64(x[order[0]]))
		}
		for _, k := range []int{1, 2, 31, 33, 255, 256, 257, 600, 1500, v - 1, v} {
			got := ids(sampler(t, sample.Options{Temperature: 1, TopK: k}).Distribution(x, sample.At{}))
			if !slices.Equal(got, order[:k]) {
				t.Errorf("%s: top-k %d differs from a full sort", name, k)
			}
		}
		for _, p := range []float64{.001, .1, .5, .9003, .99, .9999} {
			n, mass := 0, 0.0
			for mass < p {
				mass += math.Exp(float64(x[order[n]])-float64(x[order[0]])) / total
				n++
			}
			got := ids(sampler(t, sample.Options{Temperature: 1, TopP: p}).Distribution(x, sample.At{}))
			if !slices.Equal(got, order[:n]) {
				t.Errorf("%s: top-p %g keeps %d tokens, a full sort %d", name, p, len(got), n)
			}
			o := sample.Options{Temperature: 1, TypicalP: p}
			want, _ := reference(o, x, sample.At{})
			got = ids(sampler(t, o).Distribution(x, sample.At{}))
			same := len(got) == len(want)
			for _, z := range want {
				same = same && slices.Contains(got, z.id)
			}
			if !same {
				t.Errorf("%s: typical-p %g keeps %d tokens, the reference %d", name, p, len(got), len(want))
			}
		}
	}
}

// TestDrawsFollowTheDistribution is a chi-square test of draws against exact
// probabilities. Seeds are fixed, so it passes always or never; the bound is
// the 99.9 % quantile (Wilson and Hilferty 1931).
func TestDrawsFollowTheDistribution(t *testing.T) {
	const v, draws = 50, 40000
	x := make([]float32, v)
	for i := range x {
		x[i] = float32(rng.Normal(3, 1, uint64(i)))
	}
	for i, o := range []sample.Options{
		{Temperature: 1}, {Temperature: .6}, {Temperature: 1.7}, {Temperature: 1, TopK: 7}, {Temperature: 1, TopP: .8},
		{Temperature: 1.3, TopK: 20, TopP: .9, Seed: 99},
	} {
		// Alternately along an index and across streams: both must be random.
		s := sampler(t, o)
		count := make([]float64, v)
		for n := range uint64(draws) {
			if i%2 == 0 {
				count[s.Sample(x, sample.At{Stream: 5, Index: n})]++
			} else {
				count[s.Sample(x, sample.At{Stream: n, Index: 5})]++
			}
		}
		d := s.Distribution(x, sample.At{})
		var chi, seen float64
		for _, tok := range d {
			want := draws * math.Exp(tok.LogProb)
			chi += (count[tok.ID] - want) * (count[tok.ID] - want) / want
			seen += count[tok.ID]
		}
		if seen != draws {
			t.Errorf("%+v: %v draws outside the distribution", o, draws-seen)
		}
		f := float64(len(d) - 1)
		bound := f * math.Pow(1-2/(9*f)+3.09*math.Sqrt(2/(9*f)), 3)
		if chi > bound {
			t.Errorf("%+v: chi-square %.1f with %g degrees of freedom, bound %.1f", o, chi, f, bound)
		}
	}
}

func TestDrawIsAFunctionOfSeedStreamIndex(t *testing.T) {
	x := make([]float32, 300)
	for i := range x {
		x[i] = float32(rng.Normal(8, 0, uint64(i)))
	}
	before := slices.Clone(x)
	o := sample.Options{Temperature: 1, TopK: 100, TopP: .95, Seed: 11}
	a, b := sampler(t, o), sampler(t, o)
	var forward, backward [64]int32
	for i := range forward {
		forward[i] = a.Sample(x, sample.At{Stream: 2, Index: uint64(i)})
	}
	for i := len(backward) - 1; i >= 0; i-- {
		b.Sample(x[:17], sample.At{Stream: 9, Index: uint64(i)}) // another sequence between two draws
		backward[i] = b.Sample(x, sample.At{Stream: 2, Index: uint64(i)})
	}
	if forward != backward {
		t.Errorf("order of calls changes the draw:\n%v\n%v", forward, backward)
	}
	if !slices.Equal(x, before) {
		t.Error("Sample changed the logits")
	}
	o.Seed++
	var other [64]int32
	for i := range other {
		other[i] = sampler(t, o).Sample(x, sample.At{Stream: 2, Index: uint64(i)})
	}
	if other == forward {
		t.Error("the seed changes nothing")
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		o    sample.Options
		want string // part of the error, "" for none
	}{
		{sample.Options{}, ""},
		{sample.Options{Temperature: 1.5, TopK: 40, TopP: 1}, ""},
		{sample.Options{Temperature: -1}, "temperature -1"},
		{sample.Options{Temperature: math.NaN()}, "temperature NaN"},
		{sample.Options{Temperature: math.Inf(1)}, "temperature +Inf"},
		{sample.Options{TopK: -3}, "top-k -3"},
		{sample.Options{TopP: 1.01}, "top-p 1.01"},
		{sample.Options{TopP: -.1}, "top-p -0.1"},
		{sample.Options{TopP: math.NaN()}, "top-p NaN"},
	} {
		_, err := sample.New(c.o)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got error %v, want %q", c.o, err, c.want)
		}
	}
}

func TestLogProbabilities(t *testing.T) {
	// 400 tokens of probability 0.1: the product underflows, the sum does not.
	x := logs(.1, .2, .7)
	product, sum := 1.0, 0.0
	for range 400 {
		product *= .1
		sum += sample.LogProb(x, 0)
	}
	if product != 0 || math.Abs(sum+921.034) > 1e-3 {
		t.Errorf("got product %g and sum %.4f, want 0 and -921.034", product, sum)
	}

	d := make([]float64, 3)
	sample.LogSoftmax(d, []float32{1000, 999, -inf})
	if math.Abs(d[0]+0.3132617) > 1e-6 || math.Abs(d[1]+1.3132617) > 1e-6 || !math.IsInf(d[2], -1) {
		t.Errorf("log-softmax of large logits: got %v", d)
	}
	sample.LogSoftmax(d, []float32{1, nan, 2})
	if !math.IsNaN(d[0]) {
		t.Errorf("a NaN logit must show: got %v", d)
	}
	if got := sample.LogSumExp(nil); !math.IsInf(got, -1) {
		t.Errorf("log-sum-exp of nothing: got %v", got)
	}

	top := sample.TopN([]float32{2, 5, nan, 5, 1}, 3)
	if got := ids(top); !slices.Equal(got, []int32{1, 3, 0}) {
		t.Errorf("top 3: got %v, want [1 3 0]", got)
	}
	if !math.IsNaN(top[0].LogProb) {
		t.Errorf("a NaN logit must show in TopN: got %v", top)
	}
	x = logs(.1, .2, .7)
	if got := sample.TopN(x, 9); len(got) != 3 || got[0].ID != 2 || math.Abs(math.Exp(got[0].LogProb)-.7) > 1e-7 {
		t.Errorf("got %v, want all three, .7 first", got)
	}
	if got := sample.TopN(x, 0); got != nil {
		t.Errorf("top 0: got %v", got)
	}
}

// A top-k softmax over k logits is the full softmax renormalised.
func TestTopKRenormalises(t *testing.T) {
	x := logs(.5, .25, .15, .1)
	d := sampler(t, sample.Options{Temperature: 1, TopK: 2}).Distribution(x, sample.At{})
	for i, want := range []float64{2. / 3, 1. / 3} {
		if got := math.Exp(d[i].LogProb); math.Abs(got-want) > 1e-7 {
			t.Errorf("token %d: got %v, want %v", i, got, want)
		}
	}
}

func ExampleSampler_Sample() {
	logits := []float32{0.5, 2.5, 1.0}
	s, err := sample.New(sample.Options{}) // temperature 0: the largest
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Sample(logits, sample.At{}))
	// Output: 1
}

func BenchmarkSample(b *testing.B) {
	const v = 128 << 10
	random := make([]float32, v)
	for i := range random {
		random[i] = float32(3 * rng.Normal(1, 1, uint64(i)))
	}
	rising := slices.Clone(random)
	slices.Sort(rising)
	for _, c := range []struct {
		name   string
		o      sample.Options
		logits []float32
	}{
		{"argmax", sample.Options{}, random},
		{"temperature+top-k40+top-p", sample.Options{Temperature: .8, TopK: 40, TopP: .95}, random},
		{"top-k40/rising", sample.Options{Temperature: .8, TopK: 40, TopP: .95}, rising},
		{"top-k20000", sample.Options{Temperature: .8, TopK: 20000}, random},
		{"temperature", sample.Options{Temperature: .8}, random},
		{"top-p", sample.Options{Temperature: .8, TopP: .95}, random},
		{"top-p/rising", sample.Options{Temperature: .8, TopP: .95}, rising},
		{"typical-p", sample.Options{Temperature: .8, TypicalP: .95}, random},
		{"min-p", sample.Options{Temperature: .8, MinP: .05}, random},
		{"mirostat", sample.Options{Temperature: .8, Mirostat: 2}, random},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := sampler(b, c.o)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Sample(c.logits, sample.At{Index: uint64(i)})
			}
		})
	}
	b.Run("top-10-logprobs", func(b *testing.B) {
		for b.Loop() {
			sample.TopN(random, 10)
		}
	})
}
