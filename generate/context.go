package generate

import "fmt"

// ContextPolicy is what happens to a text that fills the model's context. What
// happened is in the result: Finish, the error, or Shifted.
type ContextPolicy string

// The policies; "" is ContextStop.
const (
	ContextStop ContextPolicy = "stop"  // it ends with FinishContext
	ContextFail ContextPolicy = "error" // it ends with a *ContextError
	// ContextShift leaves out the older half of what is behind the prompt and goes
	// on, as a text whose prompt is what is left. Of a prompt that is longer than
	// half of the context, the first half of the context stays. What is left is read
	// again. It needs Options.MaxTokens or Budget.
	ContextShift ContextPolicy = "shift"
)

func (c ContextPolicy) known() bool {
	return c == "" || c == ContextStop || c == ContextFail || c == ContextShift
}

// ContextError reports a text that filled the context under ContextFail.
type ContextError struct {
	Prompt, New, Context int // tokens
}

// Error names the counts and the remedy.
func (e *ContextError) Error() string {
	return fmt.Sprintf("the model's context of %d tokens is full after a prompt of %d and %d new ones: ask for fewer new tokens or shorten the prompt", e.Context, e.Prompt, e.New)
}

// shift makes room in a full context.
func (e *Engine) shift(s *sequence) {
	head := min(s.prompt, s.context/2)
	tail := (s.context - head) / 2
	s.result.Shifted += len(s.ids) - head - tail
	s.ids = append(s.ids[:head], s.ids[len(s.ids)-tail:]...)
	s.kv.Close()
	kv, err := e.pool.Open(s.tokens())
	if err != nil {
		panic("generate: room that was given back is gone: " + err.Error())
	}
	if s.adapter != nil {
		kv.Under(s.adapter.number)
	}
	kv.Adopt(s.ids)
	s.kv = kv
	s.draft.close()
}
