package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

const (
	encodeBytes     = 10e6 // text that one repeat encodes
	trainBytes      = 50e6 // text that the vocabulary is learned from
	quickTrainBytes = 4e6  // text for the tokenizer of the encode benches
	benchVocab      = 8192
)

// tokenizerCases measure encoding on one thread and the training of a
// vocabulary on all.
func tokenizerCases() []benchCase {
	var shared *tokenizer.Tokenizer // made by the first case that needs it
	encode := func(name string, text func(*benchCmd, context.Context, int) ([]string, error)) benchCase {
		return oneRow(name, func(ctx context.Context, c *benchCmd) (benchRow, error) {
			if shared == nil {
				var err error
				if shared, err = c.encodeTokenizer(ctx); err != nil {
					return benchRow{}, err
				}
			}
			docs, err := text(c, ctx, encodeBytes)
			if err != nil {
				return benchRow{}, err
			}
			return c.encodeRate(ctx, shared, docs)
		})
	}
	train := []string{"tokenizer/train/8k", "tokenizer/train/8k/bytes"}
	return []benchCase{
		encode("tokenizer/encode/go-source", (*benchCmd).source),
		encode("tokenizer/encode/prose", (*benchCmd).prose),
		{train, func(ctx context.Context, c *benchCmd) ([]benchRow, error) {
			docs, err := c.source(ctx, trainBytes)
			if err != nil {
				return nil, err
			}
			xs, err := repeat(ctx, c.each(2*time.Second), func() (float64, error) {
				at := time.Now()
				_, err := tokenizer.Train(ctx, slices.Values(docs), tokenizer.TrainOptions{VocabSize: benchVocab, Threads: c.Threads})
				return time.Since(at).Seconds(), err
			})
			if err != nil {
				return nil, err
			}
			return []benchRow{
				summary(train[0], "s", xs),
				summary(train[1], "bytes", []float64{float64(totalBytes(docs))}),
			}, nil
		}},
	}
}

func (c *benchCmd) encodeTokenizer(ctx context.Context) (*tokenizer.Tokenizer, error) {
	if c.Tokenizer != "" {
		return bundle.OpenTokenizer(c.Tokenizer)
	}
	docs, err := c.source(ctx, quickTrainBytes)
	if err != nil {
		return nil, err
	}
	return tokenizer.Train(ctx, slices.Values(docs), tokenizer.TrainOptions{VocabSize: benchVocab, Threads: c.Threads})
}

func (c *benchCmd) encodeRate(ctx context.Context, t *tokenizer.Tokenizer, docs []string) (benchRow, error) {
	megabytes := float64(totalBytes(docs)) / 1e6
	var ids []int32
	xs, err := repeat(ctx, c.each(2*time.Second), func() (float64, error) {
		return rateOf(megabytes, func() error {
			for _, d := range docs {
				ids = t.EncodeAppend(ids[:0], d)
			}
			return nil
		})
	})
	if err != nil {
		return benchRow{}, err
	}
	return summary("", "MB/s", xs), nil
}

func totalBytes(docs []string) (n int) {
	for _, d := range docs {
		n += len(d)
	}
	return n
}

// source is up to limit bytes of the files of --data, or of the toolchain's Go
// source: every k-th file, so that all of the tree has a share.
func (c *benchCmd) source(ctx context.Context, limit int) ([]string, error) {
	paths, o := c.Data, corpus.Options{}
	if len(paths) == 0 {
		root := goRoot()
		if root == "" {
			return nil, errors.New("no Go toolchain with source on this machine: give text with --data")
		}
		paths, o.Kinds = []string{filepath.Join(root, "src")}, []string{"go"}
	}
	files, err := corpus.Open(paths, o)
	if err != nil {
		return nil, err
	}
	var all []string
	for d, err := range files.Documents() {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		all = append(all, d.Text)
	}
	step := max(1, totalBytes(all)/max(1, limit))
	var out []string
	size := 0
	for i := 0; i < len(all) && size < limit; i += step {
		text := all[i][:min(len(all[i]), limit-size)]
		out, size = append(out, text), size+len(text)
	}
	return out, nil
}

// prose is the text of --data, or the comments of the toolchain's Go source
// that stand alone on their lines, a document a file.
func (c *benchCmd) prose(ctx context.Context, limit int) ([]string, error) {
	if len(c.Data) > 0 {
		return c.source(ctx, limit)
	}
	files, err := c.source(ctx, 1<<40)
	if err != nil {
		return nil, err
	}
	var out []string
	size := 0
	for _, f := range files {
		var b strings.Builder
		for line := range strings.Lines(f) {
			if text, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), "// "); ok {
				b.WriteString(text)
			}
		}
		if size += b.Len(); b.Len() > 0 {
			out = append(out, b.String())
		}
		if size >= limit {
			break
		}
	}
	return out, nil
}
