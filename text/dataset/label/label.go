// Package label keeps what people say of answers: which of two is better, or how
// good one is from 1 to 5. It shows nobody anything: it chooses what is shown and
// in which order, saves every label before it is acknowledged, and measures how
// far labellers agree.
//
// The central types are Item, what is labelled, and Label, one line of a file of
// labels. Items are known by their content, so a file of labels outlives changes
// of the data beside it.
package label

import (
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text/dataset"
)

// Item is a prompt with two answers, or with one.
type Item struct {
	ID     string // of its content
	Source string // file:line of its record
	Prompt dataset.Text
	// Answers are two to choose from, or one to grade. Of a preference the first
	// is the chosen one.
	Answers []dataset.Text
	// Decided says that the file prefers the first.
	Decided bool
}

// Pair tells whether there are two answers to choose from.
func (it *Item) Pair() bool { return len(it.Answers) == 2 }

// Items are those of a record: a preference is a pair; an answer by itself is
// graded, and so is each of a preference if grade is set.
func Items(r dataset.Record, grade bool) []Item {
	var out []Item
	switch r.Kind {
	case dataset.Preference:
		if !grade {
			out = []Item{{Answers: []dataset.Text{r.Chosen, r.Rejected}, Decided: true}}
			break
		}
		out = []Item{{Answers: []dataset.Text{r.Chosen}}, {Answers: []dataset.Text{r.Rejected}}}
	case dataset.PromptCompletion, dataset.Unpaired, dataset.Scored:
		out = []Item{{Answers: []dataset.Text{r.Completion}}}
	case dataset.Messages:
		last := len(r.Messages) - 1
		for last > 0 && r.Messages[last].Role != "assistant" {
			last--
		}
		r.Prompt = dataset.Text{Turns: r.Messages[:last]}
		out = []Item{{Answers: []dataset.Text{{Turns: r.Messages[last : last+1]}}}}
	}
	for i := range out {
		out[i].Source, out[i].Prompt = r.Source, r.Prompt
		out[i].ID = out[i].identify()
	}
	return out
}

// identify is a hash of the prompt and the answers in their order, which a label's
// First and Second go by: where a file turns a pair round, it is another item.
func (it *Item) identify() string {
	part := func(t dataset.Text) string {
		s := t.Plain
		for _, m := range t.Turns {
			s += "\x00" + m.Role + "\x01" + m.Content
		}
		return s
	}
	s := part(it.Prompt)
	for _, a := range it.Answers {
		s += "\x02" + part(a)
	}
	return fmt.Sprintf("%x", xxh3.HashString128(s).Bytes())
}

// Swapped says whether the second answer is shown first: a function of the seed,
// the labeller and the item, so that nobody can know and everybody sees the same
// again.
func Swapped(seed uint64, labeller, item string) bool {
	return rng.Intn(seed, rng.Stream("label order"), xxh3.HashString(labeller+"\x00"+item), 2) == 1
}

// Choice is what a labeller says of a pair.
type Choice string

// The choices. First and Second are the answers of the item, however they were
// shown.
const (
	First  Choice = "first"
	Second Choice = "second"
	Tie    Choice = "tie"
	Skip   Choice = "skip" // no answer; also of items that are graded
)

// Label is one answer of a labeller. Score or Choice is set.
type Label struct {
	Item     string  `json:"item"`
	Source   string  `json:"source"`
	Labeller string  `json:"labeller"`
	Choice   Choice  `json:"choice,omitempty"`
	Score    int     `json:"score,omitempty"`   // 1 to 5
	Swapped  bool    `json:"swapped,omitempty"` // the second answer was shown first
	Seconds  float64 `json:"seconds"`           // from showing to answering
	Time     string  `json:"time"`              // RFC 3339
}

// check reports a label that nobody can have given.
func (l *Label) check() error {
	switch {
	case l.Item == "" || l.Labeller == "":
		return fmt.Errorf("item or labeller is missing")
	case l.Choice == "" && (l.Score < 1 || l.Score > 5):
		return fmt.Errorf("score is %d: want 1 to 5", l.Score)
	case l.Choice != "" && (l.Score != 0 || !slices.Contains([]Choice{First, Second, Tie, Skip}, l.Choice)):
		return fmt.Errorf("choice is %q: want first, second, tie or skip", l.Choice)
	}
	return nil
}

// value is the category of a label: "" for a skipped item.
func (l *Label) value() string {
	switch {
	case l.Choice == Skip:
		return ""
	case l.Choice != "":
		return string(l.Choice)
	}
	return fmt.Sprint(l.Score)
}
