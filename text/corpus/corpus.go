// Package corpus reads documents from files: trees of source code, folders of
// text and Markdown, and JSON Lines, any of them gzip- or zstd-compressed. It
// also divides a corpus into a training and a validation side, counts what a
// data card needs, and measures how much of one side occurs in the other.
//
// The central type is Corpus: a sorted list of files, whose documents are read
// one after another on every pass, so that a corpus may be larger than memory.
// What stays in memory is the list of files and one 128-bit hash a document,
// by which exact duplicates are left out.
//
// Not here: judging quality, near duplicates, language (curation), and web
// archives.
package corpus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text"
)

// ErrEmpty is wrapped by the error of a corpus without a single document.
var ErrEmpty = errors.New("no documents")

// Policy says what happens to text that is not valid UTF-8.
type Policy string

// The policies. Replace is the default.
const (
	// Replace puts one U+FFFD for each run of invalid bytes (in records of JSON
	// Lines, for each byte); the document's Meta["invalid_bytes"] and the Stats
	// count the bytes.
	Replace Policy = "replace"
	// Reject ends the stream with an error that names file and byte offset.
	Reject Policy = "reject"
	// Keep leaves the bytes as they are and counts them. Records of JSON Lines
	// are the exception: JSON has no such strings, so they are as under
	// Replace.
	Keep Policy = "keep"
)

// Options says which files are read, and how. The zero value is the default.
type Options struct {
	// InvalidUTF8 is the policy for text that is not UTF-8; "" is Replace.
	InvalidUTF8 Policy
	// Testdata reads folders named testdata, which are left out otherwise.
	Testdata bool
	// Vendor reads folders named vendor, third_party and node_modules, which
	// are left out otherwise.
	Vendor bool
	// Kinds, if any, are the only kinds read, such as "go" or "markdown".
	Kinds []string
	// MaxFileBytes is the largest file read as one document, after
	// decompression; 0 is 1 GiB. Larger ones are left out and counted; one
	// that was named by itself is an error.
	MaxFileBytes int64
	// MaxLineBytes is the longest line of a file of records; 0 is 64 MiB. A
	// longer one is an error.
	MaxLineBytes int
	// TextField is the field of a record that holds its text; "" is "text".
	TextField string
}

