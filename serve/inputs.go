package serve

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/text/chat"
)

// maxInputs is how many texts a request may have read, as in OpenAI's interface.
const maxInputs = 2048

// input is a text that is read and not gone on with: itself, its ids, or an answer
// behind a prompt.
type input struct {
	text   *string
	ids    []int32
	answer *answerInput
}

type answerInput struct {
	Prompt     jsontext.Value `json:"prompt"` // a text or messages
	Completion *string        `json:"completion"`
}

// inputs is one of them or a list.
type inputs []input

// UnmarshalJSON reads a text, an object with prompt and completion, a list of ids, or a
// list of these.
func (in *inputs) UnmarshalJSON(data []byte) error {
	value := jsontext.Value(data)
	var list []jsontext.Value
	if value.Kind() == '[' {
		if err := unmarshal(data, &list); err != nil {
			return err
		}
		if len(list) == 0 {
			return wrong("", "the list is empty")
		}
	}
	if list == nil || list[0].Kind() == '0' {
		*in = make(inputs, 1)
		return (*in)[0].read(value)
	}
	if len(list) > maxInputs {
		return wrong("", fmt.Sprintf("%d texts, a request may have %d", len(list), maxInputs))
	}
	*in = make(inputs, len(list))
	for i, v := range list {
		if err := under(fmt.Sprintf("[%d]", i), (*in)[i].read(v)); err != nil {
			return err
		}
	}
	return nil
}

func inputAt(i int) string { return fmt.Sprintf("input[%d]", i) }

func (in *input) read(v jsontext.Value) error {
	switch kind := v.Kind(); kind {
	case '"':
		return unmarshal(v, &in.text)
	case '[':
		return unmarshal(v, &in.ids)
	case '{':
		if err := unmarshal(v, &in.answer); err != nil {
			return err
		}
		switch {
		case !given(in.answer.Prompt):
			return wrong("prompt", "it is missing")
		case in.answer.Completion == nil:
			return wrong("completion", "it is missing")
		}
		return nil
	default:
		return needed("", "a text, a list of ids or an object with prompt and completion", kind)
	}
}

// plain is the texts as ids; those with a prompt are refused.
func (in inputs) plain(m *served) ([][]int32, error) {
	out := make([][]int32, len(in))
	for i := range in {
		var err error
		if out[i], err = in[i].plain(m, inputAt(i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (in *input) plain(m *served, field string) (ids []int32, err error) {
	ids = in.ids
	switch {
	case in.answer != nil:
		return nil, wrong(field, "it must be a text or a list of ids")
	case in.text != nil && *in.text == "":
		return nil, wrong(field, "the text is empty")
	case in.text != nil:
		if ids, err = m.Bundle.TextPrompt(*in.text); err != nil {
			return nil, wrong(field, err.Error())
		}
	}
	return ids, m.readable(field, ids)
}

// readable says why ids cannot go through the model.
func (m *served) readable(field string, ids []int32) error {
	if dims := m.Bundle.Model.Dims(); len(ids) > dims.Context {
		e := wrong(field, fmt.Sprintf("%d tokens, the context of the model is %d: shorten it", len(ids), dims.Context))
		e.Code = "context_length_exceeded"
		return e
	}
	if err := m.Engine.Readable(ids); err != nil {
		return asError(err, true).named(field)
	}
	return nil
}

// turns is a prompt as messages: a text is the user's. Field is where it stands.
func (s *Server) turns(m *served, field string, prompt jsontext.Value) ([]chat.Message, error) {
	if prompt.Kind() == '"' {
		var text string
		if err := part(field, prompt, &text); err != nil {
			return nil, err
		}
		return []chat.Message{{Role: chat.RoleUser, Content: text}}, nil
	}
	var in []message
	switch err := part(field, prompt, &in); {
	case err != nil:
		return nil, err
	case len(in) == 0:
		return nil, wrong(field, "there is no message")
	case len(in) > s.o.MaxMessages:
		return nil, wrong(field, fmt.Sprintf("%d messages, this server reads %d", len(in), s.o.MaxMessages))
	}
	return conversation(field, in, m.Bundle.Calls())
}

// judged is the ids of a conversation that ends with an answer as a reward model reads
// it: without its beginning where it is longer than the context.
func (m *served) judged(field string, msgs []chat.Message, answer string) ([]int32, error) {
	z := *m.Bundle // of conversations now, which those that write may not see
	err := z.Converse()
	var ids []int32
	if err == nil {
		ids, _, err = z.Example(append(slices.Clone(msgs), chat.Message{Role: chat.RoleAssistant, Content: answer}))
	}
	if err != nil {
		return nil, wrong(field, err.Error())
	}
	ids = ids[max(0, len(ids)-z.Model.Dims().Context):]
	return ids, m.readable(field, ids)
}

// reading is a request whose texts are read, without new ones: its place in the queue,
// its model in the log and the header of what it ignores.
func (s *Server) reading(w *reply, r *http.Request, m *served, i *ignored, texts [][]int32) (leave func(), err error) {
	if leave, err = m.queue.enter(callerOf(r.Context()).Name, 1); err != nil {
		return nil, err
	}
	w.model = m.Name
	for _, ids := range texts {
		w.usage.Prompt += len(ids)
	}
	w.usage.Total = w.usage.Prompt
	if names := i.names(); len(names) > 0 {
		w.Header().Set("Foundling-Ignored", strings.Join(names, ", "))
	}
	return leave, nil
}

// read ends it.
func (s *Server) read(w *reply, answer any) {
	s.wrote(w)
	writeJSON(w, http.StatusOK, answer)
}

// readUsage counts what was read.
type readUsage struct {
	Prompt int `json:"prompt_tokens"`
	Total  int `json:"total_tokens"`
}

func (w *reply) readUsage() readUsage { return readUsage{w.usage.Prompt, w.usage.Total} }

// heads is the scores of a reward model or a classifier for texts.
func (s *Server) heads(ctx context.Context, m *served, texts [][]int32) ([][]float64, error) {
	all, err := m.Engine.HeadScores(ctx, m.Bundle.Head, texts, nil)
	if err != nil {
		return nil, s.failed(ctx, err, false)
	}
	out := make([][]float64, len(all))
	for i, x := range all {
		if out[i] = x[0]; !finite(out[i]...) {
			return nil, damaged()
		}
	}
	return out, nil
}

// damaged is the error of a model that gives no numbers.
func damaged() *Error {
	return &Error{Status: http.StatusInternalServerError, Message: "a result is not a finite number: the model's weights are damaged", Code: "internal_error"}
}
