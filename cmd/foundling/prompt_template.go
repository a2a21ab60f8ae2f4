package main

import (
	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/text/chat"
)

// promptTemplate is for commands that look at text without answering it.
type promptTemplate struct {
	PromptTemplate string `help:"none: text as it is. chat: as the message of a user, in the model's own chat format, up to where the answer begins." enum:"none,chat" default:"none"`
}

func (p promptTemplate) chat() bool { return p.PromptTemplate == "chat" }

// question is the ids of text as the message of a user.
func (promptTemplate) question(z *bundle.Bundle, text string) ([]int32, error) {
	ids, _, err := z.ChatPrompt([]chat.Message{{Role: chat.RoleUser, Content: text}}, 0)
	return ids, err
}
