package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/train/objective"
)

// OverOptions of the experiment; zero fields are the defaults.
type OverOptions struct {
	Widths  []int     // hidden units of the reward models, rising, 0: linear; nil: 0, 4, 16, 64
	Labels  []int     // numbers of comparisons, rising; nil: 300, 3000, 30000. RL is done with the second (or only) one
	Models  int       // reward models of each kind, of which the mean is shown; 0: 3
	Pool    int       // samples that best-of-n is taken from; 0: 65,536
	Rounds  int       // rollouts of RL; 0: 300
	Penalty []float64 // further runs of RL with these weights of the divergence, on the middle width; nil: 0.03, 0.1
	Checks  int       // samples of each check whose gold reward the alarm sees; 0: 400
	Seed    uint64
}

func (o *OverOptions) defaults() {
	if o.Widths == nil {
		o.Widths = []int{0, 4, 16, 64}
	}
	if o.Labels == nil {
		o.Labels = []int{300, 3000, 30000}
	}
	if o.Penalty == nil {
		o.Penalty = []float64{0.03, 0.1}
	}
	for _, f := range []struct {
		x   *int
		def int
	}{{&o.Models, 3}, {&o.Pool, 1 << 16}, {&o.Rounds, 300}, {&o.Checks, 400}} {
		if *f.x == 0 {
			*f.x = f.def
		}
	}
}

// Validate names the first impossible option.
func (o OverOptions) Validate() error {
	o.defaults()
	switch {
	case len(o.Widths) == 0 || len(o.Labels) == 0:
		return errors.New("no widths, or no numbers of labels")
	case !slices.IsSorted(o.Widths) || o.Widths[0] < 0 || o.Widths[len(o.Widths)-1] > 1024:
		return fmt.Errorf("widths %v: they must rise from 0 or more to at most 1024", o.Widths)
	case !slices.IsSorted(o.Labels) || o.Labels[0] < 1:
		return fmt.Errorf("labels %v: they must rise from 1 or more", o.Labels)
	case o.Models < 1 || o.Pool < 256 || o.Rounds < 1 || o.Rounds%checkEvery != 0 || o.Checks < 2:
		return fmt.Errorf("%d models, a pool of %d, %d rounds, checks of %d: at least 1, 256, %d (or a multiple of it) and 2", o.Models, o.Pool, o.Rounds, o.Checks, checkEvery)
	}
	for _, x := range o.Penalty {
		if !(x > 0) {
			return fmt.Errorf("penalty %g: it must be positive, RL without is always there", x)
		}
	}
	return nil
}

// GoldCurve is proxy and gold reward over the distance from the reference, the mean
// over reward models of one kind.
type GoldCurve struct {
	Width   int          `json:"width"`  // of the reward model
	Params  int          `json:"params"` // of the reward model
	Labels  int          `json:"labels"`
	RL      bool         `json:"rl"` // else best-of-n
	Penalty float64      `json:"penalty"`
	D       []float64    `json:"sqrt_kl"`
	Proxy   []float64    `json:"proxy"`
	Gold    []float64    `json:"gold"`
	Law     eval.GoldLaw `json:"law"`        // of its own form
	Other   eval.GoldLaw `json:"other_form"` // of the other one
	Peak    float64      `json:"peak"`       // the most gold
	PeakAt  float64      `json:"peak_at"`    // sqrt(KL) there
	Alarms  []Alarm      `json:"alarms,omitempty"`
}

// Alarm is where a run of RL would have been stopped, as sqrt(KL); 0: nowhere.
type Alarm struct {
	Gold   float64 `json:"gold"`   // by gold rewards of few checked samples
	Second float64 `json:"second"` // by the scores of a second reward model, fitted on other labels
	Lost   float64 `json:"lost"`   // gold between the peak and the first of both
}

// accumulate adds one reward model's points, of models.
func (c *GoldCurve) accumulate(i int, d, proxy, gold float64, models int) {
	for len(c.D) <= i {
		c.D, c.Proxy, c.Gold = append(c.D, 0), append(c.Proxy, 0), append(c.Gold, 0)
	}
	n := float64(models)
	c.D[i] += d / n
	c.Proxy[i] += proxy / n
	c.Gold[i] += gold / n
}

// finish fits the laws.
func (c *GoldCurve) finish() (err error) {
	if c.Law, err = eval.FitGold(c.D, c.Gold, c.RL); err != nil {
		return err
	}
	c.Other, err = eval.FitGold(c.D, c.Gold, !c.RL)
	for i, g := range c.Gold {
		if g > c.Peak {
			c.Peak, c.PeakAt = g, c.D[i]
		}
	}
	return err
}

// bestOfCurve adds best-of-n by s over a pool of samples with their gold rewards:
// the i-th of M samples from below is the best of n with (i/M)^n - ((i-1)/M)^n.
func (c *GoldCurve) bestOfCurve(s *scorer, pool []float32, gold []float64, models int) {
	score := s.scores(pool)
	at := make([]int, len(score))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(i, j int) int {
		switch {
		case score[i] < score[j]:
			return -1
		case score[i] > score[j]:
			return 1
		}
		return 0
	})
	M := float64(len(at))
	for k, n := range grid(len(at) / 16) {
		var proxy, real, below float64
		for i, j := range at {
			up := math.Pow(float64(i+1)/M, float64(n))
			proxy += (up - below) * score[j]
			real += (up - below) * gold[j]
			below = up
		}
		c.accumulate(k, math.Sqrt(eval.BestOfNKL(n)), proxy-s.zero, real, models)
	}
}

// checkEvery is the rollouts between two points of a curve of RL.
const checkEvery = 10

