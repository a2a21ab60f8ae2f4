package sample_test

import (
	"cmp"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/rng"
)

// item is a candidate of the reference chain.
type item struct {
	id    int32
	logit float64
}

// reference is the chain as its papers tell it, with full sorts and probabilities:
// slow, and written apart from the package. It returns the candidates that are
// left, most probable first, with their probabilities.
func reference(o sample.Options, logits []float32, at sample.At) ([]item, []float64) {
	var c []item
	for i, x := range logits {
		if x > float32(math.Inf(-1)) && (at.Mask == nil || at.Mask[i/64]>>(i%64)&1 == 1) {
			c = append(c, item{int32(i), float64(x)})
		}
	}
	f := o.Filled()
	for _, step := range f.Samplers {
		if len(c) == 0 {
			break
		}
		if f.Temperature == 0 && slices.Contains([]string{"top_k", "typical_p", "top_p", "min_p", "xtc", "temperature"}, step) {
			continue
		}
		c = referenceStep(f, step, sorted(c), at)
	}
	c = sorted(c)
	if f.Temperature == 0 && len(c) > 0 {
		return c[:1], []float64{1}
	}
	return c, probabilities(c)
}

func sorted(c []item) []item {
	slices.SortFunc(c, func(a, b item) int {
		return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.id, b.id))
	})
	return c
}

// probabilities of sorted candidates.
func probabilities(c []item) []float64 {
	p := make([]float64, len(c))
	var sum float64
	for i, x := range c {
		p[i] = math.Exp(x.logit - c[0].logit)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

func entropyOf(p []float64) (h float64) {
	for _, x := range p {
		if x > 0 {
			h -= x * math.Log(x)
		}
	}
	return h
}

// first is how many of p it takes to reach share.
func first(p []float64, share float64) int {
	sum := 0.0
	for i, x := range p {
		if sum += x; sum >= share {
			return i + 1
		}
	}
	return len(p)
}

func referenceStep(f sample.Options, step string, c []item, at sample.At) []item {
	p := probabilities(c)
	switch step {
	case "logit_bias":
		for i := range c {
			c[i].logit += f.LogitBias[c[i].id]
		}
	case "penalties":
		window := at.History
		if f.RepeatLastN >= 0 {
			window = window[max(0, len(window)-f.RepeatLastN):]
		}
		counts := map[int32]float64{}
		for _, id := range window {
			counts[id]++
		}
		for i, x := range c {
			if n := counts[x.id]; n > 0 {
				if x.logit > 0 {
					x.logit /= f.RepeatPenalty
				} else {
					x.logit *= f.RepeatPenalty
				}
				c[i].logit = x.logit - n*f.FrequencyPenalty - f.PresencePenalty
			}
		}
	case "dry":
		return referenceDRY(f, c, at)
	case "top_k":
		if f.TopK > 0 {
			c = c[:min(f.TopK, len(c))]
		}
	case "typical_p":
		if f.TypicalP < 1 {
			h := entropyOf(p)
			order := make([]int, len(c))
			for i := range order {
				order[i] = i
			}
			far := func(i int) float64 { return math.Abs(-math.Log(p[i]) - h) }
			slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(far(a), far(b)), cmp.Compare(c[a].id, c[b].id)) })
			q := make([]float64, len(c))
			for i, j := range order {
				q[i] = p[j]
			}
			var out []item
			for _, j := range order[:first(q, f.TypicalP)] {
				out = append(out, c[j])
			}
			c = out
		}
	case "top_p":
		if f.TopP < 1 {
			c = c[:first(p, f.TopP)]
		}
	case "min_p":
		c = slices.DeleteFunc(slices.Clone(c), func(x item) bool { return x.logit < c[0].logit+math.Log(f.MinP) })
	case "xtc":
		if rng.Float64(f.Seed, at.Stream^rng.Stream("sample: xtc"), at.Index) < f.XTCProbability {
			n := 0
			for n < len(p) && p[n] >= f.XTCThreshold {
				n++
			}
			c = c[max(0, n-1):]
		}
	case "temperature":
		t := f.Temperature
		if t == 1 && f.DynatempRange == 0 {
			break // no step: the logits stay as they are, not as distances
		}
		if f.DynatempRange > 0 && len(c) > 1 {
			low, high := max(0, t-f.DynatempRange), t+f.DynatempRange
			t = low + (high-low)*math.Pow(entropyOf(p)/math.Log(float64(len(c))), f.DynatempExponent)
		}
		for i := len(c) - 1; i >= 0; i-- {
			c[i].logit = (c[i].logit - c[0].logit) / t
		}
	}
	return c
}

// referenceDRY tries every earlier place and every length.
func referenceDRY(f sample.Options, c []item, at sample.At) []item {
	h := at.History
	if f.DRYLastN >= 0 {
		h = h[max(0, len(h)-f.DRYLastN):]
	}
	breaks := func(id int32) bool {
		return int(id) < len(f.Vocabulary) && slices.ContainsFunc(f.DRYBreakers, func(b string) bool { return string(f.Vocabulary[id]) == b })
	}
	if f.DRYMultiplier == 0 {
		return c
	}
	longest := map[int32]int{}
	for i := 1; i < len(h); i++ { // h[i] followed h[i-n:i]
		n := 0
		for n < i && h[i-1-n] == h[len(h)-1-n] && !breaks(h[i-1-n]) {
			n++
		}
		longest[h[i]] = max(longest[h[i]], n)
	}
	for i, x := range c {
		if n := longest[x.id]; n >= f.DRYAllowedLength && !breaks(x.id) {
			c[i].logit -= f.DRYMultiplier * math.Pow(f.DRYBase, float64(n-f.DRYAllowedLength))
		}
	}
	return c
}
