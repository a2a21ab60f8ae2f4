package trust

import "testing"

// The rest of a sentence that was cut off is no claim, unless it is all there is.
func TestGroundCut(t *testing.T) {
	const context = "The dog is called Rex. He is brown."
	for _, c := range []struct {
		answer string
		want   int
	}{
		{"The dog is called Rex. Y", 1},
		{"The dog is called Rex. He is bro", 1},
		{"The dog is called Rex.\n- He is", 1},
		{"The dog is called Rex. He is brown.", 2},
		{`The dog is called Rex. "He is brown."`, 2},
		{"The dog\nHe is brown\n", 2}, // the line ended
		{"The dog is cal", 1},
		{"", 0},
	} {
		if got := GroundCut(c.answer, context); len(got) != c.want {
			t.Errorf("%q: %d claims, want %d: %v", c.answer, len(got), c.want, got)
		}
	}
}
