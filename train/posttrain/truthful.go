package posttrain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

// Kinds of demonstrations that teach truthfulness; the record's Task names it. Factual
// and counterfactual examples teach to answer from the given context, also against
// memory (Li et al. 2022, arXiv 2211.05110, section 3; Longpre et al. 2021, arXiv
// 2109.05052, section 2 substitute answers of other questions, too); the last two to
// answer what is known and to say so where nothing is (Zhang et al. 2024, R-Tuning,
// arXiv 2311.09677).
const (
	FactualKind        = "factual"        // a context, and the answer that it says
	CounterfactualKind = "counterfactual" // the context says another answer, and so does the target
	KnownKind          = "known"          // no context, the answer
	UnknownKind        = "unknown"        // no context, "I don't know"
)

// TruthfulKinds returns all kinds.
func TruthfulKinds() []string {
	return []string{FactualKind, CounterfactualKind, KnownKind, UnknownKind}
}

// Truthful makes such demonstrations of facts.
type Truthful struct {
	Kinds    []string // nil: all
	DontKnow string   // the target of what is not known
	Ask      string   // between context and question; "": a blank line
	Seed     uint64   // of the answers that are put into contexts
}

// TruthReport counts what was made, and why facts gave nothing.
type TruthReport struct {
	Facts  int            `json:"facts"`
	Made   map[string]int `json:"made"`             // by kind
	States map[Knows]int  `json:"states,omitempty"` // what the model knows
	// NoContext are facts without a context; Unsaid those whose context does not say
	// the answer, Alone those for which there is no other answer to put there.
	NoContext int `json:"no_context"`
	Unsaid    int `json:"context_without_answer"`
	Alone     int `json:"no_other_answer"`
}

// Asks says whether a model must be asked what it knows.
func (t *Truthful) Asks() bool { return t.makes(KnownKind) || t.makes(UnknownKind) }

func (t *Truthful) makes(kind string) bool { return t.Kinds == nil || slices.Contains(t.Kinds, kind) }

// Validate names what is impossible.
func (t *Truthful) Validate() error {
	for _, k := range t.Kinds {
		if !slices.Contains(TruthfulKinds(), k) {
			return fmt.Errorf("kind %q: use %s", k, strings.Join(TruthfulKinds(), ", "))
		}
	}
	if strings.TrimSpace(t.DontKnow) == "" && t.makes(UnknownKind) {
		return errors.New("what shall the model say where it does not know? The text is empty")
	}
	return nil
}

// Records are the demonstrations, fact by fact. Knowledge is of the facts in turn; nil
// where no kind asks for it.
func (t *Truthful) Records(facts []Fact, knowledge []Knowledge) ([]dataset.Record, *TruthReport) {
	r := &TruthReport{Facts: len(facts), Made: map[string]int{}}
	var out []dataset.Record
	add := func(kind, prompt, answer string, f *Fact) {
		r.Made[kind]++
		out = append(out, dataset.Record{
			Kind: dataset.PromptCompletion, Task: kind, Source: f.Source,
			Prompt:     dataset.Text{Turns: []dataset.Turn{{Role: chat.RoleUser, Content: prompt}}},
			Completion: dataset.Text{Turns: []dataset.Turn{{Role: chat.RoleAssistant, Content: answer}}},
		})
	}
	for i := range facts {
		f := &facts[i]
		if strings.TrimSpace(f.Context) == "" {
			r.NoContext++
		} else if !says(f.Context, f.Answer) {
			r.Unsaid++
		} else {
			if t.makes(FactualKind) {
				add(FactualKind, t.prompt(f.Context, f.Question), f.Answer, f)
			}
			if other, ok := t.other(facts, i); !ok {
				r.Alone++
			} else if t.makes(CounterfactualKind) {
				add(CounterfactualKind, t.prompt(substitute(f.Context, f.Answer, other), f.Question), other, f)
			}
		}
		if knowledge == nil {
			continue
		}
		if r.States == nil {
			r.States = map[Knows]int{}
		}
		r.States[knowledge[i].State]++
		switch {
		case knowledge[i].State == Known && t.makes(KnownKind):
			add(KnownKind, f.Question, f.Answer, f)
		case knowledge[i].State == Unknown && t.makes(UnknownKind):
			add(UnknownKind, f.Question, t.DontKnow, f)
		}
	}
	return out, r
}

func (t *Truthful) prompt(context, question string) string {
	between := t.Ask
	if between == "" {
		between = "\n\n"
	}
	return context + between + question
}

// other is the answer of another fact that is right for none of this one's names, and
// of which the context says nothing.
func (t *Truthful) other(facts []Fact, i int) (string, bool) {
	f := &facts[i]
	start := rng.Intn(t.Seed, rng.Stream("other answers"), uint64(i), len(facts))
	for k := range facts {
		a := facts[(start+k)%len(facts)].Answer
		if !f.Right(a) && !says(f.Context, a) && !(&Fact{Answer: a}).Right(f.Answer) {
			return a, true
		}
	}
	return "", false
}

// says says whether a text holds the answer as whole words, in either case.
func says(text, answer string) bool { return len(places(text, answer)) > 0 }

// substitute replaces every place of the answer.
func substitute(text, answer, other string) string {
	var b strings.Builder
	last := 0
	for _, at := range places(text, answer) {
		b.WriteString(text[last:at])
		b.WriteString(other)
		last = at + len(answer)
	}
	b.WriteString(text[last:])
	return b.String()
}

// places are where the answer stands in text as whole words.
func places(text, answer string) (at []int) {
	if answer = strings.TrimSpace(answer); answer == "" {
		return nil
	}
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
	for i := 0; i+len(answer) <= len(text); {
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(answer):])
		if strings.EqualFold(text[i:i+len(answer)], answer) && (i == 0 || !word(before)) && (i+len(answer) == len(text) || !word(after)) {
			at = append(at, i)
			i += len(answer)
			continue
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		i += n
	}
	return at
}
