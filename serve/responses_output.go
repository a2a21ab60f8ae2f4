package serve

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/generate"
)

// responseAnswer is the shape of /v1/responses: one text, as items. A whole answer is
// what its events come to.
type responseAnswer struct {
	*job
	q        *responseRequest
	calling  *calling
	logProbs bool

	reader  *callReader
	number  int // of the next event
	items   []*outputItem
	open    bool         // the last item is being written
	pending []topLogProb // of tokens whose text is held back
}

// outputItem is a message or a call.
type outputItem struct {
	ID      string       `json:"id"`
	Type    string       `json:"type"`
	Status  string       `json:"status"`
	Role    string       `json:"role,omitempty"`
	Content []outputText `json:"content,omitzero"`

	CallID    string  `json:"call_id,omitempty"`
	Name      string  `json:"name,omitempty"`
	Arguments *string `json:"arguments,omitempty"`

	Known *judgement `json:"foundling,omitempty"` // of the last item: of the text
}

type outputText struct {
	Type        string       `json:"type"`
	Text        string       `json:"text"`
	Annotations []any        `json:"annotations"` // none
	LogProbs    []topLogProb `json:"logprobs"`
}

// responseObject is OpenAI's response.
type responseObject struct {
	ID                string            `json:"id"`
	Object            string            `json:"object"`
	CreatedAt         int64             `json:"created_at"`
	CompletedAt       *int64            `json:"completed_at"`
	Status            string            `json:"status"`
	Background        bool              `json:"background"`
	Error             any               `json:"error"`
	Incomplete        *incomplete       `json:"incomplete_details"`
	Instructions      *string           `json:"instructions"`
	MaxOutputTokens   *int              `json:"max_output_tokens"`
	Model             string            `json:"model"`
	Output            []*outputItem     `json:"output"`
	ParallelToolCalls bool              `json:"parallel_tool_calls"`
	PreviousID        *string           `json:"previous_response_id"`
	Store             bool              `json:"store"`
	Temperature       float64           `json:"temperature"`
	TopP              float64           `json:"top_p"`
	TopLogProbs       int               `json:"top_logprobs"`
	Text              responseTextOut   `json:"text"`
	ToolChoice        jsontext.Value    `json:"tool_choice"`
	Tools             []responseTool    `json:"tools"`
	Truncation        string            `json:"truncation"`
	Usage             *responseUsage    `json:"usage,omitempty"`
	Metadata          map[string]string `json:"metadata"`
	Notes             *notes            `json:"foundling,omitempty"`
}

type incomplete struct {
	Reason string `json:"reason"`
}

type responseTextOut struct {
	Format responseTextFormat `json:"format"`
}

type responseUsage struct {
	Input        int `json:"input_tokens"`
	InputDetails struct {
		Cached  int `json:"cached_tokens"`
		Written int `json:"cache_write_tokens"`
	} `json:"input_tokens_details"`
	Output        int `json:"output_tokens"`
	OutputDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	Total int `json:"total_tokens"`
}

// responseEvent is an event with its fields; its name is its type.
type responseEvent map[string]any

func (e responseEvent) event() string { return e["type"].(string) }

// tell is an event with the next number.
func (a *responseAnswer) tell(kind string, fields responseEvent) responseEvent {
	fields["type"], fields["sequence_number"] = kind, a.number
	a.number++
	return fields
}

// object is the response as it stands.
func (a *responseAnswer) object(status string) responseObject {
	o := responseObject{
		ID: a.id, Object: "response", CreatedAt: a.created, Status: status, Instructions: a.q.Instructions, MaxOutputTokens: a.q.MaxOutputTokens,
		Model: a.model.Name, Output: a.items, ParallelToolCalls: a.q.ParallelToolCalls == nil || *a.q.ParallelToolCalls,
		Temperature: a.options.Sample.Temperature, TopP: 1, TopLogProbs: a.options.LogProbs, Text: responseTextOut{responseTextFormat{Type: "text"}},
		ToolChoice: a.q.ToolChoice, Tools: a.q.Tools, Truncation: "disabled", Metadata: a.q.Metadata,
	}
	if a.items == nil {
		o.Output = []*outputItem{}
	}
	if p := a.options.Sample.TopP; p > 0 {
		o.TopP = p
	}
	if t := a.q.Text; t != nil && t.Format != nil {
		o.Text.Format = *t.Format
	}
	if !given(o.ToolChoice) {
		o.ToolChoice = jsontext.Value(`"auto"`)
	}
	if o.Metadata == nil {
		o.Metadata = map[string]string{}
	}
	if o.Tools == nil {
		o.Tools = []responseTool{}
	}
	return o
}

func (a *responseAnswer) first(int) any {
	if a.calling.may != nil {
		a.reader = a.calling.reader()
	}
	out := several{}
	for _, kind := range []string{"response.created", "response.in_progress"} {
		out = append(out, a.tell(kind, responseEvent{"response": a.object("in_progress")}))
	}
	return out
}

func (a *responseAnswer) piece(_ int, p generate.Piece) any {
	if a.logProbs && p.ID >= 0 {
		l := a.model.chatLogProb(p.ID, p.LogProb, p.Detail)
		notNull(&l.tokenLogProb)
		for i := range l.Top {
			notNull(&l.Top[i])
		}
		a.pending = append(a.pending, l)
	}
	if a.reader == nil {
		return a.add(delta{Content: &p.Text}, p.Text == "")
	}
	return a.add(a.reader.delta(p.Text, false), false)
}

