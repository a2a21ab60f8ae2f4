package mix

import (
	"fmt"
	"strings"

	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/dataset/near"
)

// EvalOverlap is how much of an evaluation set occurs in the data.
type EvalOverlap struct {
	Set   string `json:"set"`
	Items int    `json:"items"`
	// Questions are items whose question is nearly the same as that of a record;
	// items without a question (plain text) are compared as a whole.
	Questions int `json:"questions"`
	// Example is such an item and the record, "" if there is none.
	Example string `json:"example,omitempty"`
	// Grams is the share of the set's word n-grams that occur in the data.
	Grams corpus.Overlap `json:"ngrams"`
}

// Eval is an evaluation set in memory.
type Eval struct {
	Name  string
	Items []Item
}

// Item is a question and all of its text.
type Item struct{ Question, Text, Source string }

// OpenEval reads an evaluation set: the records of data files, or the text of
// others.
func OpenEval(path string, skips *dataset.Skips) (Eval, error) {
	e := Eval{Name: path}
	if _, err := dataset.Files(path); err == nil && !strings.HasSuffix(path, ".txt") {
		for r, err := range dataset.Read(path, dataset.Options{}) {
			if skips.Add(err) {
				continue
			}
			if err != nil {
				return e, err
			}
			prompt, answers, _ := parts(r)
			it := Item{Question: r.Question(), Text: prompt, Source: r.Source}
			for _, a := range answers {
				it.Text += "\n" + a
			}
			e.Items = append(e.Items, it)
		}
	} else {
		c, err := corpus.Open([]string{path}, corpus.Options{})
		if err != nil {
			return e, err
		}
		for d, err := range c.Documents() {
			if err != nil {
				return e, err
			}
			e.Items = append(e.Items, Item{Text: d.Text, Source: d.ID})
		}
	}
	if len(e.Items) == 0 {
		return e, fmt.Errorf("%s holds nothing to compare with: name a set with questions, or text", path)
	}
	return e, nil
}

// Overlap measures how much of an evaluation set the records hold. Words is the
// length of the n-grams; 0 is that of corpus.MeasureOverlap.
func (e Eval) Overlap(records []dataset.Record, words int) (EvalOverlap, error) {
	o := EvalOverlap{Set: e.Name, Items: len(e.Items)}
	questions := near.NewIndex(near.Options{})
	for _, r := range records {
		prompt, _, _ := parts(r)
		if q := r.Question(); q != "" {
			prompt = q
		}
		questions.Add(prompt)
	}
	for _, it := range e.Items {
		q := it.Question
		if q == "" {
			q = it.Text
		}
		if m := questions.Find(q); m.Text >= 0 {
			if o.Questions++; o.Example == "" {
				o.Example = it.Source + " = " + records[m.Text].Source
			}
		}
	}
	train := func(yield func(text.Document, error) bool) {
		for _, r := range records {
			prompt, answers, _ := parts(r)
			for _, a := range answers {
				prompt += "\n" + a
			}
			if !yield(text.Document{Text: prompt}, nil) {
				return
			}
		}
	}
	held := func(yield func(text.Document, error) bool) {
		for _, it := range e.Items {
			if !yield(text.Document{Text: it.Text}, nil) {
				return
			}
		}
	}
	var err error
	o.Grams, err = corpus.MeasureOverlap(train, held, corpus.OverlapOptions{N: words})
	return o, err
}
