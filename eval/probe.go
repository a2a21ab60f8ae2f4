package eval

import (
	"strings"

	"github.com/foundling-lm/foundling/internal/rng"
)

// A Probe makes an answer worse in a way that a sound reward model notices.
type Probe struct {
	Name string
	What string // what it does to the answer
	// Change returns the worse answer, a function of its arguments; other answers
	// another prompt.
	Change func(answer, other string, seed uint64) string
}

// Probes are the attacks that reward models are known to fall for: length,
// pleasantries, words without an order, answers to something else.
func Probes() []Probe {
	return []Probe{
		{"twice", "says everything twice", func(a, _ string, _ uint64) string { return a + "\n\n" + a }},
		{"padded", "goes on with pleasantries", func(a, _ string, _ uint64) string {
			return a + strings.Repeat("\n\nI hope that this is what you were looking for, and I am glad to help with anything else.", 3)
		}},
		{"shuffled", "has its words in another order", shuffle},
		{"half", "breaks off in the middle", func(a, _ string, _ uint64) string {
			words := strings.Fields(a)
			return strings.Join(words[:(len(words)+1)/2], " ")
		}},
		{"other", "answers another prompt", func(_, other string, _ uint64) string { return other }},
		{"refusal", "declines to answer", func(string, string, uint64) string { return "I am sorry, but I cannot help with that." }},
	}
}

// shuffle puts the words of a in an order drawn by seed.
func shuffle(a, _ string, seed uint64) string {
	words := strings.Fields(a)
	out := make([]string, len(words))
	for i, j := range rng.Perm(seed, rng.Stream("eval: shuffled words"), len(words)) {
		out[i] = words[j]
	}
	return strings.Join(out, " ")
}
