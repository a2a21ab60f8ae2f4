//go:build slow

package foundling_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestFuzzLong fuzzes the readers of files and requests from outside for ten minutes each:
//
//	go test -tags slow -run FuzzLong -timeout 3h .
//
// At its end a run of so many seconds may report a deadline without any failing
// input: the coordinator races its workers. That is no failure.
func TestFuzzLong(t *testing.T) {
	for _, target := range [][2]string{
		{"./model/checkpoint", "FuzzGGUF"}, {"./model/zoo", "FuzzFromGGUF"},
		{"./text/tokenizer", "FuzzParsePieces"}, {"./text/chat/jinja", "FuzzRender"},
		{"./serve", "FuzzBody"}, {"./serve", "FuzzCanonicalBody"}, {"./serve/keys", "FuzzParse"},
	} {
		out, err := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+target[1]+"$", "-fuzztime", "10m", "-timeout", "20m", target[0]).CombinedOutput()
		if text := string(out); err != nil && (strings.Contains(text, "Failing input") || !strings.Contains(text, "context deadline exceeded")) {
			t.Errorf("%s %s: %v\n%s", target[0], target[1], err, text)
		} else {
			lines := strings.Split(strings.TrimSpace(text), "\n")
			t.Logf("%s %s: %s", target[0], target[1], lines[max(0, len(lines)-3)])
		}
	}
}
