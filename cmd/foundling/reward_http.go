package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/foundling-lm/foundling/train/posttrain"
)

const (
	rewardBatch    = 16              // answers in a request
	rewardAttempts = 3               // of a request
	rewardPause    = time.Second / 2 // before the second attempt; it doubles
)

// rewardService asks a service for rewards: it is sent prompts, completions and
// references, lists of one length, and answers with rewards, a list of numbers or
// nulls.
type rewardService struct {
	url   string
	limit time.Duration // for one attempt
	pause time.Duration
}

// errAnswer is a response that makes no sense: the service is there, but cannot
// deal with what it was sent.
var errAnswer = errors.New("bad answer")

// reward is the service as a reward. An attempt that fails is repeated; answers
// that get no reward in the end are skipped. Where the service is there and
// fails at many answers, it is asked again by halves, so that one of them does not
// cost the others their rewards.
func (s *rewardService) reward(ctx context.Context, answers []posttrain.Answer) ([]posttrain.Score, error) {
	return s.ask(ctx, posttrain.Show(answers), rewardAttempts)
}

func (s *rewardService) ask(ctx context.Context, asked []posttrain.Asked, attempts int) ([]posttrain.Score, error) {
	pause := s.pause
	for i := 1; ; i++ {
		scores, err := s.once(ctx, asked)
		switch {
		case err == nil:
			return scores, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case i < attempts:
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(pause):
			}
			pause *= 2
			continue
		case errors.Is(err, errAnswer) && len(asked) > 1:
			half := len(asked) / 2
			scores, err := s.ask(ctx, asked[:half], 1)
			if err != nil {
				return nil, err
			}
			rest, err := s.ask(ctx, asked[half:], 1)
			return append(scores, rest...), err
		}
		return posttrain.Unscored(len(asked), err.Error()), nil
	}
}

// once is one attempt.
func (s *rewardService) once(ctx context.Context, asked []posttrain.Asked) ([]posttrain.Score, error) {
	var body struct {
		Prompts     []string `json:"prompts"`
		Completions []string `json:"completions"`
		References  []string `json:"references"`
	}
	for _, a := range asked {
		body.Prompts = append(body.Prompts, a.Prompt)
		body.Completions = append(body.Completions, a.Completion)
		body.References = append(body.References, a.Reference)
	}
	own, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	data, err := postJSON(own, s.url, "", body)
	var bad *answerError
	switch {
	case errors.As(err, &bad):
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	case err != nil:
		return nil, s.slow(own, err)
	}
	var answer struct {
		Rewards []json.RawMessage `json:"rewards"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("%w: %s answers %.200q: %w", errAnswer, s.url, data, err)
	}
	if len(answer.Rewards) != len(asked) {
		return nil, fmt.Errorf("%w: %s gives %d rewards for %d completions", errAnswer, s.url, len(answer.Rewards), len(asked))
	}
	return posttrain.ReadScores(answer.Rewards), nil
}

// slow names the limit where it was what ended the attempt.
func (s *rewardService) slow(own context.Context, err error) error {
	if errors.Is(own.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s took longer than %v", s.url, s.limit)
	}
	return err
}
