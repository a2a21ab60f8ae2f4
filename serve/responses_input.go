package serve

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/text/chat"
)

// inputItem is one of a conversation: a message, a call, what a call gave. Items that
// were output once may be input again.
type inputItem struct {
	Type      string         `json:"type"` // "": message
	ID        jsontext.Value `json:"id"`
	Status    jsontext.Value `json:"status"`
	Role      string         `json:"role"`
	Content   jsontext.Value `json:"content"`
	Phase     jsontext.Value `json:"phase"`
	CallID    string         `json:"call_id"`
	Name      string         `json:"name"`
	Arguments string         `json:"arguments"`
	Output    jsontext.Value `json:"output"`
}

// inputPart is a part of a message.
type inputPart struct {
	Type        string         `json:"type"`
	Text        *string        `json:"text"`
	Annotations jsontext.Value `json:"annotations"`
	LogProbs    jsontext.Value `json:"logprobs"`
	Breakpoint  jsontext.Value `json:"prompt_cache_breakpoint"`
	ImageURL    jsontext.Value `json:"image_url"`
	FileID      jsontext.Value `json:"file_id"`
	FileData    jsontext.Value `json:"file_data"`
	FileURL     jsontext.Value `json:"file_url"`
	Filename    jsontext.Value `json:"filename"`
	Detail      jsontext.Value `json:"detail"`
	InputAudio  jsontext.Value `json:"input_audio"`
	Refusal     jsontext.Value `json:"refusal"`
}

// inputPlace is where a message of the conversation stands in the input.
type inputPlace struct {
	item  int   // -1: the instructions
	calls []int // items that are its calls
}

// messages is the instructions and the input as a conversation. Calls belong to the
// message of the assistant before them.
func (q *responseRequest) messages() ([]message, error) {
	var out []message
	var items []inputItem
	add := func(place int, g message) {
		out, q.places = append(out, g), append(q.places, inputPlace{item: place})
	}
	switch kind := q.Input.Kind(); kind {
	case '"':
		add(0, message{Role: chat.RoleUser, Content: q.Input})
	case '[':
		if err := part("input", q.Input, &items); err != nil {
			return nil, err
		}
	default:
		return nil, needed("input", "a text or a list of items", kind)
	}
	for i := range items {
		x, at := &items[i], fmt.Sprintf("input[%d]", i)
		switch x.Type {
		case "", "message":
			text, err := x.text(at+".content", x.Content)
			if err != nil {
				return nil, err
			}
			if x.Role == chat.RoleTool {
				return nil, wrong(at+".role", fmt.Sprintf("%q: what a call gave is an item of the type function_call_output", x.Role))
			}
			add(i, message{Role: x.Role, Content: quoted(text)})
		case "function_call":
			call := toolCall{x.CallID, "function", &calledByName{x.Name, x.Arguments}}
			if n := len(out); n == 0 || out[n-1].Role != chat.RoleAssistant {
				add(i, message{Role: chat.RoleAssistant})
			}
			last := &out[len(out)-1]
			last.ToolCalls = append(last.ToolCalls, call)
			at := &q.places[len(out)-1]
			at.calls = append(at.calls, i)
		case "function_call_output":
			text, err := x.text(at+".output", x.Output)
			if err != nil {
				return nil, err
			}
			add(i, message{Role: chat.RoleTool, ToolCallID: x.CallID, Content: quoted(text)})
		case "item_reference":
			return nil, &Error{Message: at + ": nothing is kept here that could be referred to: send the item itself", Param: at, Code: "unsupported_item"}
		default:
			return nil, &Error{Message: fmt.Sprintf("%s.type: %q is not supported: message, function_call and function_call_output are", at, x.Type), Param: at + ".type", Code: "unsupported_item"}
		}
	}
	if q.Instructions == nil {
		return out, nil
	}
	return q.instruct(out, *q.Instructions, "")
}

// text is a content or an output: a text, or parts one after the other.
func (x *inputItem) text(field string, value jsontext.Value) (string, error) {
	var text string
	switch kind := value.Kind(); kind {
	case '"':
		return text, part(field, value, &text)
	case '[':
	default:
		return "", needed(field, "a text or a list of parts", kind)
	}
	var parts []inputPart
	if err := part(field, value, &parts); err != nil {
		return "", err
	}
	for i, p := range parts {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch p.Type {
		case "input_text", "output_text", "text":
			if p.Text == nil {
				return "", wrong(at+".text", "it is missing")
			}
			text += *p.Text
		case "input_image", "input_file", "input_audio":
			return "", &Error{Message: fmt.Sprintf("%s.%s: models here read text only", at, p.Type), Param: at + "." + p.Type, Code: "unsupported_content"}
		default:
			return "", wrong(at+".type", fmt.Sprintf("%q is none of input_text, output_text", p.Type))
		}
	}
	return text, nil
}

// quoted is a text as JSON.
func quoted(text string) jsontext.Value { return bytes.TrimSpace(marshal(text)) }
