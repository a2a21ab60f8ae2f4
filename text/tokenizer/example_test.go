package tokenizer_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/text/tokenizer"
)

func ExampleTrain() {
	docs := slices.Values([]string{"low low low low low", "lower lower", "newest newest newest newest newest newest", "widest widest widest"})
	t, err := tokenizer.Train(context.Background(), docs, tokenizer.TrainOptions{
		VocabSize: 256 + 6 + 1,
		Pattern:   "gpt2",
		Special:   []string{"<|endoftext|>"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for id := int32(256); id < 262; id++ {
		fmt.Printf("%q ", t.AppendToken(nil, id))
	}
	fmt.Println(t.VocabSize())
	// Output: "st" "est" "ow" "low" "west" "ne" 263
}

func ExampleTokenizer_Encode() {
	t := tokenizer.Chars("naïve", "<|end|>")
	ids := t.Encode("naïf<|end|>")
	fmt.Println(ids)
	fmt.Println(t.Decode(ids))
	fmt.Println(t.EncodeSpecial("naïf<|end|>"))
	// Output:
	// [110 97 256 102 60 124 101 110 100 124 62]
	// naïf<|end|>
	// [110 97 256 102 257]
}

func ExampleStream() {
	t := tokenizer.Bytes()
	s := t.NewStream()
	for _, id := range t.Encode("né!") {
		fmt.Printf("%q ", s.Append(nil, id))
	}
	fmt.Printf("%q\n", s.Flush(nil))
	// Output: "n" "" "é" "!" ""
}
