package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/foundling-lm/foundling/generate/search"
)

// maxVerdict bounds the answer of a verifying service.
const maxVerdict = 1 << 20

// httpVerifier asks a service for verdicts. Another status than 200, or an answer
// of another form, is an error; one that takes too long refuses the text.
func httpVerifier(url, prompt string, limit time.Duration) search.Verifier {
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context, c *search.Candidate) (search.Verdict, error) {
		own, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		v, err := askService(own, client, url, prompt, c.Text)
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

func askService(ctx context.Context, client *http.Client, url, prompt, text string) (v search.Verdict, err error) {
	body, err := json.Marshal(map[string]string{"prompt": prompt, "text": text})
	if err != nil {
		return v, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return v, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxVerdict+1))
	switch {
	case err != nil:
		return v, err
	case resp.StatusCode != http.StatusOK:
		return v, fmt.Errorf("%s answers %s: %.200q", url, resp.Status, data)
	case len(data) > maxVerdict:
		return v, fmt.Errorf("%s answers with more than %d bytes", url, maxVerdict)
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
