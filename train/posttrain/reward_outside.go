package posttrain

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/text/dataset"
)

// maxRewardBytes bounds what is read of an answer to one question.
const maxRewardBytes = 1 << 12

// Asked is an answer as it is shown to a command or a service.
type Asked struct {
	Prompt     string `json:"prompt"`
	Completion string `json:"completion"`
	Reference  string `json:"reference,omitempty"`
}

// Show is what others are told of answers.
func Show(answers []Answer) []Asked {
	out := make([]Asked, len(answers))
	for i, a := range answers {
		out[i] = Asked{a.Prompt.Given.String(), a.Text, a.Prompt.Reference}
	}
	return out
}

// CommandReward asks a program: one line of JSON (Asked) for each answer on its
// standard input, and as many lines on its output: a number, an object with a
// number as reward, or null for none. Where it fails, takes too long or writes
// another number of lines, none of the answers has a score.
func CommandReward(c *search.Command) Reward {
	return func(ctx context.Context, answers []Answer) ([]Score, error) {
		var in strings.Builder
		for _, a := range Show(answers) {
			line, err := json.Marshal(a)
			if err != nil {
				return nil, err
			}
			in.Write(append(line, '\n'))
		}
		out, err := c.Filter(ctx, in.String(), len(answers)*maxRewardBytes)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return Unscored(len(answers), err.Error()), nil
		}
		var values []json.RawMessage
		for line := range strings.Lines(out) {
			if line = strings.TrimSpace(line); line != "" {
				values = append(values, json.RawMessage(line))
			}
		}
		if len(values) != len(answers) {
			return Unscored(len(answers), fmt.Sprintf("%s wrote %d lines for %d answers", c.Argv[0], len(values), len(answers))), nil
		}
		return ReadScores(values), nil
	}
}

// Unscored are n answers without a score, for one reason.
func Unscored(n int, why string) []Score {
	out := make([]Score, n)
	for i := range out {
		out[i].Skip = why
	}
	return out
}

// ReadScores reads rewards as others write them: a number, an object with a number
// as reward, or null for none.
func ReadScores(values []json.RawMessage) []Score {
	out := make([]Score, len(values))
	for i, v := range values {
		out[i] = readScore(v)
	}
	return out
}

func readScore(v json.RawMessage) Score {
	var number *float64
	if json.Unmarshal(v, &number) != nil {
		var object struct {
			Reward *float64 `json:"reward"`
		}
		if err := json.Unmarshal(v, &object); err != nil {
			return Score{Skip: fmt.Sprintf("%.40q is no reward", string(v))}
		}
		number = object.Reward
	}
	if number == nil {
		return Score{Skip: "it gave no reward"}
	}
	return Score{Value: *number}
}

// ModelReward is the score that a reward model's head gives to the end of prompt
// and answer; w writes them as that model reads them.
func ModelReward(e *generate.Engine, z *bundle.Bundle, w *Writer) Reward {
	return func(ctx context.Context, answers []Answer) ([]Score, error) {
		texts := make([][]int32, len(answers))
		for i, a := range answers {
			var err error
			if texts[i], err = w.AnswerText(a.Prompt.Given, dataset.Text{Plain: a.Text}, z.Model.Dims().Context); err != nil {
				return nil, err
			}
		}
		scores, err := e.HeadScores(ctx, z.Head, texts, nil)
		if err != nil {
			return nil, err
		}
		out := make([]Score, len(answers))
		for i, s := range scores {
			out[i].Value = s[0][0]
		}
		return out, nil
	}
}
