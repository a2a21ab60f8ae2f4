package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/foundling-lm/foundling/generate/search"
)

// httpVerifier asks a service for verdicts. Another status than 200, or an answer
// of another form, is an error; one that takes too long refuses the text.
func httpVerifier(url, prompt string, limit time.Duration) search.Verifier {
	return func(ctx context.Context, c *search.Candidate) (search.Verdict, error) {
		own, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		v, err := askService(own, url, prompt, c.Text)
		switch {
		case err != nil && ctx.Err() != nil:
			return v, ctx.Err()
		case err != nil && errors.Is(own.Err(), context.DeadlineExceeded):
			return search.Verdict{Why: fmt.Sprintf("the verifier took longer than %v", limit)}, nil
		case err != nil:
			return v, fmt.Errorf("verifier: %w", err)
		}
		return v, nil
	}
}

func askService(ctx context.Context, url, prompt, text string) (v search.Verdict, err error) {
	data, err := postJSON(ctx, url, "", map[string]string{"prompt": prompt, "text": text})
	if err != nil {
		return v, err
	}
	var answer struct {
		Pass  *bool    `json:"pass"`
		Score *float64 `json:"score"`
		Why   string   `json:"why"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return v, fmt.Errorf("%s answers %.200q: %w", url, data, err)
	}
	if answer.Pass == nil {
		return v, fmt.Errorf(`%s answers %.200q: field pass is missing`, url, data)
	}
	v = search.Verdict{Pass: *answer.Pass, Why: answer.Why}
	if v.Pass {
		v.Score = 1
	}
	if answer.Score != nil {
		v.Score = *answer.Score
	}
	return v, nil
}
