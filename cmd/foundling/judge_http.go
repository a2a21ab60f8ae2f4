package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// judgeTokens is what a judge may take for its verdict.
const judgeTokens = 256

// chatService is an interface for conversations in the form of OpenAI's chat
// completions, which many servers speak.
type chatService struct {
	url   string
	model string // its name there
	key   string // "": none
}

// newChatService finds the path that an address leaves out.
func newChatService(address, model, key string) (*chatService, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%q is no address: give http://HOST or https://HOST", address)
	}
	path := strings.TrimSuffix(u.Path, "/")
	switch {
	case strings.HasSuffix(path, "/chat/completions"):
	case path == "":
		path = "/v1/chat/completions"
	default:
		path += "/chat/completions"
	}
	u.Path = path
	return &chatService{u.String(), model, key}, nil
}

// say is one attempt.
func (s *chatService) say(ctx context.Context, msgs []chat.Message) (said posttrain.Said, err error) {
	data, err := postJSON(ctx, s.url, s.key, map[string]any{"model": s.model, "messages": msgs, "temperature": 0, "max_tokens": judgeTokens})
	var bad *answerError
	if errors.As(err, &bad) {
		switch n := bad.status; {
		case n == http.StatusUnauthorized || n == http.StatusForbidden:
			return said, fmt.Errorf("%w: %w: give the right --judge-key", posttrain.ErrRefused, err)
		case n >= 400 && n < 500 && n != http.StatusRequestTimeout && n != http.StatusTooManyRequests:
			return said, fmt.Errorf("%w: %w", posttrain.ErrRefused, err)
		}
	}
	if err != nil {
		return said, err
	}
	return readSaid(s.url, data)
}

// readSaid reads a response.
func readSaid(url string, data []byte) (said posttrain.Said, err error) {
	var r struct {
		Choices []struct {
			Message struct {
				Content *string `json:"content"`
			} `json:"message"`
		} `json:"choices"`
		Usage struct {
			Prompt     int `json:"prompt_tokens"`
			Completion int `json:"completion_tokens"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return said, fmt.Errorf("%s answers %.200q: %w", url, data, err)
	}
	if len(r.Choices) == 0 || r.Choices[0].Message.Content == nil {
		return said, fmt.Errorf("%s answers %.200q: choices[0].message.content is missing", url, data)
	}
	if r.Usage.Prompt < 0 || r.Usage.Completion < 0 {
		return said, errors.New(url + " answers with a negative number of tokens")
	}
	return posttrain.Said{Text: *r.Choices[0].Message.Content, PromptTokens: r.Usage.Prompt, CompletionTokens: r.Usage.Completion}, nil
}