// Validate reports the first option that makes no sense.
func (o Options) Validate() error {
	switch o.InvalidUTF8 {
	case "", Replace, Reject, Keep:
	default:
		return fmt.Errorf("corpus: invalid-utf8 is %q: use replace, reject or keep", string(o.InvalidUTF8))
	}
	if o.MaxFileBytes < 0 || o.MaxLineBytes < 0 {
		return fmt.Errorf("corpus: max file bytes %d and max line bytes %d must not be negative", o.MaxFileBytes, o.MaxLineBytes)
	}
	for _, k := range o.Kinds {
		if !knownKind(k) {
			return fmt.Errorf("corpus: unknown kind %q: use one of %s", k, strings.Join(Kinds(), ", "))
		}
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.InvalidUTF8 == "" {
		o.InvalidUTF8 = Replace
	}
	if o.MaxFileBytes == 0 {
		o.MaxFileBytes = 1 << 30
	}
	if o.MaxLineBytes == 0 {
		o.MaxLineBytes = 64 << 20
	}
	if o.TextField == "" {
		o.TextField = "text"
	}
	return o
}

// Corpus is a fixed list of files to read documents from. Its methods may be
// called at the same time from several goroutines.
type Corpus struct {
	o       Options
	paths   []string
	files   []file
	skipped map[string]int // reason -> files and folders left out by the walk

	mu    sync.Mutex
	stats *Stats // of the last pass that reached its end
}

// Open finds the files under paths, each a file or a folder, without reading
// their text. Files are sorted by path whatever the order of paths, and a file
// reached twice is taken once. Symbolic links to files are followed, those to
// folders are not. Hidden files and folders (named ".x") are left out, and so
// is every file whose extension names no kind of text; a file that paths names
// by itself is read whatever it is called.
func Open(paths []string, o Options) (*Corpus, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, errors.New("corpus: no paths given: name files or folders of text")
	}
	w := walk{o: o.withDefaults(), skipped: map[string]int{}, seen: map[string]bool{}}
	for _, p := range paths {
		if err := w.root(p); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(w.files, func(a, b file) int { return strings.Compare(a.id, b.id) })
	c := &Corpus{o: w.o, paths: slices.Clone(paths), files: w.files, skipped: w.skipped}
	if len(c.files) == 0 {
		return nil, c.empty(c.skipped)
	}
	return c, nil
}

// empty says what was searched, what was left out and why.
func (c *Corpus) empty(skipped map[string]int) error {
	var why []string
	for _, reason := range sortedKeys(skipped) {
		why = append(why, fmt.Sprintf("%d %s", skipped[reason], reason))
	}
	left := "nothing was found there"
	if len(why) > 0 {
		left = "left out: " + strings.Join(why, ", ")
	}
	return fmt.Errorf("corpus: %w in %s (%s): name a folder with source code, .txt, .md or .jsonl files",
		ErrEmpty, strings.Join(c.paths, ", "), left)
}

// Files returns the number of files found.
func (c *Corpus) Files() int { return len(c.files) }

// Paths returns the files found, sorted.
func (c *Corpus) Paths() []string {
	out := make([]string, len(c.files))
	for i, f := range c.files {
		out[i] = f.path
	}
	return out
}

// Documents reads the corpus from its start: the files in sorted order, the
// records of a file in theirs. Exact duplicates of an earlier document (by the
// 128-bit xxh3 hash of the text) and empty documents are left out. Every pass
// yields the same documents as long as the files stay the same. The stream
// ends after the first error.
func (c *Corpus) Documents() text.Stream {
	return func(yield func(text.Document, error) bool) {
		p := newPass(c, yield)
		for i := range c.files {
			err := p.file(&c.files[i])
			if err == errStop {
				return
			}
			if err != nil {
				yield(text.Document{}, err)
				return
			}
		}
		if p.stats.Total.Documents == 0 {
			yield(text.Document{}, c.empty(p.stats.Skipped))
			return
		}
		c.mu.Lock()
		c.stats = p.stats
		c.mu.Unlock()
	}
}

// Stats returns the counts of the last complete pass over Documents, and runs
// one if there was none.
func (c *Corpus) Stats() (Stats, error) {
	c.mu.Lock()
	s := c.stats
	c.mu.Unlock()
	if s == nil {
		for _, err := range c.Documents() {
			if err != nil {
				return Stats{}, err
			}
		}
		c.mu.Lock()
		s = c.stats
		c.mu.Unlock()
	}
	return s.clone(), nil
}

// errStop says that the consumer of a stream wants no more.
var errStop = errors.New("stop")

// pass is one run over the documents of a corpus.
type pass struct {
	c     *Corpus
	yield func(text.Document, error) bool
	seen  map[xxh3.Uint128]struct{}
	stats *Stats
	buf   []byte // file or line being read
}

func newPass(c *Corpus, yield func(text.Document, error) bool) *pass {
	p := &pass{c: c, yield: yield, seen: make(map[xxh3.Uint128]struct{}, len(c.files)), stats: newStats()}
	for reason, n := range c.skipped {
		p.stats.Skipped[reason] = n
	}
	return p
}

// emit hands on a document unless it is empty or a duplicate. Its text is
// valid, or invalid is the number of bytes that were not.
func (p *pass) emit(f *file, d text.Document, invalid int) error {
	if strings.TrimSpace(d.Text) == "" {
		p.stats.Skipped["empty"]++
		return nil
	}
	h := xxh3.HashString128(d.Text)
	if _, dup := p.seen[h]; dup {
		p.stats.Duplicates.add(d.Kind, len(d.Text))
		return nil
	}
	p.seen[h] = struct{}{}
	if d.Meta == nil {
		d.Meta = make(map[string]string, 2)
	}
	if d.Meta["licence"] == "" {
		if id := headerLicence(d.Text); id != "" {
			d.Meta["licence"] = id
		} else if f.licence != "" {
			d.Meta["licence"] = f.licence
		}
	}
	if f.form == formWhole && IsGenerated(d.Kind, d.Text) {
		d.Meta["generated"] = "true"
	}
	if invalid > 0 {
		d.Meta["invalid_bytes"] = fmt.Sprint(invalid)
		p.stats.InvalidUTF8.Documents++
		p.stats.InvalidUTF8.Bytes += int64(invalid)
	}
	p.stats.count(&d)
	if !p.yield(d, nil) {
		return errStop
	}
	return nil
}
