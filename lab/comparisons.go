package lab

import (
	"context"
	"math"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
)

// compare draws labels: two outcomes of the uniform reference, of which one wins
// with probability sigmoid(difference of rewards). Wins[i][j] counts how often i
// won against j.
func compare(reward []float64, labels int, seed uint64) [][]int {
	n := len(reward)
	wins, chance := make([][]int, n), make([][]uint32, n)
	for i := range wins {
		wins[i], chance[i] = make([]int, n), make([]uint32, n)
		for j := range n {
			chance[i][j] = uint32(math.Exp2(32) / (1 + math.Exp(reward[j]-reward[i])))
		}
	}
	stream := rng.Stream("lab: labels")
	for k := range labels {
		x := rng.Block(seed, stream, uint64(k))
		i := int(uint64(x[0]) * uint64(n) >> 32)
		j := int(uint64(x[1]) * uint64(n) >> 32)
		if x[2] < chance[i][j] {
			wins[i][j]++
		} else {
			wins[j][i]++
		}
	}
	return wins
}

// comparisons is all labels as one batch: DPO's loss of each ordered pair of
// outcomes times how often it was labelled so.
type comparisons struct {
	t     *tabular
	loss  *objective.Preference
	ids   []int32 // chosen of all pairs, then rejected
	ref   []float64
	count []float64
	all   int
}

// dpoSteps is enough for the likelihood to be at its maximum.
const dpoSteps = 600

// prefer trains t by DPO on all labels at once.
func prefer(ctx context.Context, t *tabular, beta float64, wins [][]int) error {
	loss, err := objective.NewPreference("sigmoid", objective.PreferenceOptions{Beta: beta})
	if err != nil {
		return err
	}
	c := &comparisons{t: t, loss: loss}
	var rejected []int32
	for i, row := range wins {
		for j, n := range row {
			if n > 0 && i != j { // an outcome against itself says nothing
				c.ids, rejected = append(c.ids, int32(i)), append(rejected, int32(j))
				c.count = append(c.count, float64(n))
				c.all += n
			}
		}
	}
	c.ids = append(c.ids, rejected...)
	c.ref = tokens(t.ref, c.ids)
	tr, err := t.trainer(false, dpoSteps, 0.1)
	if err != nil {
		return err
	}
	defer tr.Close()
	for range dpoSteps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := tr.StepOn([]train.Micro{c}); err != nil {
			return err
		}
	}
	return nil
}

// Size counts labels.
func (c *comparisons) Size() (units, places int) { return c.all, len(c.ids) }

// Forward is DPO's loss.
func (c *comparisons) Forward(p *op.Pass, f train.Forward) (total float64) {
	h, n := c.t.hidden(p, len(c.ids)), len(c.count)
	logp := op.LogProbs(p, h, c.t.w, c.ids, 0)
	l := c.loss.Pairs(objective.Pairs{Chosen: logp[:n], Rejected: logp[n:], RefChosen: c.ref[:n], RefRejected: c.ref[n:]})
	weights := make([]float64, len(c.ids))
	for i, k := range c.count {
		total += k * l.Loss[i]
		weights[i], weights[n+i] = -k*l.GradChosen[i], -k*l.GradRejected[i]
	}
	op.Loss(p, h, c.t.w, c.ids, op.CrossEntropy{Scale: f.Scale, Weights: weights})
	return total
}
