package chat

import _ "embed"

// Template is the Jinja chat template that renders what Text(Render(...))
// gives, for chat_template.jinja and the chat_template field of
// tokenizer_config.json. It refuses the conversations that Validate refuses,
// save the empty one. A tool that parses special tokens in the
// rendered text loses the protection against forged turns that Segment gives.
//
//go:embed chat_template.jinja
var Template string
