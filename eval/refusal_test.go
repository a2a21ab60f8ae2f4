package eval

import (
	"os"
	"strings"
	"testing"
)

// TestRefusalsAreFound measures the rules on answers labelled by hand, some of
// which no rule can get right: they keep the test honest about what rules are.
func TestRefusalsAreFound(t *testing.T) {
	data, err := os.ReadFile("testdata/refusals.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var refused, found, answered, blamed int
	for line := range strings.Lines(string(data)) {
		label, answer, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		got := Refused(answer)
		switch label {
		case "r":
			if refused++; got {
				found++
			} else {
				t.Logf("not found: %s", answer)
			}
		case "a":
			if answered++; got {
				blamed++
				t.Logf("taken for a refusal: %s", answer)
			}
		default:
			t.Fatalf("label %q", label)
		}
	}
	t.Logf("%d of %d refusals found, %d of %d answers taken for one", found, refused, blamed, answered)
	if refused != 24 || answered != 28 || found < 20 || blamed > 4 {
		t.Errorf("%d of %d refusals found, %d of %d answers taken for one: want 20 at least and 4 at most", found, refused, blamed, answered)
	}
	if found == refused && blamed == 0 {
		t.Error("the rules make no error: there are no hard cases left to measure them on")
	}
	long := strings.Repeat("First you stir the soup. ", 20)
	if Refused(long+"I can't help with that.") || Refused("") {
		t.Error("a refusal stands at the beginning")
	}
}
