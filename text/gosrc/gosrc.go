// Package gosrc makes demonstrations from Go source with go/parser and go/ast,
// and checks functions that a model wrote.
//
// The central type is Extractor: it turns files into pairs of prompt and
// response, all of which stand in the source (comments, functions, names).
// Prompts gives the functions of held-out files as prompts for a model, and
// Checker says whether its answer parses and type-checks in the place of the
// original. Nothing is compiled or run, and no other program is called.
package gosrc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/demo"
)

// Tasks, as in Demonstration.Task.
const (
	TaskFunction = "function" // doc comment and signature -> whole function
	TaskDoc      = "doc"      // function -> doc comment
	TaskExplain  = "explain"  // exported name -> what its doc comment says
	TaskSymbol   = "symbol"   // exported name -> import path of its package
	TaskSynopsis = "synopsis" // import path -> synopsis of the package
)

// Tasks returns all tasks.
func Tasks() []string {
	return []string{TaskFunction, TaskDoc, TaskExplain, TaskSymbol, TaskSynopsis}
}

// Options chooses what becomes a demonstration.
type Options struct {
	Seed        uint64   // chooses among the phrasings of a prompt
	Tasks       []string // nil: all
	MaxPrompt   int      // bytes; 0: 1,024
	MaxResponse int      // bytes; 0: 1,024
	MinDocWords int      // words of a doc comment; 0: 5
	Tests       bool     // read _test.go files too
	Generated   bool     // read generated files too
	Vendored    bool     // read files below vendor and testdata folders too

	// Pool parses files; nil: on the caller alone. The result is the same.
	Pool *parallel.Pool `json:"-" yaml:"-"`
}

// Validate reports an option that makes no sense.
func (o Options) Validate() error {
	for _, t := range o.Tasks {
		if !slices.Contains(Tasks(), t) {
			return fmt.Errorf("gosrc: unknown task %q: use %s", t, strings.Join(Tasks(), ", "))
		}
	}
	if o.MaxPrompt < 0 || o.MaxResponse < 0 || o.MinDocWords < 0 {
		return errors.New("gosrc: MaxPrompt, MaxResponse and MinDocWords must not be negative")
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
	if o.MinDocWords == 0 {
		o.MinDocWords = 5
	}
	return o
}

// Stats counts what an Extractor read and what it made.
type Stats struct {
	Files      int        // Go files read
	Bytes      int64      // of these
	Skipped    int        // tests, generated and vendored files
	Unparsable int        // files with syntax errors
	Duplicates int        // candidates seen before
	Ambiguous  int        // exported names that several packages declare
	Tally      demo.Tally // demonstrations by task
}

// Extractor turns Go files into demonstrations. It is not safe for concurrent
// use.
type Extractor struct {
	Stats Stats

	o        Options
	seen     demo.Seen
	symbols  map[string]int // symbol prompt subject -> index into pending
	pending  []symbolDemo
	synopsis map[string]bool // packages whose synopsis is out
}

// New returns an Extractor.
func New(o Options) (*Extractor, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Extractor{
		Stats:    Stats{Tally: demo.Tally{}},
		o:        o.withDefaults(),
		symbols:  map[string]int{},
		synopsis: map[string]bool{},
	}, nil
}

// parseAhead is the number of files parsed at a time.
const parseAhead = 64

// Demonstrations streams the demonstrations of all Go files among docs.
// Symbols come at the end, when it is known that no other package declares
// the same name. Files with syntax errors are counted and passed over.
func (e *Extractor) Demonstrations(docs text.Stream) demo.Stream {
	return func(yield func(demo.Demonstration, error) bool) {
		var queue []text.Document
		flush := func() bool {
			sources, errs := make([]*source, len(queue)), make([]error, len(queue))
			e.o.Pool.Run(len(queue), func(i, _ int) { sources[i], errs[i] = parse(queue[i], e.o) })
			for i := range queue {
				for _, d := range e.parsed(sources[i], errs[i]) {
					if !yield(d, nil) {
						return false
					}
				}
			}
			queue = queue[:0]
			return true
		}
		for doc, err := range docs {
			if err != nil {
				if flush() {
					yield(demo.Demonstration{}, err)
				}
				return
			}
			if queue = append(queue, doc); len(queue) == parseAhead && !flush() {
				return
			}
		}
		if !flush() {
			return
		}
		for _, d := range e.Symbols() {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// wants says whether a task was asked for.
func (e *Extractor) wants(task string) bool { return slices.Contains(e.o.Tasks, task) }

// emit checks the size limits and that the key is new for the task, and
// counts the demonstration.
func (e *Extractor) emit(out []demo.Demonstration, key string, d demo.Demonstration) []demo.Demonstration {
	if len(d.Prompt) > e.o.MaxPrompt || len(d.Response) > e.o.MaxResponse || d.Response == "" {
		return out
	}
	if !e.seen.Add(d.Task, key) {
		e.Stats.Duplicates++
		return out
	}
	e.Stats.Tally.Add(d)
	return append(out, d)
}
