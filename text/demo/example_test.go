package demo_test

import (
	"fmt"

	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/demo"
)

func ExampleExtractor_Document() {
	e, err := demo.New(demo.Options{Tasks: []string{demo.TaskQuestion}})
	if err != nil {
		panic(err)
	}
	for _, d := range e.Document(text.Document{Source: "sky.md", Kind: "markdown", Text: `# Why is the sky blue?

Air scatters short waves of light more than long ones.
`}) {
		fmt.Println(d.Prompt, "=>", d.Response)
	}
	fmt.Println(e.Stats.Tally, demo.Enough(e.Stats.Tally.Total().N))
	// Output:
	// Why is the sky blue? => Air scatters short waves of light more than long ones.
	// question 1 false
}
