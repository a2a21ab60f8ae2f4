// Package mix says what a set of post-training data consists of: kinds of
// records and of demonstrations, lengths, languages, duplicates, overlap with
// evaluation sets, diversity, and what it would cost to have people make it.
//
// The central type is Report; Add takes records one after another. Tasks and
// languages are found by rules (TaskOf, LanguageOf), which count roughly and
// judge nothing.
package mix

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/dataset/near"
)

// Options says how records are counted. The zero value is the default.
type Options struct {
	// Length is the length of a text in Unit; nil counts words.
	Length func(string) int
	Unit   string // "words" if Length is nil
	Near   near.Options
	Costs  Costs
}

// Report is the result. Its slices are sorted, the largest first.
type Report struct {
	Records    int           `json:"records"`
	Kinds      []Count       `json:"kinds"`
	Tasks      []Count       `json:"tasks"`                // by the rules of TaskOf
	Named      []Count       `json:"named_tasks"`          // by the files themselves
	Languages  []Count       `json:"languages"`            // of prompt and answer
	Unit       string        `json:"length_unit"`          // of Prompt, Answer and Turns
	Prompt     Lengths       `json:"prompt"`               // what is given
	Answer     Lengths       `json:"answer"`               // what is learned or judged: one of a preference's two
	Turns      Lengths       `json:"turns"`                // messages of a conversation
	LongerWins *float64      `json:"longer_wins,omitzero"` // share of preferences whose chosen answer is the longer; equal ones count half
	Duplicates Duplicates    `json:"duplicates"`
	Prompts    Diversity     `json:"prompt_diversity"`
	Answers    Diversity     `json:"answer_diversity"`
	Cost       Cost          `json:"cost"`
	Overlaps   []EvalOverlap `json:"overlaps"`
}

// Diversity is that of near, of at most mostMeasured texts.
type Diversity = near.Diversity

// mostMeasured bounds the texts whose diversity is measured, evenly spaced ones. It
// is even.
const mostMeasured = 20000

// Count is a number of records with a name.
type Count struct {
	Name  string  `json:"name"`
	N     int     `json:"n"`
	Share float64 `json:"share"`
}

// Duplicates counts records that repeat an earlier one.
type Duplicates struct {
	// Exact ones are equal but for letter case and white space.
	Exact int `json:"exact"`
	// Near ones have an n-gram similarity of at least Similarity to an earlier
	// record, prompt and answers together; exact ones are not among them.
	Near       int     `json:"near"`
	Similarity float64 `json:"similarity"`
	// Prompts are records whose prompt equals that of an earlier one; a prompt
	// with several answers is no fault.
	Prompts int `json:"prompts"`
	// Examples are some pairs of near duplicates.
	Examples []Pair `json:"examples,omitempty"`
}

// Pair is two records that are nearly the same, by source.
type Pair struct {
	Of         string  `json:"of"`
	Again      string  `json:"again"`
	Similarity float64 `json:"similarity"`
}

// Counter makes a Report. It is not safe for concurrent use.
type Counter struct {
	o                              Options
	n                              int
	kinds, tasks, named, languages map[string]int
	prompt, answer, turns          []int
	longer                         float64
	pairs                          int
	exact, prompts                 map[xxh3.Uint128]bool
	index                          *near.Index
	sources                        []string // by number of the index
	duplicates                     Duplicates
	promptTexts, answerTexts       spaced
	promptWords, answerWords       int64 // of demonstrations, for the cost
	demonstrations                 int
}

// New returns a Counter.
func New(o Options) *Counter {
	if o.Length == nil {
		o.Length, o.Unit = func(s string) int { return len(strings.Fields(s)) }, "words"
	}
	if o.Near.Similarity == 0 {
		o.Near.Similarity = 0.8
	}
	return &Counter{
		o: o, kinds: map[string]int{}, tasks: map[string]int{}, named: map[string]int{}, languages: map[string]int{},
		exact: map[xxh3.Uint128]bool{}, prompts: map[xxh3.Uint128]bool{}, index: near.NewIndex(o.Near),
		duplicates: Duplicates{Similarity: o.Near.Similarity},
	}
}

// Add counts a record.
func (c *Counter) Add(r dataset.Record) {
	c.n++
	c.kinds[string(r.Kind)]++
	c.tasks[string(TaskOf(r))]++
	if r.Task != "" {
		c.named[r.Task]++
	}
	prompt, answers, turns := parts(r)
	whole := strings.Join(append([]string{prompt}, answers...), "\n")
	if l := LanguageOf(whole); l != "" {
		c.languages[l]++
	}
	c.prompt, c.turns = append(c.prompt, c.o.Length(prompt)), append(c.turns, turns)
	for _, a := range answers {
		c.answer = append(c.answer, c.o.Length(a))
	}
	if r.Kind == dataset.Preference {
		c.pairs++
		switch a, b := len(r.Chosen.String()), len(r.Rejected.String()); {
		case a > b:
			c.longer++
		case a == b:
			c.longer += 0.5
		}
	}
	if r.Kind == dataset.Messages || r.Kind == dataset.PromptCompletion {
		c.demonstrations++
		c.promptWords += int64(len(strings.Fields(prompt)))
		c.answerWords += int64(len(strings.Fields(strings.Join(answers, " "))))
	}
	c.duplicate(r.Source, prompt, whole)
	c.promptTexts.add(prompt)
	if len(answers) > 0 {
		c.answerTexts.add(answers[0])
	}
}

