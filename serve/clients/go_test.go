package clients_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/servetest"
)

func (at target) client() openai.Client {
	key := at.key
	if key == "" {
		key = "none"
	}
	return openai.NewClient(option.WithBaseURL(at.url+"/v1/"), option.WithAPIKey(key), option.WithMaxRetries(8))
}

// talking is a request for an answer.
func (at target) talking() openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: at.chat, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Say something.")},
		Seed: openai.Int(5), MaxTokens: openai.Int(12), Temperature: openai.Float(0.7),
	}
}

// TestGo is the flow of openai-go.
func TestGo(t *testing.T) {
	at := server(t)
	c := at.client()
	ctx := t.Context()
	t.Run("models", func(t *testing.T) {
		var names []string
		for p := c.Models.ListAutoPaging(ctx); p.Next(); {
			names = append(names, p.Current().ID)
		}
		m, err := c.Models.Get(ctx, at.text)
		if err != nil || m.ID != at.text || !slices.Contains(names, at.text) {
			t.Errorf("%v, %v of %q", err, m, names)
		}
	})
	t.Run("completions", func(t *testing.T) { completions(t, ctx, &c, at) })
	t.Run("embeddings", func(t *testing.T) { embeddings(t, ctx, &c, at) })
	t.Run("errors", func(t *testing.T) {
		for status, params := range map[int]openai.CompletionNewParams{
			http.StatusNotFound:   {Model: "no such model"},
			http.StatusBadRequest: {Model: openai.CompletionNewParamsModel(at.text), Temperature: openai.Float(5)},
		} {
			params.Prompt.OfString = openai.String("x")
			_, err := c.Completions.New(ctx, params)
			var e *openai.Error
			if !errors.As(err, &e) || e.StatusCode != status || e.Param == "" || e.Code == "" || e.Message == "" {
				t.Errorf("status %d: %v", status, err)
			}
		}
	})
	if at.chat == "" {
		t.Skip("no model of the server knows conversations")
	}
	t.Run("chat", func(t *testing.T) { chats(t, ctx, &c, at) })
	t.Run("json schema", func(t *testing.T) { schemas(t, ctx, &c, at) })
	t.Run("tools", func(t *testing.T) { tools(t, ctx, &c, at) })
	t.Run("responses", func(t *testing.T) { respond(t, ctx, &c, at) })
}

func completions(t *testing.T, ctx context.Context, c *openai.Client, at target) {
	params := openai.CompletionNewParams{Model: openai.CompletionNewParamsModel(at.text), MaxTokens: openai.Int(12), Seed: openai.Int(3), Logprobs: openai.Int(2)}
	params.Prompt.OfString = openai.String("Once upon a time")
	least := option.WithJSONSet("min_tokens", 4) // a small model may end a text before it begins
	whole, err := c.Completions.New(ctx, params, least)
	if err != nil {
		t.Fatal(err)
	}
	if n := whole.Usage.CompletionTokens; n < 4 || int(n) != len(whole.Choices[0].Logprobs.Tokens) || whole.Choices[0].Text == "" {
		t.Errorf("%s", whole.RawJSON())
	}
	text := ""
	s := c.Completions.NewStreaming(ctx, params, least)
	for s.Next() {
		text += s.Current().Choices[0].Text
	}
	if s.Err() != nil || text != whole.Choices[0].Text {
		t.Errorf("the stream says %q, whole it was %q, %v", text, whole.Choices[0].Text, s.Err())
	}
	params.Prompt = openai.CompletionNewParamsPromptUnion{OfArrayOfStrings: []string{"a", "b"}}
	params.N = openai.Int(2)
	if many, err := c.Completions.New(ctx, params); err != nil || len(many.Choices) != 4 {
		t.Errorf("two texts of two prompts: %v, %v", many, err)
	}
}

