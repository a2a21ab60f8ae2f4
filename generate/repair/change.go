package repair

import (
	"cmp"
	"slices"
	"strings"
)

// Kind says what was wrong.
type Kind string

// The kinds of changes.
const (
	Prose       Kind = "prose"       // text before, after or between documents; byte order marks
	Fence       Kind = "fence"       // code fences
	Comment     Kind = "comment"     // comments, and the dots of something left out
	Wrapper     Kind = "wrapper"     // a function call or parentheses around a value
	Escaped     Kind = "escaped"     // backslashes of a text that was escaped as a whole
	Documents   Kind = "documents"   // several documents became the items of one array
	QuoteStyle  Kind = "quotestyle"  // single, smart, back or doubled quotes
	OpenQuote   Kind = "openquote"   // an opening quote was missing
	CloseQuote  Kind = "closequote"  // a closing quote was missing inside the text
	Unquoted    Kind = "unquoted"    // a key or a text without quotes
	StrayQuote  Kind = "strayquote"  // a quote that belongs to nothing
	InnerQuote  Kind = "innerquote"  // a quote inside a string that was not escaped
	Control     Kind = "control"     // a line break or another control character in a string
	Escape      Kind = "escape"      // an escape JSON does not have
	Concat      Kind = "concat"      // strings joined by +
	Encoding    Kind = "encoding"    // bytes that are not UTF-8; white space JSON does not have
	CommaAdded  Kind = "comma"       // a comma was missing
	CommaExtra  Kind = "extracomma"  // a comma too many
	Colon       Kind = "colon"       // a colon was missing or written otherwise
	CloserAdded Kind = "closer"      // a bracket was missing inside the text
	CloserExtra Kind = "extracloser" // a bracket too many
	Mismatch    Kind = "mismatch"    // a bracket of the other kind
	OpenerAdded Kind = "opener"      // an opening bracket was missing
	Truncated   Kind = "truncated"   // the text ends early: quotes, brackets, literals were closed
	Literal     Kind = "literal"     // True, None, undefined, NaN
	Number      Kind = "number"      // a number JSON does not know
	NoValue     Kind = "novalue"     // a key without a value: null
	Stray       Kind = "stray"       // a word or value that has no place
	Set         Kind = "set"         // braces without keys: an array
	Merge       Kind = "merge"       // an object or array that was closed too early
	Type        Kind = "type"        // the schema asks for another type: "42" is 42
	KeyName     Kind = "keyname"     // the schema writes the key in another case
	EnumCase    Kind = "enum"        // the schema writes the value in another case or with other spaces
	Default     Kind = "default"     // a required property with a default in the schema
	Indent      Kind = "indent"      // indentation (YAML)
	Tab         Kind = "tab"         // a tab in the indentation (YAML)
	DashSpace   Kind = "dash"        // a list item without a space after its dash (YAML)
	Duplicate   Kind = "duplicate"   // a key twice in a mapping (YAML): the last one stays
	Quoted      Kind = "quoted"      // a plain text that YAML misreads got quotes
)

// Change is one edit of the input: Before, which stands at byte Offset of the
// input, becomes After.
type Change struct {
	Offset int    `json:"offset"`
	Kind   Kind   `json:"kind"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Apply makes the changes, which are sorted and do not overlap. It panics where
// they do not belong to the input.
func Apply(input string, changes []Change) string {
	var b strings.Builder
	at := 0
	for _, c := range changes {
		b.WriteString(input[at:c.Offset])
		b.WriteString(c.After)
		at = c.Offset + len(c.Before)
	}
	b.WriteString(input[at:])
	return b.String()
}

// edit replaces the bytes [start, end) of a text.
type edit struct {
	start, end int
	after      string
	kind       Kind
	front      bool // before everything else that happens at start
}

// ordered sorts edits by place; at one place insertions come first, in the
// order in which they were made. Of edits that overlap the later one goes.
func ordered(edits []edit) []edit {
	rank := func(e edit) int {
		switch {
		case e.front:
			return 0
		case e.start == e.end:
			return 1
		}
		return 2
	}
	order := func(a, b edit) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(rank(a), rank(b))) }
	if !slices.IsSortedFunc(edits, order) { // sorting in place is slow for what is sorted
		slices.SortStableFunc(edits, order)
	}
	kept, at := edits[:0], 0
	for _, e := range edits {
		if e.start < at {
			continue
		}
		at = e.end
		kept = append(kept, e)
	}
	return kept
}

// apply makes ordered edits.
func apply(in string, edits []edit) string {
	var b strings.Builder
	b.Grow(len(in) + len(edits))
	at := 0
	for _, e := range edits {
		b.WriteString(in[at:e.start])
		b.WriteString(e.after)
		at = e.end
	}
	b.WriteString(in[at:])
	return b.String()
}

// compose turns edits of in, and edits of their result, into edits of in with
// the same effect. Where a second edit touches what a first one wrote, they
// become one, with the kind of the second.
func compose(in string, first, second []edit) []edit {
	if len(first) == 0 {
		return second
	}
	mid := apply(in, first)
	var out []edit
	next := 0  // the next of first
	shift := 0 // place in mid minus place in in, before first[next]
	for _, s := range second {
		// First edits whose text ends before s stay as they are.
		for next < len(first) && first[next].start+shift+len(first[next].after) <= s.start {
			f := first[next]
			if f.start+shift+len(f.after) == s.start && f.start+shift == s.start && s.end > s.start && f.end > f.start {
				break // a deletion right where s begins joins it
			}
			out = append(out, f)
			shift += len(f.after) - (f.end - f.start)
			next++
		}
		joined := edit{kind: s.kind, after: s.after, start: s.start - shift, end: -1}
		midEnd := s.end
		for next < len(first) && first[next].start+shift < s.end {
			f := first[next]
			at := f.start + shift
			if at < s.start { // s begins inside the text of f
				joined.start = f.start
				joined.after = mid[at:s.start] + joined.after
			}
			if end := at + len(f.after); end > midEnd {
				joined.after += mid[s.end:end]
				midEnd = end
			}
			shift += len(f.after) - (f.end - f.start)
			next++
		}
		joined.end = midEnd - shift
		out = append(out, joined)
	}
	return append(out, first[next:]...)
}

// changes are edits with what they replace.
func changes(in string, edits []edit) []Change {
	list := make([]Change, 0, len(edits))
	for _, e := range edits {
		if in[e.start:e.end] != e.after {
			list = append(list, Change{Offset: e.start, Kind: e.kind, Before: in[e.start:e.end], After: e.after})
		}
	}
	return list
}
