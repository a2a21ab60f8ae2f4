package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer bounds what is read of a service's answer, in bytes.
const maxAnswer = 1 << 20

// answerError is an answer that is none: another status than 200, or too long.
type answerError struct {
	status  int
	message string
}

func (e *answerError) Error() string { return e.message }

// postJSON sends body to a service, with a bearer's key if there is one, and returns
// what it answers. Redirects are not followed: what is sent goes where the user said.
func postJSON(ctx context.Context, url, key string, body any) ([]byte, error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, &answerError{resp.StatusCode, fmt.Sprintf("%s answers %s: %.200q", url, resp.Status, data)}
	case len(data) > maxAnswer:
		return nil, &answerError{resp.StatusCode, fmt.Sprintf("%s answers with more than %d bytes", url, maxAnswer)}
	}
	return data, nil
}
