package repair

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"text/template"
	"time"
)

// DefaultTries is how often a Retry generates at most.
const DefaultTries = 3

// feedback is the prompt after an answer that was not valid.
var feedback = template.Must(template.New("feedback").Parse(
	"{{.Prompt}}\n\nThis answer was not valid:\n{{.Answer}}\n\nThe error: {{.Error}}\n\nAnswer again, and correct the error.\n"))

// Feedback is what a template of a Retry may use.
type Feedback struct {
	Prompt string // the first one
	Answer string // as generated
	Error  string
	Try    int // the answer's number, from 1
}

// Answer is what was generated.
type Answer struct {
	Text   string
	Tokens int // written, and read anew where the generator counts them
}

// Retry generates, repairs and validates until an answer is valid. The error of
// an answer is part of the next prompt.
type Retry struct {
	Tries int // at most; 0: DefaultTries
	// Generate answers a prompt; try counts from 0 and should choose other random
	// numbers. Its errors end the loop.
	Generate func(ctx context.Context, prompt string, try int) (Answer, error)
	// Repair mends an answer before it is validated; nil: nothing does. An answer
	// that it refuses is not valid.
	Repair func(text string) (Result, error)
	// Validate says what is wrong with an answer, nil if nothing is: a schema, a
	// program, another model (see SecondOpinion).
	Validate func(ctx context.Context, text string) error
	// Template writes the next prompt from a Feedback; nil: prompt, answer, error.
	Template *template.Template
}

// Try is one round of a Retry.
type Try struct {
	Prompt   string        `json:"prompt"`
	Text     string        `json:"text"`             // as generated
	Repaired string        `json:"repaired"`         // what was validated
	Changes  []Change      `json:"changes"`          // by the repair
	Error    string        `json:"error,omitempty"`  // why it is not valid
	Tokens   int           `json:"tokens"`           // spent
	Time     time.Duration `json:"time_nanoseconds"` // of all steps
}

// Outcome is what a Retry ended with.
type Outcome struct {
	Text   string `json:"text"` // the last answer, repaired
	Valid  bool   `json:"valid"`
	Tries  []Try  `json:"tries"`
	Tokens int    `json:"tokens"` // of all tries
}

// Run goes on until an answer is valid or the tries are spent, which is no error:
// Outcome.Valid says it. The tries so far are returned beside an error, too.
func (r *Retry) Run(ctx context.Context, prompt string) (Outcome, error) {
	if r.Generate == nil || r.Validate == nil {
		panic("repair: a Retry needs Generate and Validate")
	}
	limit := r.Tries
	if limit == 0 {
		limit = DefaultTries
	}
	if limit < 0 {
		return Outcome{}, fmt.Errorf("tries is %d: it must be positive", r.Tries)
	}
	form := r.Template
	if form == nil {
		form = feedback
	}
	var out Outcome
	for next, n := prompt, 0; n < limit; n++ {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		t, valid, err := r.try(ctx, next, n)
		if err != nil {
			return out, fmt.Errorf("try %d: %w", n+1, err)
		}
		out.Tries = append(out.Tries, t)
		out.Tokens += t.Tokens
		out.Text = t.Repaired
		if valid != nil && ctx.Err() != nil {
			return out, ctx.Err()
		}
		if valid == nil {
			out.Valid = true
			return out, nil
		}
		var b strings.Builder
		if err := form.Execute(&b, Feedback{Prompt: prompt, Answer: t.Text, Error: t.Error, Try: n + 1}); err != nil {
			return out, fmt.Errorf("the template of the next prompt: %w", err)
		}
		next = b.String()
	}
	return out, nil
}

// try is one round; invalid says why the answer is not valid.
func (r *Retry) try(ctx context.Context, prompt string, n int) (t Try, invalid, err error) {
	start := time.Now()
	a, err := r.Generate(ctx, prompt, n)
	if err != nil {
		return t, nil, err
	}
	t = Try{Prompt: prompt, Text: a.Text, Repaired: a.Text, Tokens: a.Tokens}
	if r.Repair != nil {
		var fixed Result
		if fixed, invalid = r.Repair(a.Text); invalid == nil {
			t.Repaired, t.Changes = fixed.Text, fixed.Changes
		}
	}
	if invalid == nil {
		invalid = r.Validate(ctx, t.Repaired)
	}
	if invalid != nil {
		t.Error = invalid.Error()
	}
	t.Time = time.Since(start)
	return t, invalid, nil
}

// SecondOpinion is a validator that asks another model (or person): ask gets the
// question, in which %s stands for the answer to judge, and must say yes. What
// else it says is the error.
func SecondOpinion(question string, ask func(ctx context.Context, question string) (string, error)) func(ctx context.Context, text string) error {
	return func(ctx context.Context, text string) error {
		reply, err := ask(ctx, strings.ReplaceAll(question, "%s", text))
		if err != nil {
			return fmt.Errorf("the second model: %w", err)
		}
		reply = strings.TrimSpace(reply)
		if word := strings.Trim(firstWord(reply), `.,:;!*"'`); strings.EqualFold(word, "yes") {
			return nil
		}
		if reply == "" {
			return errors.New("the second model says nothing")
		}
		return fmt.Errorf("the second model says: %s", reply)
	}
}

func firstWord(s string) string {
	if words := strings.Fields(s); len(words) > 0 {
		return words[0]
	}
	return ""
}

// ValidWithin is the probability that one of k independent tries is valid, if
// each is with probability p: 1 - (1-p)^k.
func ValidWithin(p float64, k int) float64 { return 1 - math.Pow(1-p, float64(k)) }

// ExpectedTries is the mean number of independent tries of probability p: 1/p
// without a limit (k = 0), (1 - (1-p)^k)/p with at most k.
func ExpectedTries(p float64, k int) float64 {
	switch {
	case k == 0:
		return 1 / p
	case p == 0:
		return float64(k)
	}
	return ValidWithin(p, k) / p
}
