package posttrain

import (
	"cmp"
	"fmt"
	"math"
	"strings"
)

// KnowledgeOptions say when a model knows the answer to a question that it was asked
// several times; zero fields are the defaults.
type KnowledgeOptions struct {
	Known float64 // least share of right replies of what it knows; 0: 0.75
	Sure  float64 // least probability a token of replies that it is sure of; 0: 0.5
	Same  float64 // least share of equal replies of what it is consistent about; 0: 0.75
}

func (o *KnowledgeOptions) defaults() {
	o.Known, o.Sure, o.Same = cmp.Or(o.Known, 0.75), cmp.Or(o.Sure, 0.5), cmp.Or(o.Same, 0.75)
}

// Validate names the first impossible field.
func (o KnowledgeOptions) Validate() error {
	o.defaults()
	switch {
	case !(o.Known > 0.5 && o.Known <= 1):
		return fmt.Errorf("a share of %g right replies: it must be more than 0.5, at most 1", o.Known)
	case !(o.Sure > 0 && o.Sure <= 1):
		return fmt.Errorf("a probability of %g: it must be more than 0, at most 1", o.Sure)
	case !(o.Same > 0 && o.Same <= 1):
		return fmt.Errorf("a share of %g equal replies: it must be more than 0, at most 1", o.Same)
	}
	return nil
}

// Knows is what a model knows of a fact.
type Knows string

// The states. Unknown is what a model answers wrongly most of the time, and is unsure
// of or inconsistent about; what it answers wrongly and surely is Mistaken, and the
// rest, right at times, is Doubtful.
const (
	Known    Knows = "known"
	Unknown  Knows = "unknown"
	Mistaken Knows = "mistaken"
	Doubtful Knows = "doubtful"
)

// Knowledge is how a model replied to a question, asked several times.
type Knowledge struct {
	State Knows   `json:"state"`
	Right float64 `json:"right"` // share of replies with the answer
	Same  float64 `json:"same"`  // share of the most frequent reply
	Sure  float64 `json:"sure"`  // mean over replies of the probability a token, a geometric mean
}

// Of judges replies to a fact's question, by their agreement with the answer and with
// each other (after Zhang et al. 2024, R-Tuning, arXiv 2311.09677, section 3; they ask
// once, or sample for the entropy).
func (o KnowledgeOptions) Of(f *Fact, replies []*Try) Knowledge {
	o.defaults()
	var k Knowledge
	n := float64(len(replies))
	count, most := map[string]int{}, 0
	for _, r := range replies {
		if f.Right(r.Text) {
			k.Right += 1 / n
		}
		said := normalAnswer(strings.TrimSpace(r.Text))
		count[said]++
		most = max(most, count[said])
		k.Sure += math.Exp(r.LogProb/math.Max(1, float64(len(r.IDs)))) / n
	}
	k.Same = float64(most) / n
	const rounding = 1e-9
	switch {
	case k.Right >= o.Known-rounding:
		k.State = Known
	case k.Right >= 0.5-rounding:
		k.State = Doubtful
	case k.Sure < o.Sure || k.Same < o.Same-rounding:
		k.State = Unknown
	default:
		k.State = Mistaken
	}
	return k
}