func embeddings(t *testing.T, ctx context.Context, c *openai.Client, at target) {
	params := openai.EmbeddingNewParams{Model: openai.EmbeddingModel(at.text)}
	params.Input.OfArrayOfStrings = []string{"a cat", "a dog"}
	plain, err := c.Embeddings.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	length := 0.0
	for _, x := range plain.Data[1].Embedding {
		length += x * x
	}
	if len(plain.Data) != 2 || math.Abs(length-1) > 1e-5 {
		t.Errorf("%d vectors, the second of length %v", len(plain.Data), length)
	}
	var packed struct{ Data []struct{ Embedding string } }
	params.EncodingFormat = openai.EmbeddingNewParamsEncodingFormatBase64
	if _, err := c.Embeddings.New(ctx, params, option.WithResponseBodyInto(&packed)); err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(packed.Data[1].Embedding)
	if err != nil || len(b) != 4*len(plain.Data[1].Embedding) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	for i, x := range plain.Data[1].Embedding {
		if got := math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])); got != float32(x) {
			t.Fatalf("number %d is %v, packed %v", i, x, got)
		}
	}
}

func chats(t *testing.T, ctx context.Context, c *openai.Client, at target) {
	params := at.talking()
	params.Logprobs, params.TopLogprobs = openai.Bool(true), openai.Int(2)
	least := option.WithJSONSet("min_tokens", 4)
	whole, err := c.Chat.Completions.New(ctx, params, least)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(whole.Choices[0].Logprobs.Content); int64(n) != whole.Usage.CompletionTokens || n < 4 {
		t.Errorf("%d log-probabilities: %s", n, whole.RawJSON())
	}
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	var all openai.ChatCompletionAccumulator
	s := c.Chat.Completions.NewStreaming(ctx, params, least)
	for s.Next() {
		if !all.AddChunk(s.Current()) {
			t.Errorf("an event that does not fit: %s", s.Current().RawJSON())
		}
	}
	if s.Err() != nil || all.Choices[0].Message.Content != whole.Choices[0].Message.Content || all.Usage.TotalTokens != whole.Usage.TotalTokens {
		t.Errorf("the stream says %q with %d tokens, whole it was %q with %d, %v", all.Choices[0].Message.Content, all.Usage.TotalTokens, whole.Choices[0].Message.Content, whole.Usage.TotalTokens, s.Err())
	}
}

func schemas(t *testing.T, ctx context.Context, c *openai.Client, at target) {
	params := at.talking()
	params.MaxTokens = openai.Int(64)
	params.ResponseFormat.OfJSONSchema = &openai.ResponseFormatJSONSchemaParam{JSONSchema: openai.ResponseFormatJSONSchemaJSONSchemaParam{
		Name: "mood", Strict: openai.Bool(true), Schema: object(map[string]any{"mood": map[string]any{"enum": []string{"good", "bad"}}, "n": map[string]any{"type": "integer", "minimum": 0, "maximum": 9}}),
	}}
	answer, err := c.Chat.Completions.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Mood string
		N    *int
	}
	if err := json.Unmarshal([]byte(answer.Choices[0].Message.Content), &v); err != nil || v.N == nil || !slices.Contains([]string{"good", "bad"}, v.Mood) {
		t.Errorf("%q: %v", answer.Choices[0].Message.Content, err)
	}
}

// object is the schema of an object that has all its properties.
func object(properties map[string]any) map[string]any {
	var names []string
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return map[string]any{"type": "object", "properties": properties, "required": names, "additionalProperties": false}
}

