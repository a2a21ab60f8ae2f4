package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Shape says how a file's rows are read.
type Shape struct {
	Name    string   `json:"name"`    // such as "alpaca"
	Kind    Kind     `json:"kind"`    // of the records
	Columns []string `json:"columns"` // of the first good row, in the file's order
}

// String is one line: the shape, its kind and columns.
func (s Shape) String() string {
	return fmt.Sprintf("%s, read as %s, columns %s", s.Name, s.Kind, strings.Join(s.Columns, ", "))
}

// shape is a way to read a row.
type shape struct {
	name string
	kind Kind
	want string // the columns, as an error says them
	fits func(r *Row) bool
	read func(r *Row) ([]Record, error)
}

// Columns that hold the same under several names.
var (
	promptColumns     = []string{"prompt", "instruction", "question", "query"}
	completionColumns = []string{"completion", "response", "output", "answer"}
	messageColumns    = []string{"messages", "conversations", "conversation"}
	scoreColumns      = []string{"score", "rating", "reward"}
)

// shapes are all shapes; the first that fits a row is its own.
var shapes = []shape{
	{"judged pair", Preference, "instruction, output_1, output_2 and preference (1 or 2)", isJudged, readJudged},
	{"chosen and rejected", Preference, "chosen and rejected (and prompt, or instruction)", has("chosen", "rejected"), readPreference},
	{"stepwise", Stepwise, "prompt, completions and labels", has("completions", "labels"), readStepwise},
	{"thumbs", Unpaired, "prompt, completion and label (true or false)", isLabelled, readUnpaired},
	{"scores", Scored, "prompt, completion and score", isScored, readScored},
	{"self-instruct", PromptCompletion, "instruction and instances (input, output)", has("instruction", "instances"), readSeed},
	{"messages", Messages, "messages (role, content)", isMessages("role"), readMessages},
	{"sharegpt", Messages, "conversations (from, value)", isMessages("from"), readMessages},
	{"alpaca", PromptCompletion, "instruction and output (and input)", isAlpaca, readAlpaca},
	{"prompt and completion", PromptCompletion, "prompt and completion (or question and answer)", isPair, readPair},
	{"questions in text", PromptCompletion, "text that ends in the lines Q: and A:", isQuestionText, readQuestionText},
	{"text", PlainText, "text", has("text"), readText},
	{"classes", Classified, "text and label (the class)", has("text", "label"), readClassified},
	{"oasst tree", Preference, "prompt (a tree with replies and rank)", isTree, readTreePairs},
	{"oasst tree", Messages, "prompt (a tree with replies)", isTree, readTreeThread},
	{"prompts", Prompts, "prompt (or instruction, question)", isPrompt, readPrompt},
}

// row finds the shape of a row and yields its records.
func (r *reader) row(row *Row, line int) error {
	row.rename(r.o.Columns)
	s, err := r.shapeOf(row)
	if err != nil {
		return r.bad(line, "", WrongColumns, err.Error())
	}
	records, err := s.read(row)
	if err != nil {
		var f *fault
		if !errors.As(err, &f) {
			return r.bad(line, "", WrongType, err.Error())
		}
		return r.bad(line, f.field, f.reason, f.problem)
	}
	source := fmt.Sprintf("%s:%d", r.file, line)
	for _, rec := range records {
		rec.Kind, rec.Source = s.kind, source
		if err := rec.check(); err != nil {
			f := err.(*fault)
			if err := r.bad(line, f.field, f.reason, f.problem); err != nil {
				return err
			}
			continue
		}
		if r.shape == nil {
			r.shape = s
			if r.o.Detected != nil {
				r.o.Detected(r.file, Shape{s.name, s.kind, row.names})
			}
		}
		if !r.yield(rec, nil) {
			return errStopped
		}
	}
	return nil
}

// shapeOf is the shape of a row, which must go with that of the rows before.
func (r *reader) shapeOf(row *Row) (*shape, error) {
	if r.shape != nil && r.shape.fits(row) {
		return r.shape, nil
	}
	var other *shape // fits, but is of no kind that is wanted
	for i := range shapes {
		s := &shapes[i]
		if !s.fits(row) {
			continue
		}
		if r.wants(s.kind) && (r.shape == nil || s.kind == r.shape.kind || s.kind.demonstration() && r.shape.kind.demonstration()) {
			return s, nil
		}
		if other == nil {
			other = s
		}
	}
	found := "no columns"
	if len(row.names) > 0 {
		found = "columns " + clipNames(row.described())
	}
	switch {
	case r.shape != nil:
		return nil, fmt.Errorf("%s: want %s, as in the rows before", found, r.shape.want)
	case other != nil:
		return nil, fmt.Errorf("%s, which is %s (%s): want %s", found, other.kind, other.name, r.wanted())
	}
	return nil, fmt.Errorf("%s: want %s; or give a column its name here (column=name)", found, r.wanted())
}

func (r *reader) wants(k Kind) bool {
	return len(r.o.Kinds) == 0 || slices.Contains(r.o.Kinds, k)
}

// wanted lists the columns of the shapes that the caller can use.
func (r *reader) wanted() string {
	var wants []string
	for _, s := range shapes {
		if r.wants(s.kind) && !slices.Contains(wants, s.want) {
			wants = append(wants, s.want)
		}
	}
	return strings.Join(wants, "; or ")
}

func clipNames(names []string) string {
	const most = 20
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// has tells whether all columns are there.
func has(columns ...string) func(*Row) bool {
	return func(r *Row) bool {
		for _, c := range columns {
			if r.kind(c) == 0 {
				return false
			}
		}
		return true
	}
}

func isAlpaca(r *Row) bool {
	return r.kind("instruction") == '"' && r.first("output", "response") != ""
}

// isPair leaves out rows with a thumb: their completions may be bad ones.
func isPair(r *Row) bool {
	return r.first(promptColumns...) != "" && r.first(completionColumns...) != "" && !isLabelled(r)
}

func isLabelled(r *Row) bool {
	if r.first(promptColumns...) == "" || r.first(completionColumns...) == "" {
		return false
	}
	_, err := flag("", r.values["label"])
	return r.kind("label") != 0 && err == nil
}

func isScored(r *Row) bool {
	return r.first(promptColumns...) != "" && r.first(completionColumns...) != "" && r.first(scoreColumns...) != ""
}

func isPrompt(r *Row) bool {
	return r.first(promptColumns...) != "" && r.first(completionColumns...) == "" && r.first("chosen", "rejected") == ""
}

// isJudged takes rows whose verdict is null too: nobody decided.
func isJudged(r *Row) bool {
	_, judged := r.values["preference"]
	return judged && r.kind("output_1") != 0 && r.kind("output_2") != 0
}

// isMessages tells by the first turn whether a conversation names its speakers
// so.
func isMessages(key string) func(*Row) bool {
	return func(r *Row) bool {
		name := r.first(messageColumns...)
		if name == "" {
			return false
		}
		turns, err := list(name, r.values[name])
		if err != nil || len(turns) == 0 {
			return key == "role" // readMessages says what is wrong
		}
		turn, err := object(name, turns[0])
		if err != nil {
			return key == "role"
		}
		return (turn.kind("from") != 0) == (key == "from")
	}
}
