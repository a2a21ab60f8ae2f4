package dataset

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// parquet reads the rows of a Parquet file.
func (r *reader) parquet() error {
	f, err := os.Open(r.file)
	if err != nil {
		return fmt.Errorf("dataset: %w: make the file readable or leave it out", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	return r.table(f, info.Size())
}

// table reads a Parquet file of size bytes.
func (r *reader) table(f io.ReaderAt, size int64) error {
	wrong := func(err error) error {
		return fmt.Errorf("dataset: %s: parquet: %w: bring the whole file", r.file, err)
	}
	p, err := openParquet(f, size)
	if err != nil {
		return wrong(err)
	}
	line := 0
	for _, g := range p.RowGroups() {
		rows := &parquetRows{rows: g.Rows(), root: p.Root()}
		for {
			row, err := rows.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return errors.Join(wrong(err), rows.rows.Close())
			}
			line++
			if err := r.row(row, line); err != nil {
				return errors.Join(err, rows.rows.Close())
			}
		}
		if err := rows.rows.Close(); err != nil {
			return wrong(err)
		}
	}
	return nil
}

// The reader of Parquet panics on some files that are not whole; these two
// functions make errors of that. A damaged header may ask for up to 2 GiB
// before the error comes.

func openParquet(f io.ReaderAt, size int64) (p *parquet.File, err error) {
	defer malformedParquet(&err)
	return parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
}

// parquetRows yields the rows of a row group as objects.
type parquetRows struct {
	rows parquet.Rows
	root *parquet.Column
	buf  [1]parquet.Row
}

func (p *parquetRows) next() (out *Row, err error) {
	defer malformedParquet(&err)
	n, err := p.rows.ReadRows(p.buf[:])
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return nil, err
	}
	columns := make([][]parquet.Value, 0, 16)
	p.buf[0].Range(func(_ int, values []parquet.Value) bool {
		columns = append(columns, values)
		return true
	})
	out = &Row{values: map[string]value{}}
	at := 0
	for _, field := range p.root.Columns() {
		n := leaves(field)
		b, err := assemble(nil, field, columns[at:at+n], 0, 0)
		if err != nil {
			return nil, err
		}
		at += n
		out.names = append(out.names, field.Name())
		out.values[field.Name()] = b
	}
	return out, nil
}

func malformedParquet(err *error) {
	if e := recover(); e != nil {
		*err = fmt.Errorf("malformed file: %v", e)
	}
}

func leaves(c *parquet.Column) int {
	if c.Leaf() {
		return 1
	}
	n := 0
	for _, child := range c.Columns() {
		n += leaves(child)
	}
	return n
}

// assemble appends the JSON value of a column to b. Columns are the values of
// its leaves for one row, or for one element of what it is repeated in; rep and
// def are the levels above it (Melnik et al. 2010, Dremel, section 4.1).
func assemble(b []byte, c *parquet.Column, columns [][]parquet.Value, rep, def int) ([]byte, error) {
	switch {
	case c.Optional():
		if def++; columns[0][0].DefinitionLevel() < def {
			return append(b, "null"...), nil
		}
	case c.Repeated():
		rep, def = rep+1, def+1
		return eachElement(b, columns, rep, def, func(b []byte, element [][]parquet.Value) ([]byte, error) {
			return assembleOne(b, c, element, rep, def)
		})
	}
	return assembleOne(b, c, columns, rep, def)
}

// assembleOne is assemble for a column whose own repetition and presence are
// settled.
func assembleOne(b []byte, c *parquet.Column, columns [][]parquet.Value, rep, def int) ([]byte, error) {
	if c.Leaf() {
		return appendValue(b, columns[0][0])
	}
	if children := c.Columns(); len(children) == 1 && isList(c) {
		// Lists are a group of one repeated group of one element.
		return assembleList(b, children[0], columns, rep, def)
	}
	b = append(b, '{')
	at := 0
	for i, child := range c.Columns() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, quoted(child.Name())...), ':')
		n := leaves(child)
		var err error
		if b, err = assemble(b, child, columns[at:at+n], rep, def); err != nil {
			return nil, err
		}
		at += n
	}
	return append(b, '}'), nil
}

// isList tells whether a group with one child is a list.
func isList(c *parquet.Column) bool {
	if t := c.Type().LogicalType(); t != nil {
		if _, ok := t.Value.(*format.ListType); ok {
			return c.Columns()[0].Repeated()
		}
	}
	t := c.Type().ConvertedType()
	return t != nil && *t == deprecated.List && c.Columns()[0].Repeated()
}

// assembleList appends a list: of what the one field of the repeated group holds,
// or of the repeated child itself where it is no such group.
func assembleList(b []byte, repeated *parquet.Column, columns [][]parquet.Value, rep, def int) ([]byte, error) {
	if repeated.Leaf() || len(repeated.Columns()) != 1 {
		return assemble(b, repeated, columns, rep, def)
	}
	return eachElement(b, columns, rep+1, def+1, func(b []byte, element [][]parquet.Value) ([]byte, error) {
		return assemble(b, repeated.Columns()[0], element, rep+1, def+1)
	})
}

// eachElement appends a JSON array of what fn appends for each element of a
// repeated column, whose levels are rep and def.
func eachElement(b []byte, columns [][]parquet.Value, rep, def int, fn func([]byte, [][]parquet.Value) ([]byte, error)) ([]byte, error) {
	if columns[0][0].DefinitionLevel() < def {
		return append(b, "[]"...), nil
	}
	b = append(b, '[')
	for n := 0; len(columns[0]) > 0; n++ {
		if n > 0 {
			b = append(b, ',')
		}
		element := make([][]parquet.Value, len(columns))
		rest := make([][]parquet.Value, len(columns))
		for i, values := range columns {
			end := 1
			for end < len(values) && values[end].RepetitionLevel() > rep {
				end++
			}
			element[i], rest[i] = values[:end], values[end:]
		}
		columns = rest
		var err error
		if b, err = fn(b, element); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendValue appends a leaf. Numbers that JSON does not have become strings,
// which row.number refuses with a reason.
func appendValue(b []byte, v parquet.Value) ([]byte, error) {
	float := func(x float64, bits int) ([]byte, error) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return append(b, quoted(strconv.FormatFloat(x, 'g', -1, bits))...), nil
		}
		return strconv.AppendFloat(b, x, 'g', -1, bits), nil
	}
	switch v.Kind() {
	case parquet.Boolean:
		return strconv.AppendBool(b, v.Boolean()), nil
	case parquet.Int32:
		return strconv.AppendInt(b, int64(v.Int32()), 10), nil
	case parquet.Int64:
		return strconv.AppendInt(b, v.Int64(), 10), nil
	case parquet.Float:
		return float(float64(v.Float()), 32)
	case parquet.Double:
		return float(v.Double(), 64)
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return append(b, quoted(string(v.ByteArray()))...), nil
	case parquet.Int96:
		return append(b, quoted(v.String())...), nil
	}
	return append(b, "null"...), nil
}
