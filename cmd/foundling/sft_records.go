package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/demo"
)

// dataSources divides what --data names: files of records, and documents. Files of
// JSON and Parquet count if they are named by themselves, JSON Lines also in a
// folder, where other JSON is seldom a dataset. Documents is nil if there are none.
func dataSources(paths []string) (records []string, documents *corpus.Corpus, err error) {
	var rest []string
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && !info.IsDir() && dataset.Readable(p) {
			records = append(records, p)
		} else {
			rest = append(rest, p)
		}
	}
	if len(rest) == 0 && len(records) > 0 {
		return records, nil, nil
	}
	lines, err := corpus.Open(rest, corpus.Options{Kinds: []string{"jsonl"}})
	switch {
	case err == nil:
		records = append(records, lines.Paths()...)
	case !errors.Is(err, corpus.ErrEmpty):
		return nil, nil, err
	}
	others := slices.DeleteFunc(corpus.Kinds(), func(k string) bool { return k == "jsonl" })
	documents, err = corpus.Open(rest, corpus.Options{Kinds: others})
	if errors.Is(err, corpus.ErrEmpty) && len(records) > 0 {
		return records, nil, nil
	}
	return records, documents, err
}

// recordDemonstrations are the demonstrations of files of records. Rows that
// cannot be used are counted in skips.
func recordDemonstrations(x *demo.Extractor, files []string, skips *dataset.Skips) demo.Stream {
	o := dataset.Options{Kinds: append(dataset.Demonstrations(), dataset.PlainText)}
	return func(yield func(demo.Demonstration, error) bool) {
		for _, file := range files {
			for r, err := range dataset.Read(file, o) {
				if skips.Add(err) {
					continue
				}
				if err != nil {
					yield(demo.Demonstration{}, err)
					return
				}
				for _, d := range x.Record(r) {
					if !yield(d, nil) {
						return
					}
				}
			}
		}
	}
}

// refused counts a record that the chat template cannot write, and tells whether
// d is one: other demonstrations are made here, and an error of theirs is one.
func refused(d demo.Demonstration, err error, skips *dataset.Skips) bool {
	if d.Task != demo.TaskPair || err == nil {
		return false
	}
	file, line, _ := strings.Cut(filepath.ToSlash(d.Provenance.File), "#")
	row := &dataset.RowError{File: file, Reason: dataset.NotRendered, Problem: err.Error()}
	_, _ = fmt.Sscan(line, &row.Line)
	return skips.Add(row)
}

// ofGo are the documents that are Go files, or the others.
func ofGo(docs text.Stream, yes bool) text.Stream {
	return func(yield func(text.Document, error) bool) {
		for d, err := range docs {
			if err == nil && (d.Kind == "go") != yes {
				continue
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// leftOut says which rows were left out, the first of each reason in full.
func leftOut(s *dataset.Skips) string {
	if s.Rows == 0 {
		return ""
	}
	return "\n" + s.String() + "\n" + strings.Join(s.First, "\n")
}

// skipped is leftOut without the errors, to follow in a line.
func skipped(s *dataset.Skips) string {
	if s.Rows == 0 {
		return ""
	}
	return "; " + s.String()
}
