package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/foundling-lm/foundling/text/dataset"
)

// dataCmds are about the data of post-training.
type dataCmds struct {
	Show       dataShowCmd       `cmd:"" help:"Show records as a model reads them: roles, and every token that is trained."`
	Mix        dataMixCmd        `cmd:"" help:"Say what data consists of: kinds, tasks, lengths, languages, duplicates, overlap with evaluation sets, cost."`
	Label      dataLabelCmd      `cmd:"" help:"Label answers: which of two is better, or how good one is; agreement of labellers."`
	Synthesize dataSynthesizeCmd `cmd:"" help:"Have a model make demonstrations, and keep what passes a verifier and is new."`
	Truthful   dataTruthfulCmd   `cmd:"" help:"Make demonstrations of facts: answers from the context, also against memory, and \"I don't know\" where the model does not."`
}

// recordFlags say how records are read.
type recordFlags struct {
	Column map[string]string `help:"A column of the files and the name that is known here: query=prompt. Repeat it." placeholder:"COLUMN=NAME" mapsep:"none"`
	Kind   []string          `help:"Read only records of these kinds: messages, prompt-completion, preference, unpaired, scored, stepwise, prompts, text, classes." placeholder:"KIND"`
}

// read is what reading files of records found out besides the records.
type read struct {
	Files []readFile    `json:"files"`
	Skips dataset.Skips `json:"left_out"`
}

// readFile is how a file was read.
type readFile struct {
	File string `json:"file"`
	dataset.Shape
}

// each calls fn with the records of paths, until it is false. Rows that cannot be
// used are counted.
func (f *recordFlags) each(ctx context.Context, paths []string, kinds []dataset.Kind, fn func(dataset.Record) (bool, error)) (found read, err error) {
	o := dataset.Options{Kinds: kinds, Columns: f.Column, Detected: func(file string, s dataset.Shape) {
		found.Files = append(found.Files, readFile{file, s})
	}}
	for _, k := range f.Kind {
		o.Kinds = append(o.Kinds, dataset.Kind(k))
	}
	for _, path := range paths {
		for r, err := range dataset.Read(path, o) {
			if err := ctx.Err(); err != nil {
				return found, err
			}
			if found.Skips.Add(err) {
				continue
			}
			if err != nil {
				return found, err
			}
			if more, err := fn(r); err != nil || !more {
				return found, err
			}
		}
	}
	return found, nil
}

// describe prints to standard error how the files were read, and what was left
// out of them.
func (r *read) describe() {
	for _, f := range r.Files {
		fmt.Fprintf(os.Stderr, "%s: %s\n", f.File, f.Shape)
	}
	if r.Skips.Rows > 0 {
		fmt.Fprintf(os.Stderr, "%s\n  %s\n", r.Skips.String(), strings.Join(r.Skips.First, "\n  "))
	}
}

// nothing is the error where no row could be used.
func (r *read) nothing(paths []string) error {
	if len(r.Skips.First) > 0 {
		return fmt.Errorf("no record of %s can be used: %s", strings.Join(paths, ", "), r.Skips.First[0])
	}
	return fmt.Errorf("%s holds no record", strings.Join(paths, ", "))
}
