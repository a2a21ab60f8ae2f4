package train

import "math"

// guard watches the loss. A step whose loss or gradient is not finite, or whose
// loss leaps far above its running mean, leaves the weights alone; both are
// decided from numbers that a checkpoint holds, so a resumed run decides alike.
type guard struct {
	Mean   float64 `json:"mean"` // running mean of the loss
	Var    float64 `json:"var"`  // running variance
	Seen   int     `json:"seen"`
	Broken int     `json:"broken"` // not finite, in a row
	Spikes int     `json:"spikes"` // skipped as spikes, in a row
}

const (
	guardDecay  = 0.98 // of the running mean and variance
	guardWarmup = 50   // steps before spikes are judged
	spikeSigma  = 8    // standard deviations above the mean...
	spikeLeast  = 0.5  // ...and nats per token above it
	maxSpikes   = 3    // then the new level is accepted
	maxBroken   = 5    // then the run ends
)

// check returns why the step must be skipped, "" if it need not.
func (g *guard) check(loss, norm float64) string {
	if math.IsNaN(loss+norm) || math.IsInf(loss+norm, 0) {
		g.Broken++
		return "not finite"
	}
	g.Broken = 0
	if g.Seen >= guardWarmup && g.Spikes < maxSpikes && loss > g.Mean+math.Max(spikeLeast, spikeSigma*math.Sqrt(g.Var)) {
		g.Spikes++
		return "loss spike"
	}
	g.Spikes = 0
	if g.Seen == 0 {
		g.Mean = loss
	}
	d := loss - g.Mean
	g.Mean += (1 - guardDecay) * d
	g.Var = guardDecay * (g.Var + (1-guardDecay)*d*d)
	g.Seen++
	return ""
}
