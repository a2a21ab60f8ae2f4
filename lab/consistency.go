package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/generate/search"
)

// Way is how questions are asked.
type Way struct {
	Name    string         `json:"name"`
	Sample  sample.Options `json:"sampling"`
	Batch   int            `json:"batch,omitempty"`   // questions in a batch; 0: all
	Threads int            `json:"threads,omitempty"` // 0: those of the machine
}

// Question is a prompt and the number of its random numbers.
type Question struct {
	Prompt string
	Stream uint64
}

// Ask answers questions one way.
type Ask func(ctx context.Context, w Way, questions []Question) ([]string, error)

// ConsistencyOptions say what is asked.
type ConsistencyOptions struct {
	Prompt      string
	Paraphrases []string // that ask for the same
	K           int      // answers to each; 0: 8
	Ways        []Way    // samplers; the first is the one that the other experiments take
	Batches     []int    // sizes that must not matter; nil: 1 and 3
	Threads     []int    // numbers that must not matter; nil: 1 and 2
	Extract     search.Extractor
}

// Bounds of an experiment.
const (
	MaxAnswers     = 256 // to a prompt
	MaxParaphrases = 64
)

// Validate says which option is impossible.
func (o *ConsistencyOptions) Validate() error {
	switch {
	case o.K < 0 || o.K == 1 || o.K > MaxAnswers:
		return fmt.Errorf("k is %d: agreement needs 2 to %d answers, 0 means 8", o.K, MaxAnswers)
	case len(o.Paraphrases) > MaxParaphrases:
		return fmt.Errorf("%d paraphrases: at most %d", len(o.Paraphrases), MaxParaphrases)
	case len(o.Ways) == 0:
		return errors.New("no way to sample is given")
	case o.Extract == nil:
		return errors.New("no extractor is given: it says what an answer is")
	}
	for _, n := range slices.Concat(o.Batches, o.Threads) {
		if n < 1 {
			return fmt.Errorf("a batch or number of threads is %d: it must be positive", n)
		}
	}
	return nil
}

// Trial is one comparison.
type Trial struct {
	// Experiment is "same prompt", "paraphrases", "samplers" or "machine".
	Experiment string    `json:"experiment"`
	Name       string    `json:"name"`
	Agreement  Agreement `json:"agreement"`
	Texts      []string  `json:"texts"`
}

// ConsistencyResult is what was found.
type ConsistencyResult struct {
	Prompt      string   `json:"prompt"`
	Paraphrases []string `json:"paraphrases"`
	K           int      `json:"k"`
	Ways        []Way    `json:"ways"`
	Trials      []Trial  `json:"trials"`
	// Score is the share of pairs with equal answers, averaged over the trials where
	// chance or wording differ: same prompt, paraphrases, samplers.
	Score float64 `json:"score"`
	// SameBits says that batches and threads changed no byte; Different names those
	// that did.
	SameBits  bool     `json:"same_bits"`
	Different []string `json:"different,omitempty"`
}

// The experiments.
const (
	samePrompt  = "same prompt"
	paraphrased = "paraphrases"
	samplers    = "samplers"
	machine     = "machine"
)

// Consistency asks the same thing again and again: with other random numbers, in
// other words, with other samplers, and, where nothing may change, in other batches
// and with other numbers of threads. Progress is told how many of the trials are
// done.
func Consistency(ctx context.Context, o ConsistencyOptions, ask Ask, progress func(done, total int)) (*ConsistencyResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.K == 0 {
		o.K = 8
	}
	if o.Batches == nil {
		o.Batches = []int{1, 3}
	}
	if o.Threads == nil {
		o.Threads = []int{1, 2}
	}
	e := &experiment{o: o, r: &ConsistencyResult{Prompt: o.Prompt, Paraphrases: o.Paraphrases, K: o.K, Ways: o.Ways, SameBits: true}}
	e.ask = func(w Way, prompts ...string) ([]string, error) {
		if progress != nil {
			progress(e.asked, len(o.Ways)+len(o.Batches)+len(o.Threads)+min(1, len(o.Paraphrases)))
		}
		e.asked++
		texts, err := ask(ctx, w, questions(prompts, o.K))
		if err == nil && len(texts) != len(prompts)*o.K {
			err = fmt.Errorf("%d answers to %d questions", len(texts), len(prompts)*o.K)
		}
		return texts, err
	}
	for _, part := range []func() error{e.sampling, e.paraphrases, e.machines} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	e.score()
	return e.r, nil
}

