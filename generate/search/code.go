package search

import (
	"go/format"
	"strings"
)

// GoCode is the Go code of a text as gofmt writes it: a fenced block, else the
// whole text; files, declarations and statements. Text that does not parse is no
// code.
func GoCode(text string) (string, bool) {
	code := text
	if block, ok := fenced(text); ok {
		code = block
	}
	if strings.TrimSpace(code) == "" {
		return "", false
	}
	out, err := format.Source([]byte(strings.TrimSpace(code)))
	if err != nil {
		return "", false
	}
	return strings.TrimSpace(string(out)), true
}

// fenced is the inside of the last block between lines of three backquotes; the
// last may lack its end.
func fenced(text string) (string, bool) {
	var block []string
	found, inside := "", false
	has := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			if inside {
				found, has = strings.Join(block, ""), true
			}
			inside, block = !inside, nil
			continue
		}
		if inside {
			block = append(block, line)
		}
	}
	if inside && len(block) > 0 {
		found, has = strings.Join(block, ""), true
	}
	return found, has
}