func tools(t *testing.T, ctx context.Context, c *openai.Client, at target) {
	params := at.talking()
	params.Model, params.MaxTokens = at.calls, openai.Int(128)
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
		Name: "weather", Parameters: object(map[string]any{"city": map[string]any{"type": "string", "enum": []string{"Oslo", "Rome"}}}),
	})}
	params.ToolChoice.OfAuto = openai.String("required")
	answer, err := c.Chat.Completions.New(ctx, params)
	var e *openai.Error
	if os.Getenv("FOUNDLING_TEST_URL") != "" && errors.As(err, &e) && e.Code == "context_length_exceeded" {
		t.Skip("the context of the server's models has no room for functions: " + e.Message)
	}
	if err != nil {
		t.Fatal(err)
	}
	calls := answer.Choices[0].Message.ToolCalls
	if len(calls) == 0 || answer.Choices[0].FinishReason != "tool_calls" {
		t.Fatalf("%s", answer.RawJSON())
	}
	var v struct{ City string }
	if err := json.Unmarshal([]byte(calls[0].Function.Arguments), &v); err != nil || calls[0].Function.Name != "weather" || v.City != "Oslo" && v.City != "Rome" {
		t.Errorf("%s: %v", answer.RawJSON(), err)
	}
	var all openai.ChatCompletionAccumulator
	s := c.Chat.Completions.NewStreaming(ctx, params)
	for s.Next() {
		all.AddChunk(s.Current())
	}
	if s.Err() != nil || len(all.Choices[0].Message.ToolCalls) != len(calls) || all.Choices[0].Message.ToolCalls[0].Function.Arguments != calls[0].Function.Arguments {
		t.Errorf("the stream calls %+v, whole it was %+v, %v", all.Choices[0].Message.ToolCalls, calls, s.Err())
	}
	next := at.talking()
	next.Model = at.calls
	next.Messages = append(next.Messages, answer.Choices[0].Message.ToParam())
	for _, call := range calls {
		next.Messages = append(next.Messages, openai.ToolMessage("rain", call.ID))
	}
	if _, err := c.Chat.Completions.New(ctx, next); err != nil {
		t.Errorf("behind the results: %v", err)
	}
}

func respond(t *testing.T, ctx context.Context, c *openai.Client, at target) {
	params := responses.ResponseNewParams{Model: at.chat, MaxOutputTokens: openai.Int(24), Temperature: openai.Float(0), Store: openai.Bool(false)}
	params.Input.OfString = openai.String("Say something.")
	whole, err := c.Responses.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Status != "completed" && whole.Status != "incomplete" {
		t.Errorf("status %q", whole.Status)
	}
	text, last, number := "", "", int64(-1)
	s := c.Responses.NewStreaming(ctx, params)
	for s.Next() {
		e := s.Current()
		if e.SequenceNumber <= number {
			t.Errorf("event %d behind event %d", e.SequenceNumber, number)
		}
		number, last = e.SequenceNumber, e.Type
		if e.Type == "response.output_text.delta" {
			text += e.Delta
		}
	}
	if s.Err() != nil || text != whole.OutputText() || last != "response."+string(whole.Status) {
		t.Errorf("the stream says %q and ends with %s, whole it was %q, %v", text, last, whole.OutputText(), s.Err())
	}
}

// The client comes again when the server is full: with texts that are not over before.
func TestGoRetries(t *testing.T) {
	const texts = 16
	seen := &statuses{all: make(chan int, 64)}
	at := start(t, serve.Options{Queue: texts}, seen.around)
	c := at.client()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	release := servetest.Stand(t, at.model)
	seen.saw = func(status int) {
		if status == http.StatusTooManyRequests {
			cancel() // and there is room again
			release()
		}
	}
	params := openai.CompletionNewParams{Model: openai.CompletionNewParamsModel(at.text), N: openai.Int(texts), MaxTokens: openai.Int(2)}
	params.Prompt.OfString = openai.String("Once")
	gone := make(chan error)
	go func() {
		_, err := c.Completions.New(ctx, params)
		gone <- err
	}()
	servetest.Measured(t, at.url, fmt.Sprintf(`foundling_texts{model="stories"} %d`, texts), "")
	params.N = openai.Int(1)
	if _, err := c.Completions.New(t.Context(), params, option.WithHeader("X-Watched", "1")); err != nil {
		t.Error(err)
	}
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the texts that filled the server: %v", err)
	}
	if all := seen.list(); len(all) < 2 || all[0] != http.StatusTooManyRequests || all[len(all)-1] != http.StatusOK {
		t.Errorf("the server was never full: %v", all)
	}
}
