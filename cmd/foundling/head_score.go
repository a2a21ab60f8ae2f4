package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// headScored is the answer to a line: a reward, or a class with the probabilities
// of all.
type headScored struct {
	Score  *float64           `json:"score,omitempty"`
	Class  string             `json:"class,omitempty"`
	Scores map[string]float64 `json:"probabilities,omitempty"`
}

// heads answers standard input by the head of a reward model or a classifier.
func (c *scoreCmd) heads(ctx context.Context, m *foundling.Model) error {
	w, err := posttrain.NewWriter(m.Bundle)
	if err != nil {
		return err
	}
	score := func(texts [][]int32) ([]any, error) {
		scores, err := m.Engine.HeadScores(ctx, m.Bundle.Head, texts, nil)
		if err != nil {
			return nil, err
		}
		out := make([]any, len(texts))
		for i, s := range scores {
			if out[i], err = headAnswer(s[0], m.Bundle.Head.Labels); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if c.JSONL {
		return eachBatch(ctx, os.Stdin, os.Stdout, scoreBatch, func(line []byte) ([]int32, error) {
			ids, err := headText(w, m, line)
			if err != nil {
				return nil, err
			}
			return ids, m.Engine.Readable(ids)
		}, score)
	}
	text, err := readInput(ctx)
	if err != nil {
		return err
	}
	ids := w.ClassText(dataset.Text{Plain: text})
	if err := m.Engine.Readable(ids); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	answers, err := score([][]int32{ids})
	if err != nil {
		return err
	}
	return printJSON(answers[0])
}

// headAnswer is one score, or the softmax of several.
func headAnswer(scores []float64, labels []string) (headScored, error) {
	best := 0
	for i, x := range scores {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return headScored{}, errors.New("a score is not a number: the model's weights are damaged")
		}
		if x > scores[best] {
			best = i
		}
	}
	if labels == nil {
		return headScored{Score: &scores[0]}, nil
	}
	a := headScored{Class: labels[best], Scores: map[string]float64{}}
	for i, p := range model.Probabilities(scores) {
		a.Scores[labels[i]] = p
	}
	return a, nil
}

// headText reads {"prompt":...,"completion":...}, a text or ids. A prompt is a
// string or a list of messages.
func headText(w *posttrain.Writer, m *foundling.Model, line []byte) ([]int32, error) {
	r, err := parseRecord(line)
	if err != nil {
		return nil, err
	}
	if r.IDs != nil {
		return *r.IDs, nil
	}
	if s, ok := r.text(); ok {
		return w.ClassText(dataset.Text{Plain: s}), nil
	}
	var pair struct {
		Prompt     json.RawMessage `json:"prompt"`
		Completion *string         `json:"completion"`
	}
	if err := json.Unmarshal(line, &pair); err != nil {
		return nil, err
	}
	if pair.Prompt == nil || pair.Completion == nil {
		return nil, errors.New(`give {"prompt":...,"completion":...}, {"text":...} or {"ids":[...]}`)
	}
	var prompt dataset.Text
	if json.Unmarshal(pair.Prompt, &prompt.Plain) != nil {
		if err := json.Unmarshal(pair.Prompt, &prompt.Turns); err != nil {
			return nil, fmt.Errorf("field prompt must be a string or a list of messages: %w", err)
		}
	}
	return w.AnswerText(prompt, dataset.Text{Plain: *pair.Completion}, m.Bundle.Model.Dims().Context)
}
