package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// array reads a JSON array of objects. Broken syntax ends the file, since
// nobody knows where the next object begins.
func (r *reader) array(in *bufio.Reader) error {
	counted := &lineCounter{r: in}
	dec := jsontext.NewDecoder(counted, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	broken := func(err error) error {
		offset := dec.InputOffset()
		var syntax *jsontext.SyntacticError
		if errors.As(err, &syntax) {
			offset = max(offset, syntax.ByteOffset)
			err = syntax.Err
		}
		line := counted.line(offset)
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("line %d: the file ends inside the array: bring the whole file", line)
		}
		return fmt.Errorf("line %d: %w: repair the file", line, err)
	}
	if _, err := dec.ReadToken(); err != nil {
		return broken(err)
	}
	for dec.PeekKind() != ']' {
		v, err := dec.ReadValue()
		if err != nil {
			return broken(err)
		}
		line := counted.line(dec.InputOffset() - int64(len(v)))
		if len(v) > r.o.MaxRowBytes {
			err = r.bad(line, "", TooLong, fmt.Sprintf("the record has more than %d bytes: split it", r.o.MaxRowBytes))
		} else if row, decodeErr := ParseRow(v); decodeErr != nil {
			err = r.bad(line, "", Malformed, decodeErr.Error())
		} else {
			err = r.row(row, line)
		}
		if err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return broken(err)
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return fmt.Errorf("line %d: text follows the array: give one array, or JSON Lines (.jsonl)", counted.line(dec.InputOffset()))
	}
	return nil
}

// lineCounter knows the line of an offset that it read not long ago.
type lineCounter struct {
	r      io.Reader
	read   int64
	ends   []int64 // offsets of line ends that no line() has passed
	passed int
}

// Read is that of the reader below.
func (c *lineCounter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	for i, x := range b[:n] {
		if x == '\n' {
			c.ends = append(c.ends, c.read+int64(i))
		}
	}
	c.read += int64(n)
	return n, err
}

// line is the line, from 1, of an offset; offsets must not fall.
func (c *lineCounter) line(offset int64) int {
	n := 0
	for n < len(c.ends) && c.ends[n] < offset {
		n++
	}
	c.ends = c.ends[:copy(c.ends, c.ends[n:])]
	c.passed += n
	return c.passed + 1
}
