package posttrain_test

import (
	"context"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// reward is a term of a function.
func reward(f func(a *posttrain.Answer) float64) []posttrain.Term {
	return []posttrain.Term{{Name: "test", Weight: 1, Reward: posttrain.One(func(_ context.Context, a *posttrain.Answer) (float64, error) { return f(a), nil })}}
}

// disturb moves all weights a little.
func disturb(b *cpu.Backend, z *bundle.Bundle, by float32) {
	for _, w := range z.Model.Params() {
		x := make([]float32, w.Len())
		b.Download(x, w.T)
		for i := range x {
			x[i] += by * float32(i%7-3)
		}
		b.Upload(w.T, x)
		w.Changed()
	}
}

// healthy lets completions end after a few tokens, and rewards bytes of ASCII.
func healthy(p *tinyRun) {
	for id := range int32(60) {
		p.Base.Generation.EOS = append(p.Base.Generation.EOS, 200+id)
	}
	p.Train.Schedule.Peak = 3e-3
	p.Rewards = reward(func(a *posttrain.Answer) float64 {
		n := 0
		for _, id := range a.IDs {
			if id < 128 {
				n++
			}
		}
		return float64(n) / float64(1+len(a.IDs))
	})
}

// TestDiagnose makes every fault happen in a run of its own.
func TestDiagnose(t *testing.T) {
	if testing.Short() {
		t.Skip("learning takes many steps")
	}
	b := backend(t, 2)
	for _, c := range []struct {
		finding string // "": none
		method  string
		steps   int
		spoil   func(p *tinyRun)
	}{
		{"", "grpo", 8, healthy}, {"", "ppo", 40, healthy},
		{posttrain.KLNegative, "rloo", 1, func(p *tinyRun) {
			p.Rewards = reward(func(*posttrain.Answer) float64 { disturb(b, p.Base, 1e-3); return 1 })
		}},
		{posttrain.SamplerDiffers, "rloo", 1, func(p *tinyRun) {
			p.Rewards = reward(func(*posttrain.Answer) float64 { disturb(b, p.Base, 1e-3); return 1 })
		}},
		{posttrain.RatioNotOne, "ppo", 1, func(p *tinyRun) {
			p.Now = func() time.Time { disturb(b, p.Base, 1e-3); return time.Now() }
		}},
		{posttrain.KLExploding, "reinforce", 30, func(p *tinyRun) { p.KL.Coef, p.Train.Schedule.Peak = 0, 0.1 }},
		{posttrain.LengthHacking, "rloo", 20, func(p *tinyRun) {
			for id := range int32(60) {
				p.Base.Generation.EOS = append(p.Base.Generation.EOS, id)
			}
			p.Rewards, p.KL.Coef = reward(func(a *posttrain.Answer) float64 { return float64(len(a.IDs)) }), 0
		}},
		{posttrain.EntropyCollapse, "rloo", 40, func(p *tinyRun) { p.KL.Coef, p.Train.Schedule.Peak = 0, 0.03 }},
		{posttrain.ValueStuck, "ppo", 60, func(p *tinyRun) {
			p.Rewards = reward(func(a *posttrain.Answer) float64 { // of nothing that can be learned
				h := fnv.New32()
				h.Write([]byte(a.Text))
				return float64(h.Sum32() % 20)
			})
			p.Train.Schedule.Peak = 1e-6
		}},
		{posttrain.NoEnds, "ppo", 1, func(p *tinyRun) { p.Base.Generation.EOS = nil }},
		{posttrain.EqualRewards, "grpo", 1, func(p *tinyRun) { p.Rewards = reward(func(*posttrain.Answer) float64 { return 3 }) }},
		{posttrain.EqualRewards, "ppo", 1, func(p *tinyRun) { p.Rewards = reward(func(*posttrain.Answer) float64 { return 3 }) }},
		{posttrain.RewardsMissing, "ppo", 1, func(p *tinyRun) {
			n := 0
			p.Rewards = reward(func(*posttrain.Answer) float64 {
				if n++; n%10 == 0 {
					return math.NaN()
				}
				return float64(n)
			})
		}},
	} {
		p := policy(t, b, c.method, c.steps)
		if p.Completions > 1 {
			p.Rollout = 8
		}
		c.spoil(p)
		run(t, b, p)
		var names []string
		for _, f := range posttrain.Diagnose(posttrain.Summaries(p.log)) {
			names = append(names, f.Name)
			if s := f.String(); !strings.HasSuffix(s, ".") || strings.Contains(s, "NaN") || strings.Contains(s, "%!") {
				t.Errorf("in words: %q", s)
			}
			if f.Name == c.finding {
				t.Log(f)
			}
		}
		if c.finding == "" && len(names) > 0 || c.finding != "" && !slices.Contains(names, c.finding) {
			s := posttrain.Summaries(p.log)
			t.Errorf("found %v, want %q; figures of the last rollout: %v", names, c.finding, s[len(s)-1].First)
		}
	}
}
