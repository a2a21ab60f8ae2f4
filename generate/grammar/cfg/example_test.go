package cfg_test

import (
	"fmt"

	"github.com/foundling-lm/foundling/generate/grammar/cfg"
	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// A left-recursive grammar, read byte by byte; a beginning ends in the fewest bytes.
func Example() {
	g, err := cfg.GBNF(`
		root ::= root "+" term | term
		term ::= [0-9]+ | "(" root ")"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	start, err := g.Machine()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(machine.Accepts(start, []byte("1+(2+3)")))
	fmt.Println(machine.Accepts(start, []byte("1+*")))
	state := start
	for _, b := range []byte("1+((2+") {
		state = state.Next(b)
	}
	fmt.Printf("%s\n", state.Shortest())
	// Output:
	// true 7
	// false 2
	// 0))
}
