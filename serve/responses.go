package serve

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// responseRequest is the body of /v1/responses: what of OpenAI's interface needs nothing
// that was kept of earlier requests.
type responseRequest struct {
	Model             string            `json:"model"`
	Input             jsontext.Value    `json:"input"` // text, or items
	Instructions      *string           `json:"instructions"`
	MaxOutputTokens   *int              `json:"max_output_tokens"`
	Temperature       *float64          `json:"temperature"`
	TopP              *float64          `json:"top_p"`
	Seed              *int64            `json:"seed"` // not OpenAI's
	Stream            *bool             `json:"stream"`
	StreamOptions     *streamOptions    `json:"stream_options"`
	Text              *responseText     `json:"text"`
	Tools             []responseTool    `json:"tools"`
	ToolChoice        jsontext.Value    `json:"tool_choice"`
	ParallelToolCalls *bool             `json:"parallel_tool_calls"`
	Include           []string          `json:"include"`
	TopLogProbs       *int              `json:"top_logprobs"`
	Truncation        *string           `json:"truncation"`
	Background        *bool             `json:"background"`
	Store             *bool             `json:"store"`
	Metadata          map[string]string `json:"metadata"`
	Reasoning         object            `json:"reasoning"`
	MaxToolCalls      *int              `json:"max_tool_calls"`
	CacheOptions      object            `json:"prompt_cache_options"`
	Moderation        object            `json:"moderation"`
	ContextManagement []object          `json:"context_management"`
	PreviousID        jsontext.Value    `json:"previous_response_id"`
	Conversation      jsontext.Value    `json:"conversation"`
	Prompt            jsontext.Value    `json:"prompt"`
	choosing
	judging
	More
	ignored

	places []inputPlace // of the messages that were made
}

// object is one whose members change nothing here.
type object map[string]jsontext.Value

// responseText is how the text is written.
type responseText struct {
	Format    *responseTextFormat `json:"format"`
	Verbosity *string             `json:"verbosity"`
}

// responseTextFormat is responseFormat and jsonSchema in one object.
type responseTextFormat struct {
	Type        string         `json:"type"`
	Name        string         `json:"name,omitempty"`
	Description string         `json:"description,omitempty"`
	Schema      jsontext.Value `json:"schema,omitempty"`
	Strict      *bool          `json:"strict,omitempty"`
}

// responseTool is a function.
type responseTool struct {
	Type        string         `json:"type"`
	Name        string         `json:"name"`
	Description *string        `json:"description"`
	Parameters  jsontext.Value `json:"parameters"`
	Strict      *bool          `json:"strict"`
}

// responseChoice is an object in tool_choice.
type responseChoice struct {
	Type  string         `json:"type"`
	Name  string         `json:"name"`
	Mode  string         `json:"mode"`
	Tools []responseTool `json:"tools"`
}

// includeLogProbs is the one thing that can be included.
const includeLogProbs = "message.output_text.logprobs"

// responses is POST /v1/responses.
func (s *Server) responses(w *reply, r *http.Request) error {
	var q responseRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	f := q.fields()
	m, err := s.writer(f)
	if err != nil {
		return err
	}
	if err := q.check(); err != nil {
		return err
	}
	place := m.queue.place(callerOf(r.Context()).Name)
	defer place.leave()
	a, err := s.response(r.Context(), m, place, &q, f)
	if err != nil {
		return renamed(err, q.places)
	}
	return renamed(s.answer(w, r, a.job, a), q.places)
}

// check refuses what this server cannot do.
func (q *responseRequest) check() error {
	const stateless = "nothing is kept of a response here: send the whole conversation as input"
	switch {
	case given(q.PreviousID):
		return &Error{Message: "previous_response_id: " + stateless, Param: "previous_response_id", Code: "unsupported_parameter"}
	case given(q.Conversation):
		return &Error{Message: "conversation: " + stateless, Param: "conversation", Code: "unsupported_parameter"}
	case given(q.Prompt):
		return &Error{Message: "prompt: no templates are kept here: send instructions and input", Param: "prompt", Code: "unsupported_parameter"}
	case q.Background != nil && *q.Background:
		return &Error{Message: "background: " + stateless, Param: "background", Code: "unsupported_parameter"}
	case q.Truncation != nil && *q.Truncation != "disabled":
		return wrong("truncation", fmt.Sprintf("%q: a conversation that is too long is an error here, disabled is the only value", *q.Truncation))
	case q.ReturnTokenIDs:
		return wrong("return_token_ids", "responses have no place for them: /v1/chat/completions has")
	}
	for _, x := range q.Include {
		if x != includeLogProbs && x != "reasoning.encrypted_content" {
			return wrong("include", fmt.Sprintf("%q: there is %s", x, includeLogProbs))
		}
	}
	return nil
}

// fields is the request as those for text are.
func (q *responseRequest) fields() *writing {
	f := &writing{
		Model: q.Model, Seed: q.Seed, Temperature: q.Temperature, TopP: q.TopP, Stream: q.Stream, StreamOptions: q.StreamOptions,
		choosing: q.choosing, judging: q.judging, More: q.More, ignored: q.ignored,
	}
	if t := q.Text; t != nil && t.Format != nil {
		f.ResponseFormat = &responseFormat{Type: t.Format.Type}
		if t.Format.Type == "json_schema" || given(t.Format.Schema) {
			f.ResponseFormat.JSONSchema = &jsonSchema{Name: t.Format.Name, Schema: t.Format.Schema}
		}
	}
	if q.Text != nil && q.Text.Verbosity != nil {
		f.more = append(f.more, "text.verbosity")
	}
	for _, x := range []struct {
		name  string
		there bool
	}{
		{"store", q.Store != nil && *q.Store}, {"reasoning", q.Reasoning != nil}, {"max_tool_calls", q.MaxToolCalls != nil},
		{"prompt_cache_options", q.CacheOptions != nil}, {"moderation", q.Moderation != nil}, {"context_management", q.ContextManagement != nil},
		{"include", slices.Contains(q.Include, "reasoning.encrypted_content")},
	} {
		if x.there {
			f.more = append(f.more, x.name)
		}
	}
	return f
}

