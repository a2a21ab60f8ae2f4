package raise

import (
	"testing"

	"github.com/foundling-lm/foundling/text/demo"
	"github.com/foundling-lm/foundling/text/gosrc"
)

// TestMixed counts the demonstrations of functions among those that are taken.
func TestMixed(t *testing.T) {
	for _, c := range []struct{ functions, others, most, wantFunctions, want int }{
		{10, 10, 8, 4, 8}, {2, 10, 8, 2, 8}, {10, 1, 8, 7, 8}, {3, 3, 100, 3, 6}, {0, 5, 4, 0, 4},
	} {
		var all []demo.Demonstration
		for i := range max(c.functions, c.others) {
			if i < c.others {
				all = append(all, demo.Demonstration{Task: "other"})
			}
			if i < c.functions {
				all = append(all, demo.Demonstration{Task: gosrc.TaskFunction})
			}
		}
		got, functions := mixed(all, c.most), 0
		for _, d := range got {
			if d.Task == gosrc.TaskFunction {
				functions++
			}
		}
		if len(got) != c.want || functions != c.wantFunctions {
			t.Errorf("%+v: %d demonstrations, %d of functions", c, len(got), functions)
		}
	}
}