// notNull makes the bytes of a special token, which it has none of, an empty list.
func notNull(t *tokenLogProb) {
	if t.Bytes == nil {
		t.Bytes = []int{}
	}
}

// add is the events of a piece.
func (a *responseAnswer) add(d delta, empty bool) any {
	var out several
	if d.Content != nil && !empty {
		if !a.open {
			out = a.begin(out, &outputItem{ID: "msg_" + nonce(), Type: "message", Role: "assistant", Content: []outputText{}})
		}
		out = a.write(out, *d.Content)
	}
	for _, c := range d.ToolCalls {
		if a.pending = nil; c.ID != "" {
			out = a.close(out, "completed")
			out = a.begin(out, &outputItem{ID: "fc_" + nonce(), Type: "function_call", CallID: c.ID, Name: c.Function.Name, Arguments: new(string)})
		}
		if c.Function.Arguments != "" {
			x := a.items[len(a.items)-1]
			x.Arguments = new(*x.Arguments + c.Function.Arguments) // earlier events have the old one
			out = append(out, a.tell("response.function_call_arguments.delta", responseEvent{"item_id": x.ID, "output_index": len(a.items) - 1, "delta": c.Function.Arguments}))
		}
	}
	if out == nil {
		return nil
	}
	return out
}

// begin adds an item.
func (a *responseAnswer) begin(out several, x *outputItem) several {
	x.Status = "in_progress"
	a.items, a.open = append(a.items, x), true
	at := len(a.items) - 1
	out = append(out, a.tell("response.output_item.added", responseEvent{"output_index": at, "item": *x}))
	if x.Type == "message" {
		x.Content = []outputText{{Type: "output_text", Annotations: []any{}, LogProbs: []topLogProb{}}}
		out = append(out, a.tell("response.content_part.added", responseEvent{"item_id": x.ID, "output_index": at, "content_index": 0, "part": x.Content[0]}))
	}
	return out
}

// write adds to the message.
func (a *responseAnswer) write(out several, text string) several {
	x := a.items[len(a.items)-1]
	c := &x.Content[0]
	l := append([]topLogProb{}, a.pending...)
	a.pending = nil
	c.Text += text
	c.LogProbs = append(c.LogProbs, l...)
	return append(out, a.tell("response.output_text.delta", responseEvent{"item_id": x.ID, "output_index": len(a.items) - 1, "content_index": 0, "delta": text, "logprobs": l}))
}

// close ends the last item.
func (a *responseAnswer) close(out several, status string) several {
	if !a.open {
		return out
	}
	a.open = false
	at := len(a.items) - 1
	x := a.items[at]
	x.Status = status
	if x.Type == "message" {
		c := x.Content[0]
		out = append(out,
			a.tell("response.output_text.done", responseEvent{"item_id": x.ID, "output_index": at, "content_index": 0, "text": c.Text, "logprobs": c.LogProbs}),
			a.tell("response.content_part.done", responseEvent{"item_id": x.ID, "output_index": at, "content_index": 0, "part": c}))
	} else {
		out = append(out, a.tell("response.function_call_arguments.done", responseEvent{"item_id": x.ID, "output_index": at, "name": x.Name, "arguments": *x.Arguments}))
	}
	return append(out, a.tell("response.output_item.done", responseEvent{"output_index": at, "item": *x}))
}

func (a *responseAnswer) end(_ int, t *text) any {
	out, o := a.finish(t)
	return append(out, a.tell("response."+o.Status, responseEvent{"response": o}))
}

// finish ends the text.
func (a *responseAnswer) finish(t *text) (out several, o responseObject) {
	if a.reader != nil {
		if more, ok := a.add(a.reader.delta("", true), false).(several); ok {
			out = more
		}
	}
	status, reason, calls := "completed", finish(t), false
	if a.reader != nil {
		reason, calls = a.reader.finish(t), a.reader.read.Calls() > 0
	}
	if reason == "length" {
		status = "incomplete"
	}
	if len(a.items) == 0 || len(a.pending) > 0 && !calls { // nothing was said, or tokens without text
		if !a.open {
			out = a.begin(out, &outputItem{ID: "msg_" + nonce(), Type: "message", Role: "assistant", Content: []outputText{}})
		}
		out = a.write(out, "")
	}
	a.items[len(a.items)-1].Known = t.known
	out = a.close(out, status)
	o = a.object(status)
	if status == "incomplete" {
		o.Incomplete = &incomplete{"max_output_tokens"}
	} else {
		o.CompletedAt = new(time.Now().Unix())
	}
	u := a.usage([]*text{t})
	o.Usage = &responseUsage{Input: u.Prompt, Output: u.Completion, Total: u.Total}
	o.Usage.InputDetails.Cached = u.Details.Cached
	if o.Notes = a.notes; t.known != nil {
		o.Notes = &notes{judgement: t.known}
		if a.notes != nil {
			*o.Notes = *a.notes
			o.Notes.judgement = t.known
		}
	}
	return out, o
}

func (a *responseAnswer) whole(texts []*text, _ usage) any {
	a.first(0)
	for _, p := range texts[0].pieces {
		a.piece(0, p)
	}
	_, o := a.finish(texts[0])
	return o
}

func (a *responseAnswer) used(usage) any { return several{} }

// failed is the last event of a response that went wrong.
func (a *responseAnswer) failed(e *Error) any {
	o := a.object("failed")
	o.Error = map[string]string{"code": "server_error", "message": e.Message}
	return a.tell("response.failed", responseEvent{"response": o})
}
