// Package report writes what a run has to show as one HTML file that stands
// alone: no script, no font, no picture from elsewhere, charts as inline SVG,
// light or dark as the reader's system is. A Page is sections of blocks: Cards,
// KeyValues, Table, LineChart, BarChart, HeatMaps, Samples, Tokens, Code, Text and Fold.
//
// Everything given is text and is escaped; generated text may hold any bytes.
// The output depends on the Page only: a date stands in it if the caller wrote
// one. Not here: measuring (eval), and which figures a run shows (cmd).
package report

import (
	"io"

	"github.com/foundling-lm/foundling/internal/atomicfile"
)

// Page is one report.
type Page struct {
	Title    string
	Subtitle string // one line under the title
	Sections []Section
	Footer   string // one paragraph at the end
}

// Section is a heading, an entry in the table of contents, and its blocks.
type Section struct {
	Title  string
	Note   string // a paragraph under the heading
	Blocks []Block
}

// Block is one of the types of this package.
type Block interface {
	// view gives the name of a template and what to run it on.
	view(r *renderer) (template string, data any)
}

// Tone colours a card, a badge or a bar.
type Tone string

// The tones. Colour never says anything alone: put it in words too.
const (
	Plain  Tone = ""
	Accent Tone = "accent" // the thing the page is about
	Good   Tone = "good"
	Bad    Tone = "bad"
	Muted  Tone = "muted"
)

// Card is one figure worth seeing first.
type Card struct {
	Label string
	Value string
	Unit  string // small, after the value
	Note  string // small, below
	Tone  Tone
}

// Cards stand side by side.
type Cards []Card

// KeyValues is a list of names with values, such as options.
type KeyValues struct {
	Title string
	Rows  []KeyValue
}

// KeyValue is a row of KeyValues.
type KeyValue struct{ Key, Value string }

// Table has a head and rows.
type Table struct {
	Title   string
	Note    string
	Columns []Column
	Rows    []Row
}

// Column is the head of a column; numbers belong to the right.
type Column struct {
	Name  string
	Right bool
}

// Row has a cell for each column; Tone Accent marks the row that matters, Muted
// one that does not.
type Row struct {
	Cells []string
	Tone  Tone
}

// Left is a column of text.
func Left(name string) Column { return Column{Name: name} }

// Right is a column of numbers.
func Right(name string) Column { return Column{Name: name, Right: true} }

// Samples are texts that a model wrote.
type Samples []Sample

// Sample is a prompt and what followed it, in a fixed-width block.
type Sample struct {
	Title  string
	Prompt string
	Text   string
	Badges []Badge
}

// Badge is a word with a colour, such as "parses".
type Badge struct {
	Text string
	Tone Tone
}

// Code is a fixed-width block.
type Code struct{ Title, Text string }

// Text is prose; an empty line begins a new paragraph.
type Text string

// Fold hides blocks behind a line of text until it is clicked.
type Fold struct {
	Summary string
	Open    bool
	Blocks  []Block
}

// WriteFile writes the page to path, whole or not at all.
func (p *Page) WriteFile(path string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return p.Render(w) })
}
