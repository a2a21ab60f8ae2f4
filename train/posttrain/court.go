package posttrain

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

// Comparison is two answers to one prompt.
type Comparison struct {
	Prompt dataset.Text `json:"prompt"`
	First  dataset.Text `json:"first"`
	Second dataset.Text `json:"second"`
	Gold   float64      `json:"gold"` // what people said: 1 the first is better, -1 the second; 0 is not known
	Source string       `json:"source,omitempty"`
}

// Opinion is what a judge thinks of a comparison, asked in both orders.
type Opinion struct {
	First  float64  // probability that the first answer is better, the mean of both orders
	Orders [2]Reply // first answer as A; as B
	mean   bool     // Court.Mean
}

// whole says whether there are two verdicts.
func (o Opinion) whole() bool {
	for _, r := range o.Orders {
		if r.Failed != "" || r.Nonsense != "" {
			return false
		}
	}
	return true
}

// same says whether the judge prefers the same answer in either order.
func (o Opinion) same() bool { return (o.Orders[0].A-0.5)*(0.5-o.Orders[1].A) > 0 }

// Decided says whether the judge has an opinion.
func (o Opinion) Decided() bool { return o.whole() && (o.same() || o.mean && o.First != 0.5) }

// Court asks a judge about comparisons: each in both orders, since judges prefer
// places (Zheng et al. 2023, arXiv 2306.05685, section 3.4), by a principle of the
// constitution. Replies are journalled and not asked again; those that never came
// are, until the journal is settled.
type Court struct {
	Judge        Judge
	Name         string // of the judge: replies of another one are not taken
	Constitution *Constitution
	Seed         uint64
	Journal      *Journal // nil: none
	Mean         bool     // the mean of both orders decides, not only where they agree: for judges whose replies are probabilities
	Batch        int      // comparisons that the judge is given at a time; 0: 16
	Progress     func(done, total int)
}

// Compare returns an opinion of each comparison, and what the judge is worth.
func (c *Court) Compare(ctx context.Context, cs []Comparison) ([]Opinion, *JudgeReport, error) {
	opinions := make([]Opinion, len(cs))
	batch := c.Batch
	if batch == 0 {
		batch = 16
	}
	for lo := 0; lo < len(cs); lo += batch {
		hi := min(len(cs), lo+batch)
		var questions [][]chat.Message
		for i := lo; i < hi; i++ {
			principle := c.Constitution.principle(c.Seed, i)
			questions = append(questions,
				question(principle, cs[i].Prompt, cs[i].First, cs[i].Second), question(principle, cs[i].Prompt, cs[i].Second, cs[i].First))
		}
		replies, err := c.ask(ctx, questions)
		if err != nil {
			return nil, nil, err
		}
		for i := lo; i < hi; i++ {
			r := [2]Reply{replies[2*(i-lo)], replies[2*(i-lo)+1]}
			opinions[i] = Opinion{First: (r[0].A + 1 - r[1].A) / 2, Orders: r, mean: c.Mean}
		}
		if c.Progress != nil {
			c.Progress(hi, len(cs))
		}
	}
	return opinions, newJudgeReport(cs, opinions), nil
}

// ask asks what the journal does not know.
func (c *Court) ask(ctx context.Context, questions [][]chat.Message) ([]Reply, error) {
	replies := make([]Reply, len(questions))
	keys := make([]string, len(questions))
	var open []int
	for i, q := range questions {
		keys[i] = c.key(q)
		if c.Journal != nil {
			if found, err := c.Journal.Get(keys[i], &replies[i]); err != nil {
				return nil, err
			} else if found {
				continue
			}
		}
		open = append(open, i)
	}
	if open == nil {
		return replies, nil
	}
	rest := make([][]chat.Message, len(open))
	for k, i := range open {
		rest[k] = questions[i]
	}
	var broken error
	err := c.Judge.Ask(ctx, rest, func(k int, r Reply) {
		i := open[k]
		replies[i] = r
		if c.Journal == nil {
			return
		}
		keep := c.Journal.Put
		if r.Failed != "" { // it is asked again when the run goes on, until that is settled
			keep = c.Journal.Hold
		}
		broken = cmp.Or(broken, keep(keys[i], r))
	})
	if err != nil && ctx.Err() == nil && c.Journal != nil {
		err = fmt.Errorf("%w: once the judge answers, the same command goes on; what it has said is kept", err)
	}
	return replies, errors.Join(broken, err)
}

// key names a question to a judge.
func (c *Court) key(q []chat.Message) string {
	data, err := json.Marshal(q)
	if err != nil {
		panic("posttrain: messages: " + err.Error())
	}
	return fmt.Sprintf("judge/%s/%x", c.Name, xxh3.Hash128(data).Bytes())
}