// rlCurve trains a policy by RLOO against s and adds what becomes of it. Second is
// another reward model that watches.
func (w *world) rlCurve(ctx context.Context, c *GoldCurve, s, second *scorer, o OverOptions, seed uint64) error {
	t := newTabular(s.b, w.ref)
	defer t.close()
	rloo, err := objective.NamedPolicyMethod("rloo")
	if err != nil {
		return err
	}
	var d, exact, gold, goldSE, watch, watchSE []float64
	err = reinforcement{
		method: rloo, coef: c.Penalty, batch: 128, group: 4, epochs: 2, rounds: o.Rounds, rate: 0.03, seed: seed,
		score: func(ids []int32) []float64 { return s.scores(vectors(ids)) },
		each: func(round int, logp [][]float64) error {
			if round%checkEvery != 0 {
				return ctx.Err()
			}
			ids := drawIDs(logp, o.Checks, seed, rng.Stream("lab: check")+uint64(round))
			x := vectors(ids)
			d, exact = append(d, math.Sqrt(max(0, t.divergence(logp)))), append(exact, w.expected(logp))
			m, se := meanError(w.golds(ids))
			gold, goldSE = append(gold, m), append(goldSE, se)
			m, se = meanError(second.scores(x))
			watch, watchSE = append(watch, m), append(watchSE, se)
			c.accumulate(round/checkEvery, d[len(d)-1], mean(s.scores(x))-s.zero, exact[len(exact)-1], o.Models)
			return ctx.Err()
		},
	}.run(t)
	if err != nil {
		return err
	}
	c.Alarms = append(c.Alarms, alarm(d, exact, eval.FindKnee(gold, goldSE, kneeZ), eval.FindKnee(watch, watchSE, kneeZ)))
	return nil
}

// kneeZ is the standard errors by which a reward must have fallen: with some thirty
// checks of a run, two would be too few.
const kneeZ = 3

func alarm(d, exact []float64, gold, second eval.Knee) (a Alarm) {
	first := len(d)
	if gold.Alarm >= 0 {
		a.Gold, first = d[gold.Alarm], gold.Alarm
	}
	if second.Alarm >= 0 {
		a.Second, first = d[second.Alarm], min(first, second.Alarm)
	}
	if first < len(d) {
		a.Lost = slices.Max(exact) - exact[first]
	}
	return a
}

// meanError is the mean with its standard error.
func meanError(x []float64) (m, se float64) {
	m = mean(x)
	for _, v := range x {
		se += (v - m) * (v - m)
	}
	n := float64(len(x))
	return m, math.Sqrt(se / (n - 1) / n)
}

// OverResult is the experiment's.
type OverResult struct {
	Models int         `json:"models"`
	Best   []GoldCurve `json:"best_of_n"`
	RL     []GoldCurve `json:"rl"`
	Laws   []GoldCheck `json:"laws"`
}

// GoldCheck is one statement of the paper, and what is found here.
type GoldCheck struct {
	Law   string `json:"law"`
	Holds bool   `json:"holds"`
	Found string `json:"found"`
}

// Overoptimisation fits proxies of several sizes on comparisons by a known gold
// reward and optimises against them by best-of-n and by RL (Gao, Schulman & Hilton
// 2022, arXiv 2210.10760): the proxy's reward rises for ever, gold rises and falls.
// Progress may be nil.
func Overoptimisation(ctx context.Context, b tensor.Backend, o OverOptions, progress func(done, total int)) (*OverResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	w := newWorld(o.Seed)
	pool := drawIDs(w.ref, o.Pool, o.Seed, rng.Stream("lab: pool"))
	x, gold := vectors(pool), w.golds(pool)
	r := &OverResult{Models: o.Models}
	labelsRL := o.Labels[min(1, len(o.Labels)-1)]
	middle := o.Widths[len(o.Widths)/2]
	done, total := 0, len(o.Widths)*len(o.Labels)
	for _, width := range o.Widths {
		for _, labels := range o.Labels {
			c := GoldCurve{Width: width, Labels: labels}
			runs := []GoldCurve{}
			if labels == labelsRL {
				runs = append(runs, GoldCurve{Width: width, Labels: labels, RL: true})
				if width == middle {
					for _, z := range o.Penalty {
						runs = append(runs, GoldCurve{Width: width, Labels: labels, RL: true, Penalty: z})
					}
				}
			}
			for k := range o.Models {
				if err := w.optimise(ctx, b, &c, runs, x, gold, o, uint64(k)); err != nil {
					return nil, err
				}
			}
			for i := range runs {
				runs[i].Params = c.Params
				if err := runs[i].finish(); err != nil {
					return nil, err
				}
			}
			if err := c.finish(); err != nil {
				return nil, err
			}
			r.Best, r.RL = append(r.Best, c), append(r.RL, runs...)
			if done++; progress != nil {
				progress(done, total)
			}
		}
	}
	r.check(o)
	return r, nil
}

// optimise adds the k-th reward model's points to the curve of best-of-n and to
// those of RL.
func (w *world) optimise(ctx context.Context, b tensor.Backend, c *GoldCurve, runs []GoldCurve, pool []float32, gold []float64, o OverOptions, k uint64) error {
	seed := rng.Uint64(o.Seed, rng.Stream("lab: proxies"), k)
	s, err := w.proxy(ctx, b, c.Width, c.Labels, seed)
	if err != nil {
		return err
	}
	defer s.close()
	c.Params = s.size()
	c.bestOfCurve(s, pool, gold, o.Models)
	if len(runs) == 0 {
		return nil
	}
	second, err := w.proxy(ctx, b, c.Width, c.Labels, seed+1)
	if err != nil {
		return err
	}
	defer second.close()
	for i := range runs {
		if err := w.rlCurve(ctx, &runs[i], s, second, o, seed); err != nil {
			return err
		}
	}
	return nil
}