// response makes ready to answer.
func (s *Server) response(ctx context.Context, m *served, place *place, q *responseRequest, f *writing) (*responseAnswer, error) {
	var err error
	if f.calling, err = q.calling(m); err != nil {
		return nil, err
	}
	f.calling.within(f.ResponseFormat)
	msgs, err := q.messages()
	if err != nil {
		return nil, err
	}
	words, err := q.words()
	if err != nil {
		return nil, err
	}
	told, err := q.instruct(msgs, words, "")
	if err != nil {
		return nil, err
	}
	facts, err := s.known(ctx, m, place, f, told)
	if err != nil {
		return nil, err
	}
	with, err := q.instruct(told, "", inWords(facts))
	if err != nil {
		return nil, err
	}
	ids, err := s.askTools(m, with, f.calling.tools)
	if err != nil {
		return nil, err
	}
	a := &responseAnswer{q: q, calling: f.calling, logProbs: slices.Contains(q.Include, includeLogProbs)}
	top := 0
	if q.TopLogProbs != nil {
		if top = *q.TopLogProbs; top < 0 || top > maxTopLogProbs {
			return nil, wrong("top_logprobs", fmt.Sprintf("%d lies outside 0 to %d", top, maxTopLogProbs))
		}
		if !a.logProbs {
			return nil, wrong("top_logprobs", fmt.Sprintf("it needs %q among include", includeLogProbs))
		}
	}
	a.job, err = s.job(m, f, "resp_", [][]int32{ids}, q.MaxOutputTokens, top, m.Bundle.Stops())
	if err != nil {
		return nil, err
	}
	a.place = place
	a.reminds(q.Memory.used(), facts)
	asked, err := conversation("messages", told, m.Bundle.Calls())
	if err != nil {
		return nil, err
	}
	a.asks(asked)
	a.doubt = s.doubting(m, told, f.calling.tools)
	return a, nil
}

// instruct is instruct for messages whose places are known.
func (q *responseRequest) instruct(in []message, before, behind string) ([]message, error) {
	out, err := instruct(in, before, behind)
	if len(out) > len(in) {
		q.places = slices.Insert(q.places, 0, inputPlace{item: -1})
	}
	return out, err
}

// calling is the functions of the request.
func (q *responseRequest) calling(m *served) (*calling, error) {
	t := &tools{ParallelToolCalls: q.ParallelToolCalls}
	for i, x := range q.Tools {
		if x.Type != "function" {
			return nil, &Error{Message: fmt.Sprintf("tools[%d].type: %q: functions are the tools that are supported", i, x.Type), Param: fmt.Sprintf("tools[%d].type", i), Code: "unsupported_tool"}
		}
		t.Tools = append(t.Tools, tool{Type: x.Type, Function: &function{x.Name, x.Description, x.Parameters, x.Strict}})
	}
	if q.ToolChoice.Kind() != '{' {
		t.ToolChoice = q.ToolChoice
		return t.read(m)
	}
	var x responseChoice
	if err := part("tool_choice", q.ToolChoice, &x); err != nil {
		return nil, err
	}
	chat := toolChoice{Type: x.Type}
	switch x.Type {
	case "function":
		chat.Function = &namedTool{x.Name}
	case "allowed_tools":
		chat.Allowed = &allowedTools{Mode: x.Mode}
		for _, o := range x.Tools {
			chat.Allowed.Tools = append(chat.Allowed.Tools, allowedTool{o.Type, namedTool{o.Name}})
		}
	default:
		return nil, wrong("tool_choice", fmt.Sprintf("an object of the type %q: it must be function or allowed_tools", x.Type))
	}
	t.ToolChoice = marshal(chat)
	return t.read(m)
}

// renames are what fields of a request for a response are called elsewhere.
var renames = []struct{ from, to string }{
	{"response_format.json_schema", "text.format"}, {"response_format", "text.format"}, {"max_tokens", "max_output_tokens"}, {".function", ""},
}

var placeOf = regexp.MustCompile(`^messages\[(\d+)\](?:\.tool_calls\[(\d+)\])?`)

// renamed is an error with the names that the fields have in a request for a response.
func renamed(err error, places []inputPlace) error {
	e, ok := err.(*Error)
	if !ok || e.Param == "" {
		return err
	}
	to := e.Param
	if at := placeOf.FindStringSubmatch(to); at != nil {
		i, _ := strconv.Atoi(at[1])
		place := "instructions"
		if p := places[i]; p.item >= 0 {
			place = fmt.Sprintf("input[%d]", p.item)
			if call, err := strconv.Atoi(at[2]); err == nil {
				place = fmt.Sprintf("input[%d]", p.calls[call])
			}
		}
		field := strings.TrimPrefix(to, at[0])
		if field == ".tool_call_id" || field == ".id" {
			field = ".call_id"
		}
		to = place + field
	} else if to == "messages" || to == "prompt" && e.Code == "context_length_exceeded" {
		to = "input"
	}
	for _, r := range renames {
		to = strings.Replace(to, r.from, r.to, 1)
	}
	if to == e.Param {
		return err
	}
	return e.named(to)
}
