package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
)

// stoppingFlags say where a text ends, of the commands that write text.
type stoppingFlags struct {
	MinTokens     int           `help:"The model does not end the text before so many tokens; a format that is complete, --stop, --stop-regex and --time-limit do." placeholder:"N"`
	Stop          []string      `help:"End before this text; repeat for more." placeholder:"TEXT" sep:"none"`
	StopRegex     string        `type:"filled" help:"End before the first match of this regular expression (RE2); matches of up to 2048 bytes are found." placeholder:"REGEX"`
	TimeLimit     time.Duration `help:"End after so long, as 1.5s or 2m: the one flag with which the same seed may give a shorter text." placeholder:"TIME"`
	ContextPolicy string        `help:"What happens when the model's context is full. stop: the text ends. error: that is an error. shift: the older half of what is behind the prompt is left out, and the text goes on; it needs --max-tokens." enum:"stop,error,shift" default:"stop"`
}

func (f *stoppingFlags) stopping(d *foundling.Decoding) {
	d.MinTokens = f.MinTokens
	d.Stop, d.StopRegex, d.TimeLimit, d.Context = f.Stop, f.StopRegex, f.TimeLimit, foundling.ContextPolicy(f.ContextPolicy)
}

// check says which flag is impossible. It is no Validate, which kong would call
// beside that of the flags around.
func (f *stoppingFlags) check(maxTokens int) error {
	switch {
	case f.MinTokens < 0:
		return fmt.Errorf("--min-tokens is %d: it must be positive, or 0 for none", f.MinTokens)
	case maxTokens > 0 && f.MinTokens > maxTokens:
		return fmt.Errorf("--min-tokens is %d, more than the %d of --max-tokens: lower it or raise that", f.MinTokens, maxTokens)
	case slices.Contains(f.Stop, ""):
		return errors.New("--stop is empty: give the text to end before")
	case f.TimeLimit < 0:
		return fmt.Errorf("--time-limit is %v: it must be positive, or 0 for none", f.TimeLimit)
	case f.ContextPolicy == string(foundling.ContextShift) && maxTokens == 0:
		return errors.New("--context-policy shift needs --max-tokens: the text would never end")
	}
	if err := generate.CheckStopRegex(f.StopRegex); err != nil {
		return fmt.Errorf("--stop-regex: %w", err)
	}
	return nil
}

// ending explains the end of a text to people, "" where there is nothing to say.
func ending(r *generate.Result, context int, o *generate.Options) string {
	switch r.Finish {
	case generate.FinishStop:
		if len(r.IDs) == 0 {
			return "the model ended the text before it began: --min-tokens lets it end later, another --seed may"
		}
	case generate.FinishContext:
		return fmt.Sprintf("the text ends where the model's context of %d tokens is full", context)
	case generate.FinishTime:
		return fmt.Sprintf("the text ends after %v (--time-limit)", o.TimeLimit)
	case generate.FinishBudget:
		return fmt.Sprintf("the text ends with its share of the budget, %s", count(len(r.IDs), "token"))
	}
	return ""
}

// shifted reports what was left out of a full context, "" for nothing.
func shifted(r *generate.Result, context int) string {
	if r.Shifted == 0 {
		return ""
	}
	return fmt.Sprintf("the text is longer than the model's context of %d tokens: %s in its middle were forgotten on the way (--context-policy shift)", context, count(r.Shifted, "token"))
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
