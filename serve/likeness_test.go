package serve

import (
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/internal/golden"
)

// alike are texts of the kind that the model of the test was trained on, in pairs that
// say nearly the same.
var alike = [][2]string{
	{"Tell me a story about a dog and a ball.", "Tell me a story about a dog with a ball."},
	{"Once there was a little girl named Lily.", "Once upon a time there was a girl named Lily."},
	{"What did the boy find in the park?", "What did the boy see in the park?"},
	{"The cat was sad because it lost its toy.", "The cat lost its toy and was sad."},
	{"Mom made a big cake for the party.", "For the party, mom made a big cake."},
	{"Can you help me clean my room?", "Please help me to clean my room."},
}

// Questions that say nearly the same are more alike than others, and the centre is what
// tells them apart.
func TestLikeness(t *testing.T) {
	m, err := foundling.Open(golden.Data(t, "models", "stories260K", "hf"), foundling.Options{Threads: 1, CacheBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var texts []string
	for _, pair := range alike {
		texts = append(texts, pair[0], pair[1])
	}
	served := &served{Model: Model{Name: "stories", Model: m}}
	centred, err := served.vectors(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := served.embed(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	gap := func(vectors [][]float32) (least, most float64) {
		least, most = 1, -1
		for i, v := range vectors {
			for j, w := range vectors[:i] {
				var x float64
				for k := range v {
					x += float64(v[k]) * float64(w[k])
				}
				if i/2 == j/2 {
					least = min(least, x)
				} else {
					most = max(most, x)
				}
			}
		}
		return least, most
	}
	least, most := gap(centred)
	plainLeast, plainMost := gap(plain)
	t.Logf("of pairs %.3f at least, of others %.3f at most; without the centre %.3f and %.3f", least, most, plainLeast, plainMost)
	if least-most <= plainLeast-plainMost {
		t.Errorf("the centre does not help: %.3f and %.3f with it, %.3f and %.3f without", least, most, plainLeast, plainMost)
	}
}