type experiment struct {
	o     ConsistencyOptions
	r     *ConsistencyResult
	ask   func(w Way, prompts ...string) ([]string, error)
	asked int
	base  []string // answers of the first way
}

func questions(prompts []string, k int) []Question {
	var qs []Question
	for _, p := range prompts {
		for i := range k {
			qs = append(qs, Question{p, uint64(i)})
		}
	}
	return qs
}

func (e *experiment) add(name, what string, texts []string, group []int) Agreement {
	a := agree(texts, group, e.o.Extract)
	e.r.Trials = append(e.r.Trials, Trial{name, what, a, texts})
	return a
}

// sampling asks the prompt every way, and compares within and between ways.
func (e *experiment) sampling() error {
	var all []string
	var way []int
	for i, w := range e.o.Ways {
		texts, err := e.ask(w, e.o.Prompt)
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		if i == 0 {
			e.base = texts
		}
		e.add(samePrompt, w.Name, texts, nil)
		all, way = append(all, texts...), append(way, slices.Repeat([]int{i}, len(texts))...)
	}
	if len(e.o.Ways) > 1 {
		e.add(samplers, fmt.Sprintf("%d ways", len(e.o.Ways)), all, way)
	}
	return nil
}

// paraphrases compares answers to different wordings, the prompt among them.
func (e *experiment) paraphrases() error {
	if len(e.o.Paraphrases) == 0 {
		return nil
	}
	texts, err := e.ask(e.o.Ways[0], e.o.Paraphrases...)
	if err != nil {
		return fmt.Errorf("paraphrases: %w", err)
	}
	all := append(slices.Clone(e.base), texts...)
	group := make([]int, len(all))
	for i := range group {
		group[i] = i / e.o.K
	}
	e.add(paraphrased, fmt.Sprintf("%d wordings", 1+len(e.o.Paraphrases)), all, group)
	return nil
}

// machines asks for the same bits in other batches and with other threads.
func (e *experiment) machines() error {
	var ways []Way
	for _, n := range e.o.Batches {
		w := e.o.Ways[0]
		w.Name, w.Batch = fmt.Sprintf("batches of %d", n), n
		ways = append(ways, w)
	}
	for _, n := range e.o.Threads {
		w := e.o.Ways[0]
		w.Name, w.Threads = fmt.Sprintf("threads: %d", n), n
		ways = append(ways, w)
	}
	for _, w := range ways {
		texts, err := e.ask(w, e.o.Prompt)
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		// Each answer with the one of the same random numbers.
		sum := Agreement{}
		for i, t := range texts {
			a := agree([]string{t, e.base[i]}, nil, e.o.Extract)
			sum.Exact, sum.Answers, sum.Similarity = sum.Exact+a.Exact, sum.Answers+a.Answers, sum.Similarity+a.Similarity
		}
		n := float64(len(texts))
		a := agree(texts, nil, e.o.Extract)
		a.Exact, a.Answers, a.Similarity = sum.Exact/n, sum.Answers/n, sum.Similarity/n
		e.r.Trials = append(e.r.Trials, Trial{machine, w.Name, a, texts})
		if !slices.Equal(texts, e.base) {
			e.r.SameBits = false
			e.r.Different = append(e.r.Different, w.Name)
		}
	}
	return nil
}

func (e *experiment) score() {
	n := 0.0
	for _, t := range e.r.Trials {
		if t.Experiment != machine {
			e.r.Score += t.Agreement.Answers
			n++
		}
	}
	e.r.Score /= n
}
