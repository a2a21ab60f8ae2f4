package chat_test

import (
	"fmt"

	"github.com/foundling-lm/foundling/text/chat"
)

func ExampleRender() {
	segments := chat.Render([]chat.Message{
		{Role: chat.RoleUser, Content: "What is 2+2?"},
		{Role: chat.RoleAssistant, Content: "4"},
	}, false)
	fmt.Println(chat.Text(segments))
	for _, s := range segments {
		if s.Train {
			fmt.Printf("trained: %q\n", s.Text)
		}
	}
	// Output:
	// <|user|>What is 2+2?<|end|><|assistant|>4<|end|>
	// trained: "4"
	// trained: "<|end|>"
}
