package demo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/text"
)

// Tasks, as in Demonstration.Task.
const (
	TaskHeading      = "heading"      // heading -> section
	TaskQuestion     = "question"     // question -> paragraph after it
	TaskDefinition   = "definition"   // term -> definition
	TaskContinuation = "continuation" // first half of a passage -> second half
	TaskFillIn       = "fillin"       // passage with a gap -> what stood there
	TaskPair         = "pair"         // record with a prompt and a response
)

// Tasks returns all tasks of this package.
func Tasks() []string {
	return []string{TaskHeading, TaskQuestion, TaskDefinition, TaskContinuation, TaskFillIn, TaskPair}
}

// Options chooses what becomes a demonstration.
type Options struct {
	Seed        uint64   // chooses phrasings, gaps, and the task of a passage
	Tasks       []string // nil: all
	MaxPrompt   int      // bytes; 0: 1,024
	MaxResponse int      // bytes; 0: 1,024
	MinResponse int      // bytes, of sections, answers and halves; 0: 40
}

// Validate reports an option that makes no sense.
func (o Options) Validate() error {
	for _, t := range o.Tasks {
		if !slices.Contains(Tasks(), t) {
			return fmt.Errorf("demo: unknown task %q: use %s", t, strings.Join(Tasks(), ", "))
		}
	}
	if o.MaxPrompt < 0 || o.MaxResponse < 0 || o.MinResponse < 0 {
		return errors.New("demo: MaxPrompt, MaxResponse and MinResponse must not be negative")
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Tasks == nil {
		o.Tasks = Tasks()
	}
	if o.MaxPrompt == 0 {
		o.MaxPrompt = 1024
	}
	if o.MaxResponse == 0 {
		o.MaxResponse = 1024
	}
	if o.MinResponse == 0 {
		o.MinResponse = 40
	}
	return o
}

// Stats counts what an Extractor read and what it made.
type Stats struct {
	Documents  int   // with prose or a pair
	Bytes      int64 // of these
	Skipped    int   // documents of other kinds, and not in UTF-8
	Duplicates int   // candidates seen before
	Tally      Tally // demonstrations by task
}

// Extractor turns prose and records into demonstrations. It is not safe for
// concurrent use.
type Extractor struct {
	Stats Stats

	o    Options
	seen Seen
}

// New returns an Extractor.
func New(o Options) (*Extractor, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Extractor{o: o.withDefaults(), Stats: Stats{Tally: Tally{}}}, nil
}

// Demonstrations streams the demonstrations of all documents that are prose
// or carry a prompt and a response.
func (e *Extractor) Demonstrations(docs text.Stream) Stream {
	return func(yield func(Demonstration, error) bool) {
		for doc, err := range docs {
			if err != nil {
				yield(Demonstration{}, err)
				return
			}
			for _, d := range e.Document(doc) {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

// proseKinds are the kinds of documents that are read as prose: source code
// has a structure of its own, and markup would end up in responses.
var proseKinds = []string{"", "text", "markdown", "rst", "org", "asciidoc", "jsonl"}

// Document returns the demonstrations of one document. A pair is taken as it
// is, whatever its length.
func (e *Extractor) Document(doc text.Document) []Demonstration {
	pair := doc.Prompt != "" && doc.Response != ""
	if !pair && !slices.Contains(proseKinds, doc.Kind) || !utf8.ValidString(doc.Text+doc.Prompt+doc.Response) {
		e.Stats.Skipped++
		return nil
	}
	e.Stats.Documents++
	e.Stats.Bytes += int64(len(doc.Text))
	if pair {
		return e.emit(nil, Demonstration{
			Task: TaskPair, Prompt: doc.Prompt, Response: doc.Response,
			Provenance: Provenance{File: File(doc), Line: 1},
		})
	}
	p := &page{
		e: e, file: File(doc), blocks: blocks(doc.Text), english: english(doc.Text),
	}
	p.sections()
	p.definitions(doc.Text)
	p.passages()
	return p.out
}

// emit adds a demonstration that was asked for, keeps the limits and is new.
func (e *Extractor) emit(out []Demonstration, d Demonstration) []Demonstration {
	if !slices.Contains(e.o.Tasks, d.Task) {
		return out
	}
	if d.Task != TaskPair && (len(d.Prompt) > e.o.MaxPrompt || len(d.Response) > e.o.MaxResponse) {
		return out
	}
	key := d.Response
	if d.Task == TaskPair || d.Task == TaskFillIn {
		key = d.Prompt + "\x00" + d.Response
	}
	if !e.seen.Add(d.Task, key) {
		e.Stats.Duplicates++
		return out
	}
	e.Stats.Tally.Add(d)
	return append(out, d)
}

// page is one document being read.
type page struct {
	e       *Extractor
	file    string
	blocks  []block
	english bool
	out     []Demonstration
}

func (p *page) emit(task, prompt, response string, line int) {
	p.out = p.e.emit(p.out, Demonstration{
		Task: task, Prompt: prompt, Response: strings.TrimSpace(response),
		Provenance: Provenance{File: p.file, Line: line},
	})
}
