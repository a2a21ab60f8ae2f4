package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/text/dataset"
)

// promptColumns are the columns of a table that hold prompts, the first that there
// is.
var promptColumns = []string{"prompt", "prompts_final", "question"}

// csvPrompts reads prompts from a table with a head.
func csvPrompts(path string) ([]dataset.Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCSVPrompts(path, f)
}

func readCSVPrompts(path string, in io.Reader) (out []dataset.Record, err error) {
	r := csv.NewReader(in)
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is empty", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	head[0] = strings.TrimPrefix(head[0], "\uFEFF")
	column := -1
	for _, name := range promptColumns {
		if column = slices.IndexFunc(head, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), name) }); column >= 0 {
			break
		}
	}
	if column < 0 {
		return nil, fmt.Errorf("%s: the columns are %s: one must be named %s", path, strings.Join(head, ", "), strings.Join(promptColumns, ", "))
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := r.FieldPos(column)
		if s := strings.TrimSpace(row[column]); s != "" {
			out = append(out, dataset.Record{Kind: dataset.Prompts, Prompt: dataset.Text{Plain: strings.ToValidUTF8(s, "\uFFFD")}, Source: fmt.Sprintf("%s:%d", path, line)})
		}
	}
}
