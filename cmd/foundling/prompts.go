package main

import (
	"context"
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text/dataset"
)

// promptKinds are the records whose prompts can be answered.
var promptKinds = []dataset.Kind{dataset.Prompts, dataset.PromptCompletion, dataset.Preference, dataset.Unpaired}

// readRecords reads records of files and folders; rows that cannot be used are
// counted.
func readRecords(ctx context.Context, paths []string, kinds []dataset.Kind, skips *dataset.Skips, f func(dataset.Record) error) error {
	for _, path := range paths {
		for rec, err := range dataset.Read(path, dataset.Options{Kinds: kinds}) {
			if skips.Add(err) {
				continue
			}
			if err == nil {
				err = f(rec)
			}
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// readPrompts reads records with a prompt, each prompt once. Pairs, if not nil, is
// given the preferences instead.
func readPrompts(ctx context.Context, paths []string, skips *dataset.Skips, pairs func(dataset.Record)) (out []dataset.Record, err error) {
	seen := map[string]bool{}
	err = readRecords(ctx, paths, promptKinds, skips, func(rec dataset.Record) error {
		if pairs != nil && rec.Kind == dataset.Preference {
			pairs(rec)
			return nil
		}
		if key := rec.Prompt.String(); key != "" && !seen[key] {
			seen[key] = true
			out = append(out, rec)
		}
		return nil
	})
	return out, err
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
