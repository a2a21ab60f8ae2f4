package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"

	"github.com/foundling-lm/foundling"
)

// OpenAI's own client gets what it asks for.
func TestOfficialClient(t *testing.T) {
	h := start(t, nil)
	ctx := context.Background()
	client := openai.NewClient(option.WithBaseURL(h.URL+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	ask := openai.ChatCompletionNewParams{
		Model: "talker", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello")},
		Seed: openai.Int(11), MaxCompletionTokens: openai.Int(20), Temperature: openai.Float(0.7), Logprobs: openai.Bool(true), TopLogprobs: openai.Int(2),
	}
	want := asJSON(library(t, talker, "hello", foundling.Decoding{Seed: 11, MaxTokens: 20, Temperature: seven()}))

	t.Run("chat", func(t *testing.T) {
		r, err := client.Chat.Completions.New(ctx, ask)
		if err != nil {
			t.Fatal(err)
		}
		c := r.Choices[0]
		if c.Message.Content != want || len(c.Logprobs.Content) != int(r.Usage.CompletionTokens) || r.Usage.PromptTokens == 0 {
			t.Errorf("%q with %+v, want %q", c.Message.Content, r.Usage, want)
		}
	})
	t.Run("stream", func(t *testing.T) {
		p := ask
		p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
		var all openai.ChatCompletionAccumulator
		s := client.Chat.Completions.NewStreaming(ctx, p)
		for s.Next() {
			if !all.AddChunk(s.Current()) {
				t.Errorf("the client cannot add %s", s.Current().RawJSON())
			}
		}
		if s.Err() != nil {
			t.Fatal(s.Err())
		}
		if c := all.Choices[0]; c.Message.Content != want || c.Message.Role != "assistant" || c.FinishReason == "" || all.Usage.TotalTokens == 0 {
			t.Errorf("%+v, want %q", all.ChatCompletion, want)
		}
	})
	t.Run("completions", func(t *testing.T) {
		r, err := client.Completions.New(ctx, openai.CompletionNewParams{
			Model: "base", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("func")}, Seed: openai.Int(2), MaxTokens: openai.Int(9),
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := asJSON(library(t, base, "func", foundling.Decoding{Seed: 2, MaxTokens: 9})); r.Choices[0].Text != want {
			t.Errorf("%q, want %q", r.Choices[0].Text, want)
		}
	})
	t.Run("models", func(t *testing.T) {
		r, err := client.Models.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range r.Data {
			names = append(names, m.ID)
		}
		if !slices.Equal(names, []string{"talker", "base"}) {
			t.Errorf("models %v", names)
		}
		if m, err := client.Models.Get(ctx, "base"); err != nil || m.ID != "base" {
			t.Errorf("%+v, %v", m, err)
		}
	})
	t.Run("schema", func(t *testing.T) {
		p := ask
		p.MaxCompletionTokens = openai.Int(60)
		p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "city", Strict: openai.Bool(true),
			Schema: map[string]any{"type": "object", "properties": map[string]any{"open": map[string]any{"type": "boolean"}}, "required": []string{"open"}, "additionalProperties": false},
		}}
		r, err := client.Chat.Completions.New(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ Open *bool }
		if err := json.Unmarshal([]byte(r.Choices[0].Message.Content), &v); err != nil || v.Open == nil {
			t.Errorf("%q: %v", r.Choices[0].Message.Content, err)
		}
	})
	t.Run("error", func(t *testing.T) {
		p := ask
		p.Temperature = openai.Float(5)
		_, err := client.Chat.Completions.New(ctx, p)
		var e *openai.Error
		if !errors.As(err, &e) || e.StatusCode != 400 || e.Param != "temperature" || e.Code != "invalid_value" || e.Type != "invalid_request_error" {
			t.Errorf("error %v", err)
		}
	})
}
