package main

import (
	"context"
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

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

// readPrompts reads prompts, each once, with the answers that the data show as
// right. Pairs, if not nil, is given the preferences instead.
func readPrompts(ctx context.Context, paths []string, skips *dataset.Skips, pairs func(dataset.Record)) (out []dataset.Record, err error) {
	seen := map[string]bool{}
	err = readRecords(ctx, paths, posttrain.PromptKinds(), skips, func(rec dataset.Record) error {
		if pairs != nil && rec.Kind == dataset.Preference {
			pairs(rec)
			return nil
		}
		given, reference := posttrain.PromptOf(rec)
		if key := given.String(); key != "" && !seen[key] {
			seen[key] = true
			r := dataset.Record{Kind: dataset.PromptCompletion, Prompt: given, Completion: dataset.Text{Plain: reference}, Source: rec.Source}
			out = append(out, r)
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
