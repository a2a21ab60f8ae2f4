// Package grammar makes a model's output fit a language: it says, at each place of a
// text, which ids of a vocabulary may follow.
//
// A Vocabulary is the tokens, laid out for walking; a language is its start state
// (generate/grammar/machine); a Grammar is the two together, shared by all requests;
// a Session is one text being written. The set of allowed ids is found by walking
// the trie of the tokens over the states of the language, and kept by state.
//
// A session always ends: it knows how many tokens finish the text from every state
// that it lets the model go to, so a text of at least Grammar.Minimum tokens is
// complete whatever the model wants (budget.go). Forced runs ahead where there is
// only one way on, Heal mends the border between a prompt and what follows it, After
// lets free text come first.
//
// Not here: the languages themselves (generate/grammar/regular, cfg, shape, schema),
// choosing among the allowed ids (generate/sample).
package grammar

import (
	"fmt"
	"sync"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// Options of a Grammar; the zero value is the default.
type Options struct {
	// Encode is the tokenizer: forced text becomes the ids that it gives. nil: the
	// fewest tokens.
	Encode func(text []byte) []int32
	// CacheBytes bounds the masks that are kept, about; 0: 32 MiB.
	CacheBytes int
}

// Grammar is a language under a vocabulary. It is safe for concurrent use; one lock
// serves all its sessions. The states of a language are for one grammar: two
// grammars of the same start state would step it side by side.
type Grammar struct {
	v       *Vocabulary
	start   machine.State
	encode  func(text []byte) []int32
	minimum []int32 // a shortest text as ids, the end token included

	mu     sync.Mutex
	stack  []machine.State // of walk
	ids    []int32         // of scan
	sets   setCache
	costs  costs
	forced map[machine.State][]byte
}

// New puts a language and a vocabulary together. A vocabulary that cannot spell any
// text of the language (as far as a bounded search finds) is an error.
func New(v *Vocabulary, start machine.State, o Options) (*Grammar, error) {
	if start == nil {
		return nil, fmt.Errorf("grammar: the language has no text at all")
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 32 << 20
	}
	g := &Grammar{v: v, start: start, encode: o.Encode}
	g.stack = make([]machine.State, v.all.deep+1)
	g.sets.limit = o.CacheBytes / 2
	g.costs.clear()
	g.forced = map[machine.State][]byte{}
	if g.cost(start) >= never {
		return nil, g.unspellable()
	}
	g.minimum = g.ending(start)
	if rest := start.Shortest(); len(rest) > chunk && len(rest) <= wholeBytes && !v.lacks {
		g.minimum = append(g.appendSpelled(nil, rest, len(rest)), v.end[0])
	}
	return g, nil
}

// Vocabulary is the vocabulary of New.
func (g *Grammar) Vocabulary() *Vocabulary { return g.v }

// Minimum is the number of tokens of a shortest accepted text, the end token
// included: no session can do with fewer. Of several shortest texts one is counted,
// in the fewest tokens that spell it.
func (g *Grammar) Minimum() int { return len(g.minimum) }

// BudgetError reports a number of tokens in which no text can be finished.
type BudgetError struct {
	Need, Have int
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("the grammar needs %d tokens to finish the text, the end token included, and there are %d: raise the token limit", e.Need, e.Have)
}

// Fits says, before anything is generated, whether so many tokens can finish a text.
func (g *Grammar) Fits(tokens int) error {
	if tokens < g.Minimum() {
		return &BudgetError{g.Minimum(), tokens}
	}
	return nil
}
