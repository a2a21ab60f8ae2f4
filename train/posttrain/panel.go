package posttrain

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/train"
)

// Panel is what a run of preferences has to show: the log-probabilities of chosen
// and rejected answers, margins, drift from the reference, and what they mean.
type Panel struct {
	Title     string
	Log       []train.Metrics
	Before    map[string]float64 // figures of held-out preferences; nil: none are held out
	After     map[string]float64
	HeldPairs int
	Longer    float64 // share of pairs whose chosen answer has more tokens; 0: not known
	Reference bool    // the loss has one
}

// Remark is a sentence about a run. Worry says that something should be done.
type Remark struct {
	Worry bool   `json:"worry"`
	Text  string `json:"text"`
}

// Bounds of remarks.
const (
	smallFall  = 0.1  // nats a token that chosen answers may lose without a second look: 10 % of their probability a token
	largeFall  = 0.5  // above which texts are likely to suffer
	heartGap   = 0.15 // of accuracy between learned and held-out pairs
	doneLoss   = 0.02 // of the logistic losses: nothing is left to learn
	longMargin = 25.0 // nats of log-ratio by which an answer is far beyond the reference's doubt
)

// figures are the last ones: of held-out preferences, or of the last tenth of the
// steps.
func (p *Panel) figures() map[string]float64 {
	if p.After != nil {
		return p.After
	}
	return p.tail()
}

// tailSteps is a tenth of the steps, at least one of them.
func (p *Panel) tailSteps() int { return max(min(1, len(p.Log)), len(p.Log)/10) }

// tail is the means over the last tenth of the steps.
func (p *Panel) tail() map[string]float64 {
	sums, n := map[string]float64{}, map[string]int{}
	for _, m := range p.Log[len(p.Log)-p.tailSteps():] {
		for name, x := range m.Extra {
			sums[name] += x
			n[name]++
		}
	}
	for name := range sums {
		sums[name] /= float64(n[name])
	}
	return sums
}

// start are the log-probabilities that training began with, by the reference where
// there is one.
func (p *Panel) start(f map[string]float64) (chosen, rejected float64, ok bool) {
	if c, found := f[RefLogpsChosen]; found {
		return c, f[RefLogpsRejected], true
	}
	if p.Before != nil {
		return p.Before[LogpsChosen], p.Before[LogpsRejected], true
	}
	return 0, 0, false
}

// Accuracy is the share of held-out pairs that the policy orders rightly by its
// implicit reward; N is 0 where none are held out.
func (p *Panel) Accuracy() eval.Interval {
	if p.After == nil || p.HeldPairs == 0 {
		return eval.Interval{}
	}
	return eval.Wilson(int(math.Round(p.After[RewardsAccuracy]*float64(p.HeldPairs))), p.HeldPairs, eval.Z95)
}

// Remarks says in words what the figures mean.
func (p *Panel) Remarks() []Remark {
	if len(p.Log) == 0 {
		return nil
	}
	var out []Remark
	f := p.figures()
	if r, online := p.rounds(); online {
		out = append(out, r)
	} else {
		out = append(out, p.falls(f)...)
	}
	out = append(out, p.learned(f)...)
	if last := p.Log[len(p.Log)-1]; p.tail()[RewardsAccuracy] > 0.999 && last.Loss < doneLoss {
		out = append(out, Remark{Text: "The loss of the learned pairs is nearly 0: more steps would only lead farther from the reference."})
	}
	return out
}

// rounds says what became of the score of answers that the policy gave on the way.
func (p *Panel) rounds() (r Remark, online bool) {
	first, last := p.Log[0].Extra, p.Log[len(p.Log)-1].Extra
	if _, online = first[RoundMean]; !online {
		return r, false
	}
	r.Text = fmt.Sprintf("The mean score of answers went from %.3f in the first round to %.3f in the last, %.1f nats an answer from the reference.", first[RoundMean], last[RoundMean], last[RoundKL])
	if last[RoundNumber] > 1 && last[RoundMean] <= first[RoundMean] {
		r.Worry = true
		r.Text += " It did not rise: take more answers to a prompt (--n), more steps, or a higher --lr."
	} else if last[RoundNumber] > 1 {
		r.Text += " Read some answers (rounds/ in the directory): a score can rise without what it stands for."
	}
	if n := p.idle(); n > 0 {
		r.Text += fmt.Sprintf(" %d steps learned nothing, since all answers to each prompt had one score.", n)
	}
	return r, true
}

// idle is the number of steps whose round had no preferences.
func (p *Panel) idle() (n int) {
	for _, m := range p.Log {
		if pairs, ok := m.Extra[RoundPairs]; ok && pairs == 0 {
			n++
		}
	}
	return n
}

