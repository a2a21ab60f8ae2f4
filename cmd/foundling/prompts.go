package main

import (
	"context"
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text/dataset"
)

// readDistinctPrompts reads records with a prompt, each prompt once. Rows that
// cannot be used are counted.
func readDistinctPrompts(ctx context.Context, paths []string, skips *dataset.Skips) (out []dataset.Record, err error) {
	seen := map[string]bool{}
	for _, path := range paths {
		for rec, err := range dataset.Read(path, dataset.Options{Kinds: promptKinds}) {
			if skips.Add(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if key := rec.Prompt.String(); key != "" && !seen[key] {
				seen[key] = true
				out = append(out, rec)
			}
		}
	}
	return out, nil
}

// promptsFingerprint is a hash of the records.
func promptsFingerprint(prompts []dataset.Record) string {
	h := xxh3.New128()
	for _, r := range prompts {
		for _, t := range []dataset.Text{r.Prompt, r.Completion, r.Chosen, r.Rejected} {
			_, _ = h.WriteString(t.String() + "\x00")
		}
	}
	return fmt.Sprintf("%x", h.Sum128().Bytes())
}