// JudgeReport is what a judge did, and how far it can be trusted.
type JudgeReport struct {
	Comparisons int `json:"comparisons"`
	Decided     int `json:"decided"`
	Swapped     int `json:"swapped"`  // the other answer when the order was swapped
	Draws       int `json:"draws"`    // neither, in some order
	Nonsense    int `json:"nonsense"` // replies without a verdict
	Failed      int `json:"failed"`   // replies that never came

	// FirstPlace is the mean probability that what stands in the first place is
	// called better: 0.5 is no bias of position.
	FirstPlace float64 `json:"first_place"`
	Longer     int     `json:"longer"`      // decided for the longer answer
	LongerOf   int     `json:"longer_of"`   // decided ones whose answers differ in length
	Agrees     int     `json:"agrees"`      // decided as people did
	AgreesOf   int     `json:"agrees_of"`   // decided ones that people decided, too
	LongerGold int     `json:"longer_gold"` // of AgreesOf: people chose the longer answer

	PromptTokens     int     `json:"prompt_tokens"`
	CompletionTokens int     `json:"completion_tokens"`
	Seconds          float64 `json:"seconds"` // of all replies, one after another
	Retries          int     `json:"retries"`
	Said             string  `json:"said,omitempty"` // the first nonsense or failure
}

func newJudgeReport(cs []Comparison, opinions []Opinion) *JudgeReport {
	r := &JudgeReport{Comparisons: len(cs)}
	places := 0
	for i, o := range opinions {
		for _, p := range o.Orders {
			r.reply(p)
		}
		if !o.whole() {
			continue
		}
		r.FirstPlace += o.Orders[0].A + o.Orders[1].A
		places += 2
		if o.Decided() {
			r.decided(&cs[i], o)
		}
		switch {
		case o.same():
		case o.Orders[0].A == 0.5 || o.Orders[1].A == 0.5:
			r.Draws++
		default:
			r.Swapped++
		}
	}
	if places > 0 {
		r.FirstPlace /= float64(places)
	} else {
		r.FirstPlace = 0.5
	}
	return r
}

// reply counts one.
func (r *JudgeReport) reply(p Reply) {
	r.PromptTokens += p.PromptTokens
	r.CompletionTokens += p.CompletionTokens
	r.Seconds += p.Seconds
	r.Retries += max(0, p.Tries-1)
	if p.Failed != "" {
		r.Failed++
	}
	if p.Nonsense != "" {
		r.Nonsense++
	}
	r.Said = cmp.Or(r.Said, p.Failed, p.Nonsense)
}

func (r *JudgeReport) decided(c *Comparison, o Opinion) {
	r.Decided++
	sign := math.Copysign(1, o.First-0.5)
	longer := float64(len(c.First.String()) - len(c.Second.String()))
	if longer != 0 {
		if r.LongerOf++; sign*longer > 0 {
			r.Longer++
		}
	}
	if c.Gold != 0 {
		r.AgreesOf++
		if sign*c.Gold > 0 {
			r.Agrees++
		}
		if c.Gold*longer > 0 {
			r.LongerGold++
		}
	}
}

// Add is r and s together, where r may be nil.
func (r *JudgeReport) Add(s *JudgeReport) *JudgeReport {
	if r == nil {
		return s
	}
	t := *r
	if n := t.Comparisons + s.Comparisons; n > 0 {
		t.FirstPlace = (t.FirstPlace*float64(t.Comparisons) + s.FirstPlace*float64(s.Comparisons)) / float64(n)
	}
	for _, x := range []struct{ a, b *int }{
		{&t.Comparisons, &s.Comparisons}, {&t.Decided, &s.Decided}, {&t.Swapped, &s.Swapped}, {&t.Draws, &s.Draws},
		{&t.Nonsense, &s.Nonsense}, {&t.Failed, &s.Failed}, {&t.Longer, &s.Longer}, {&t.LongerOf, &s.LongerOf},
		{&t.Agrees, &s.Agrees}, {&t.AgreesOf, &s.AgreesOf}, {&t.LongerGold, &s.LongerGold},
		{&t.PromptTokens, &s.PromptTokens}, {&t.CompletionTokens, &s.CompletionTokens}, {&t.Retries, &s.Retries},
	} {
		*x.a += *x.b
	}
	t.Seconds += s.Seconds
	t.Said = cmp.Or(t.Said, s.Said)
	return &t
}

// Preference is the comparison as a record to learn from; ok is false where the
// judge did not decide.
func (o Opinion) Preference(c Comparison) (r dataset.Record, ok bool) {
	if !o.Decided() {
		return r, false
	}
	r = dataset.Record{Kind: dataset.Preference, Prompt: c.Prompt, Chosen: c.First, Rejected: c.Second, Source: c.Source}
	if o.First < 0.5 {
		r.Chosen, r.Rejected = r.Rejected, r.Chosen
	}
	return r, true
}
