package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/text"
)

// Options says what is read. The zero value reads everything.
type Options struct {
	// Kinds are the kinds that the caller can use; none is all. Where a row can be
	// read in several ways, the first that gives one of them is taken.
	Kinds []Kind
	// Columns gives columns of the file the names that this package knows:
	// Columns["query"] = "prompt".
	Columns map[string]string
	// Detected, if set, is told the shape of each file at its first good row.
	Detected func(file string, s Shape)
	// MaxRowBytes is the longest row; 0 is 64 MiB.
	MaxRowBytes int
}

// Read yields the records of a file, or of all data files below a folder in the
// order of their names. An error of type *RowError is a row that cannot be used;
// after any other error the stream ends.
func Read(path string, o Options) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, k := range o.Kinds {
			if !slices.Contains(Kinds(), k) {
				yield(Record{}, fmt.Errorf("dataset: kind %q: use one of %v", k, Kinds()))
				return
			}
		}
		if o.MaxRowBytes <= 0 {
			o.MaxRowBytes = 64 << 20
		}
		files, err := Files(path)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, file := range files {
			r := &reader{file: file, o: &o, yield: yield}
			if err := r.read(); err != nil && !errors.Is(err, errStopped) {
				yield(Record{}, err)
				return
			} else if err != nil {
				return
			}
		}
	}
}

// Readable tells by its name whether a file holds records: JSON Lines, JSON or
// Parquet, compressed with gzip or zstd or not. Lines of text (.txt) are read too,
// each a prompt, from a file that is named by itself.
func Readable(name string) bool {
	return slices.Contains([]string{".jsonl", ".ndjson", ".json", ".parquet"}, extension(name))
}

func extension(name string) string {
	name = strings.ToLower(name)
	for _, packed := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, packed)
	}
	return filepath.Ext(name)
}

// Files are the data files that a path names: itself, or those below a folder,
// hidden ones left out, sorted.
func Files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w: name an existing file or folder", err)
	}
	if !info.IsDir() {
		if !Readable(path) && extension(path) != ".txt" {
			return nil, fmt.Errorf("dataset: %s: files of this kind are not read: give .jsonl, .json or .parquet (or .txt with a prompt a line), .gz and .zst too", path)
		}
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("dataset: %w", err)
		case p != path && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case !d.IsDir() && Readable(p):
			files = append(files, p)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("dataset: %s holds no .jsonl, .json or .parquet file", path)
	}
	return files, err
}

// errStopped ends reading since the caller wants no more.
var errStopped = errors.New("stopped")

// reader turns the rows of one file into records.
type reader struct {
	file  string
	o     *Options
	yield func(Record, error) bool
	shape *shape // of the rows so far; nil before the first good one
}

func (r *reader) read() error {
	ext := extension(r.file)
	if ext == ".parquet" {
		return r.parquet()
	}
	f, err := text.OpenFile(r.file)
	if err != nil {
		return fmt.Errorf("dataset: %w: make the file readable or leave it out", err)
	}
	defer f.Close()
	err = r.stream(bufio.NewReaderSize(f, 256<<10), ext)
	if err != nil && !errors.Is(err, errStopped) {
		err = fmt.Errorf("dataset: %s: %w", r.file, err)
	}
	return err
}

// stream reads a file that is not Parquet.
func (r *reader) stream(in *bufio.Reader, ext string) error {
	switch {
	case ext == ".txt":
		return r.prompts(in)
	case ext == ".json" && firstByte(in) == '[':
		return r.array(in)
	}
	return r.lines(in)
}

// firstByte is the first byte that is no white space; a byte order mark is
// skipped. It reads at most one buffer ahead and consumes only the mark.
func firstByte(in *bufio.Reader) byte {
	if b, _ := in.Peek(3); string(b) == "\xef\xbb\xbf" {
		_, _ = in.Discard(3)
	}
	for n := 1; ; n++ {
		b, err := in.Peek(n)
		if err != nil {
			return 0
		}
		if c := b[n-1]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
}

// lines reads JSON Lines; blank lines are skipped.
func (r *reader) lines(in *bufio.Reader) error {
	return r.eachLine(in, func(line int, b []byte) error {
		row, err := ParseRow(b)
		if err != nil {
			if line == 1 && extension(r.file) == ".json" {
				return errors.New("line 1 is neither the beginning of an array nor an object of its own: write [{...}, {...}], or one object a line")
			}
			return r.bad(line, "", Malformed, err.Error())
		}
		return r.row(row, line)
	})
}

// prompts reads a prompt a line.
func (r *reader) prompts(in *bufio.Reader) error {
	return r.eachLine(in, func(line int, b []byte) error {
		s := strings.ToValidUTF8(string(b), "\uFFFD")
		return r.row(&Row{names: []string{"prompt"}, values: map[string]value{"prompt": quoted(s)}}, line)
	})
}

// eachLine calls fn for every line that is not blank. The line is valid until fn
// returns.
func (r *reader) eachLine(in *bufio.Reader, fn func(line int, b []byte) error) error {
	var buf []byte
	for line := 1; ; line++ {
		long := false
		buf = buf[:0]
		for {
			part, err := in.ReadSlice('\n')
			if len(buf)+len(part) > r.o.MaxRowBytes {
				long = true
			} else {
				buf = append(buf, part...)
			}
			if err == bufio.ErrBufferFull {
				continue
			}
			if err == nil {
				break
			}
			if err != io.EOF {
				return fmt.Errorf("line %d: %w: repair the file or leave it out", line, err)
			}
			if len(buf) == 0 && !long {
				return nil
			}
			break
		}
		b := buf
		if line == 1 {
			b = []byte(strings.TrimPrefix(string(b), "\xef\xbb\xbf"))
		}
		b = []byte(strings.TrimSpace(string(b)))
		var err error
		switch {
		case long:
			err = r.bad(line, "", TooLong, fmt.Sprintf("the line has more than %d bytes: split the record", r.o.MaxRowBytes))
		case len(b) > 0:
			err = fn(line, b)
		}
		if err != nil {
			return err
		}
	}
}

// bad yields a RowError; the error it returns ends the reading.
func (r *reader) bad(line int, field string, reason Reason, problem string) error {
	if !r.yield(Record{}, &RowError{File: r.file, Line: line, Field: field, Reason: reason, Problem: problem}) {
		return errStopped
	}
	return nil
}
