package serve_test

import (
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/serve"
)

// trained serves a small model that has learned, with a vocabulary that puts a space
// before each text.
func trained(t *testing.T) (m *foundling.Model, url string) {
	t.Helper()
	m, err := foundling.Open(golden.Data(t, "models", "stories260K", "hf"), foundling.Options{Threads: 1, CacheBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, start(t, func(o *serve.Options) { o.Models = []serve.Model{{Name: "stories", Model: m}} }).URL
}

// A completion goes on with its prompt: no space stands between them that was not given.
func TestScoredCompletion(t *testing.T) {
	m, url := trained(t)
	whole := must(m.Bundle.TextPrompt("Once upon a time"))
	_, a := post(t, url+"/v1/score", `{"input":[{"prompt":"Once upon","completion":" a time"},{"prompt":"Once upon ","completion":"a time"}]}`)
	v := decoded(t, a)
	ids := floats(v, "data", 0, "token_ids")
	if len(ids) != 2 || ids[0] != float64(whole[len(whole)-2]) || ids[1] != float64(whole[len(whole)-1]) {
		t.Errorf("token_ids %v, want the last of %v", ids, whole)
	}
	before := must(m.Bundle.TextPrompt("Once upon "))
	if text := m.Bundle.Tokenizer.Decode(append(before, tokens(floats(v, "data", 1, "token_ids"))...)); text != "Once upon a time" {
		t.Errorf("a completion without a space gives %q", text)
	}
}

func tokens(ids []float64) (out []int32) {
	for _, id := range ids {
		out = append(out, int32(id))
	}
	return out
}
