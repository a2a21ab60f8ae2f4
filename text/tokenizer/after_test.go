package tokenizer

import (
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// A text that goes on has no space that is not its own.
func TestEncodeAfter(t *testing.T) {
	stories, err := Load(golden.Data(t, "models", "stories260K", "hf"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tok := range map[string]*Tokenizer{"stories": stories, "llama": loadGGUF("llama-spm")(t), "bytes": Bytes("<s>")} {
		for _, c := range [][2]string{{"Once upon", " a time"}, {"", "Once"}, {"Once", ""}} {
			got, want := tok.EncodeAfter(tok.Encode(c[0]), c[1]), tok.Encode(c[0]+c[1])
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q behind %q is %v, want %v", name, c[1], c[0], got, want)
			}
		}
		for _, c := range [][2]string{{"Once ", "upon"}, {"Once", " "}, {"Once", "  two"}, {"Once", "\n\nTom"}, {"On", "ce."}, {"Once", ".\n"}} {
			before := tok.Encode(c[0])
			ids := tok.EncodeAfter(slices.Clone(before), c[1])
			if !slices.Equal(ids[:len(before)], before) || tok.Decode(ids) != c[0]+c[1] {
				t.Errorf("%s: %q behind %q gives %q", name, c[1], c[0], tok.Decode(ids))
			}
		}
	}
}