// parts are what is given, the answers (two of a preference), and the number of
// turns.
func parts(r dataset.Record) (prompt string, answers []string, turns int) {
	switch r.Kind {
	case dataset.Messages:
		var given, said []string
		for _, m := range r.Messages {
			if m.Role == chat.RoleAssistant {
				said = append(said, m.Content)
			} else {
				given = append(given, m.Content)
			}
		}
		return strings.Join(given, "\n\n"), []string{strings.Join(said, "\n\n")}, len(r.Messages)
	case dataset.Preference:
		answers = []string{r.Chosen.String(), r.Rejected.String()}
		turns = len(r.Chosen.Conversation(chat.RoleAssistant))
	case dataset.Stepwise:
		var steps []string
		for _, s := range r.Steps {
			steps = append(steps, s.Text)
		}
		answers, turns = []string{strings.Join(steps, "\n")}, 1
	case dataset.Prompts, dataset.Classified:
	default:
		answers = []string{r.Completion.String()}
		turns = len(r.Completion.Conversation(chat.RoleAssistant))
	}
	return r.Prompt.String(), answers, turns + len(r.Prompt.Conversation(chat.RoleUser))
}

// duplicate compares a record with those before it.
func (c *Counter) duplicate(source, prompt, whole string) {
	if again(c.prompts, prompt) && strings.TrimSpace(prompt) != "" {
		c.duplicates.Prompts++
	}
	if again(c.exact, whole) {
		c.duplicates.Exact++
		return
	}
	m := c.index.Add(whole)
	c.sources = append(c.sources, source)
	if m.Text < 0 {
		return
	}
	c.duplicates.Near++
	if len(c.duplicates.Examples) < 5 {
		c.duplicates.Examples = append(c.duplicates.Examples, Pair{c.sources[m.Text], source, m.Similarity})
	}
}

// again remembers a text and tells whether it was seen before.
func again(seen map[xxh3.Uint128]bool, s string) bool {
	h := xxh3.HashString128(strings.ToLower(strings.Join(strings.Fields(s), " ")))
	was := seen[h]
	seen[h] = true
	return was
}

// Len is the number of records so far.
func (c *Counter) Len() int { return c.n }

// Report is what was counted so far.
func (c *Counter) Report() Report {
	r := Report{
		Records: c.n, Kinds: counts(c.kinds, c.n), Tasks: counts(c.tasks, c.n), Named: counts(c.named, c.n), Languages: counts(c.languages, c.n),
		Unit: c.o.Unit, Prompt: lengths(c.prompt), Answer: lengths(c.answer), Turns: lengths(c.turns), Duplicates: c.duplicates,
		Prompts: near.Measure(c.promptTexts.texts), Answers: near.Measure(c.answerTexts.texts),
	}
	if c.pairs > 0 {
		share := c.longer / float64(c.pairs)
		r.LongerWins = &share
	}
	r.Cost = c.o.Costs.estimate(c.demonstrations, c.pairs, c.promptWords, c.answerWords)
	return r
}

// spaced keeps texts at equal distances, so few that their number stays below
// mostMeasured.
type spaced struct {
	texts []string
	seen  int
	step  int
}

func (s *spaced) add(t string) {
	s.step = max(s.step, 1)
	if s.seen%s.step == 0 {
		if len(s.texts) == mostMeasured { // every second one stays
			for i := range mostMeasured / 2 {
				s.texts[i] = s.texts[2*i]
			}
			s.texts, s.step = s.texts[:mostMeasured/2], 2*s.step
		}
		s.texts = append(s.texts, t)
	}
	s.seen++
}

func counts(m map[string]int, n int) []Count {
	var out []Count
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, Count{name, m[name], float64(m[name]) / float64(n)})
	}
	slices.SortStableFunc(out, func(a, b Count) int { return cmp.Compare(b.N, a.N) })
	return out
}

// Lengths describes a list of lengths: quantiles are elements of it.
type Lengths struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"`
	Min  int     `json:"min"`
	P50  int     `json:"p50"`
	P90  int     `json:"p90"`
	P99  int     `json:"p99"`
	Max  int     `json:"max"`
	Sum  int64   `json:"sum"`
}

func lengths(list []int) Lengths {
	if len(list) == 0 {
		return Lengths{}
	}
	s := slices.Sorted(slices.Values(list))
	l := Lengths{N: len(s), Min: s[0], Max: s[len(s)-1]}
	for _, x := range s {
		l.Sum += int64(x)
	}
	l.Mean = float64(l.Sum) / float64(len(s))
	at := func(q float64) int { return s[min(len(s)-1, int(q*float64(len(s))))] }
	l.P50, l.P90, l.P99 = at(0.5), at(0.9), at(0.99)
	return l
}
