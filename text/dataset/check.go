package dataset

import "github.com/foundling-lm/foundling/text/chat"

// check reports what no method can learn from.
func (r *Record) check() error {
	switch r.Kind {
	case Messages:
		if len(r.Messages) == 0 {
			return &fault{"messages", Empty, "the conversation has no turn: remove the row"}
		}
		for _, m := range r.Messages {
			if m.Role == chat.RoleAssistant && !(Text{Turns: []Turn{m}}).Blank() {
				return nil
			}
		}
		return &fault{"messages", NoAnswer, "the assistant says nothing: want at least one turn of the role assistant (or gpt)"}
	case PlainText:
		return notBlank("text", r.Completion)
	case Preference:
		if err := answers("chosen", r.Chosen); err != nil {
			return err
		}
		return answers("rejected", r.Rejected)
	case Stepwise:
		for _, s := range r.Steps {
			if err := notBlank("completions", Text{Plain: s.Text}); err != nil {
				return err
			}
		}
		return notBlank("prompt", r.Prompt)
	case Prompts:
		return notBlank("prompt", r.Prompt)
	case Classified:
		return notBlank("text", r.Prompt)
	}
	return answers("completion", r.Completion)
}

func notBlank(field string, t Text) error {
	if t.Blank() {
		return &fault{field, Empty, "it is empty: fill it or remove the row"}
	}
	return nil
}

// answers wants text that begins with a turn of the assistant.
func answers(field string, t Text) error {
	if err := notBlank(field, t); err != nil {
		return err
	}
	if len(t.Turns) > 0 && t.Turns[0].Role != chat.RoleAssistant {
		return &fault{field, NoAnswer, "it begins with a turn of the role " + t.Turns[0].Role + ": want the assistant's; the two must differ in an answer, not in the prompt"}
	}
	return nil
}