// falls explains what became of the probabilities of both answers.
func (p *Panel) falls(f map[string]float64) []Remark {
	c0, r0, ok := p.start(f)
	if _, found := f[LogpsChosen]; !ok || !found || f[LengthChosen] == 0 {
		return nil
	}
	dc, dr := f[LogpsChosen]-c0, f[LogpsRejected]-r0
	perToken := dc / f[LengthChosen]
	both := fmt.Sprintf("chosen answers %+.2f nats (%+.3f a token), rejected answers %+.2f nats", dc, perToken, dr)
	switch {
	case dc >= 0 && dr <= 0:
		return []Remark{{Text: "Log-probabilities since the beginning: " + both + ". Chosen answers rose and rejected ones fell, as one would expect."}}
	case dc >= 0:
		return []Remark{{Text: "Log-probabilities since the beginning: " + both + ". Both rose, as beside a likelihood term, or where both are like what the model would write."}}
	case dr >= dc:
		return []Remark{{Worry: true, Text: "Log-probabilities since the beginning: " + both + ". Chosen answers fell more than rejected ones: the preference was not learned. Look at the labels (are columns swapped?), or lower the learning rate."}}
	}
	why := "Log-probabilities since the beginning: " + both + ". Both fell, the rejected ones more. The loss sees only their difference, and two similar answers share most of their tokens, so that pushing one down pulls the other along; probability moves to answers that are neither."
	switch {
	case perToken > -smallFall:
		return []Remark{{Text: why + fmt.Sprintf(" Less than %g nats a token is usual and no reason to worry.", smallFall)}}
	case perToken > -largeFall:
		return []Remark{{Text: why + fmt.Sprintf(" This is usual as long as texts stay good: read some of them. Beyond %g nats a token they seldom do.", largeFall)}}
	}
	return []Remark{{Worry: true, Text: why + fmt.Sprintf(" More than %g nats a token is too much: the model has left the texts that it could write. Take --loss rpo (or --nll 1), which holds the chosen answers up, a larger --beta, a lower --lr, or fewer steps.", largeFall)}}
}

// overLearned is by how much more of the learned pairs than of the held-out ones are
// ordered rightly, and whether that is more than chance (95 %).
func (p *Panel) overLearned(held eval.Interval) (gap float64, sure bool) {
	learned := p.tail()[RewardsAccuracy]
	steps := p.Log[len(p.Log)-p.tailSteps():]
	n := steps[len(steps)-1].Tokens
	if before := len(p.Log) - len(steps); before > 0 {
		n -= p.Log[before-1].Tokens
	}
	rate := func(share float64, n int) int { return int(math.Round(share * float64(n))) }
	d := eval.Newcombe(rate(learned, int(n)), int(n), rate(held.Value, held.N), held.N, eval.Z95)
	return learned - held.Value, d.Low > 0
}

// learned says whether the preference holds for pairs that were not learned.
func (p *Panel) learned(f map[string]float64) (out []Remark) {
	a := p.Accuracy()
	if a.N == 0 {
		return nil
	}
	share := fmt.Sprintf("%.1f %% of %d held-out pairs are ordered rightly (95 %% interval %.1f to %.1f)", 100*a.Value, a.N, 100*a.Low, 100*a.High)
	if a.Low <= 0.5 {
		out = append(out, Remark{Worry: true, Text: share + ": that is not distinguishable from guessing. More pairs, more steps, or clearer labels are needed."})
	} else {
		out = append(out, Remark{Text: share + "."})
	}
	if rule := math.Max(p.Longer, 1-p.Longer); p.Longer > 0 && a.Low > 0.5 && a.Low <= rule && rule > 0.5 {
		what := "longer"
		if p.Longer < 0.5 {
			what = "shorter"
		}
		out = append(out, Remark{Worry: true, Text: fmt.Sprintf("Preferring the %s answer would be right in %.1f %%: the accuracy is not above that for sure, so length may be all that was learned.", what, 100*rule)})
	}
	if gap, sure := p.overLearned(a); gap > heartGap && sure {
		out = append(out, Remark{Worry: true, Text: fmt.Sprintf("Learned pairs are ordered rightly more often by %.0f percentage points than held-out ones: pairs are learned by heart. Fewer --epochs, or more data.", 100*gap)})
	}
	if margin := f[RewardsMargins]; p.Reference && margin > longMargin {
		out = append(out, Remark{Worry: true, Text: fmt.Sprintf("The margin of implicit rewards is %.1f: far beyond what the labels can tell. Take a larger --beta, a lower --lr or fewer steps.", margin)})
	}
	return out
}
