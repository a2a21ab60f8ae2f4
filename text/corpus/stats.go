package corpus

import (
	"maps"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/text"
)

// Count is a number of documents and the bytes of their texts.
type Count struct {
	Documents int   `json:"documents"`
	Bytes     int64 `json:"bytes"`
}

func (c *Count) add(bytes int) {
	c.Documents++
	c.Bytes += int64(bytes)
}

// Counts is a Count for each name.
type Counts map[string]Count

func (m Counts) add(name string, bytes int) {
	c := m[name]
	c.add(bytes)
	m[name] = c
}

// Stats is what a data card says about a corpus. Duplicates and skipped files
// are in no other count.
type Stats struct {
	Files     int    `json:"files"` // files read
	Total     Count  `json:"total"`
	Kinds     Counts `json:"kinds"`     // by kind of file
	Domains   Counts `json:"domains"`   // by first folder under the root; "." is the root itself
	Licences  Counts `json:"licences"`  // by licence found; "unknown" where none was
	Generated Count  `json:"generated"` // files written by programs
	// Duplicates counts left-out exact copies by kind.
	Duplicates Counts `json:"duplicates"`
	// Skipped counts left-out files, folders and empty documents by reason.
	Skipped map[string]int `json:"skipped"`
	// InvalidUTF8 counts documents that were not UTF-8, and their bad bytes.
	InvalidUTF8 Count `json:"invalid_utf8"`
	// WithResponse counts records that carry a prompt and a response.
	WithResponse Count `json:"with_response"`
}

func newStats() *Stats {
	return &Stats{Kinds: Counts{}, Domains: Counts{}, Licences: Counts{}, Duplicates: Counts{}, Skipped: map[string]int{}}
}

func (s *Stats) clone() Stats {
	c := *s
	c.Kinds, c.Domains, c.Licences = maps.Clone(s.Kinds), maps.Clone(s.Domains), maps.Clone(s.Licences)
	c.Duplicates, c.Skipped = maps.Clone(s.Duplicates), maps.Clone(s.Skipped)
	return c
}

func (s *Stats) count(d *text.Document) {
	n := len(d.Text)
	s.Total.add(n)
	s.Kinds.add(d.Kind, n)
	s.Domains.add(Domain(*d), n)
	licence := d.Meta["licence"]
	if licence == "" {
		licence = "unknown"
	}
	s.Licences.add(licence, n)
	if d.Meta["generated"] == "true" {
		s.Generated.add(n)
	}
	if d.Response != "" {
		s.WithResponse.add(n)
	}
}

// StatsOf counts any stream of documents, such as one side of a split.
// Duplicates, Skipped and InvalidUTF8 stay empty: a stream does not tell.
func StatsOf(docs text.Stream) (Stats, error) {
	s := newStats()
	for d, err := range docs {
		if err != nil {
			return Stats{}, err
		}
		s.count(&d)
	}
	return *s, nil
}

// Domain is the first folder of a document's path under its root, or "." for a
// file of the root itself.
func Domain(d text.Document) string {
	first, _, deeper := strings.Cut(d.Source, "/")
	if !deeper {
		return "."
	}
	return first
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
