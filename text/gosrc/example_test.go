package gosrc_test

import (
	"fmt"

	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/gosrc"
)

func ExampleExtractor_Demonstrations() {
	docs := func(yield func(text.Document, error) bool) {
		yield(text.Document{Source: "fib/fib.go", Kind: "go", Text: `package fib

// Next returns the number that follows two others.
func Next(a, b int) int { return a + b }
`}, nil)
	}
	e, err := gosrc.New(gosrc.Options{Tasks: []string{gosrc.TaskDoc}})
	if err != nil {
		panic(err)
	}
	for d, err := range e.Demonstrations(docs) {
		if err != nil {
			panic(err)
		}
		fmt.Println(d.Prompt)
		fmt.Println("=>", d.Response)
	}
	// Output:
	// func Next(a, b int) int { return a + b }
	//
	// Write a doc comment for it.
	// => // Next returns the number that follows two others.
}
