package corpus

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

// records reads JSON Lines: one object a line, blank lines allowed.
func (p *pass) records(f *file, r io.Reader) error {
	in := bufio.NewReaderSize(r, 256<<10)
	var offset int64
	for line := 1; ; line++ {
		var err error
		var size int
		p.buf, size, err = readLine(in, p.buf[:0], p.c.o.MaxLineBytes)
		if err == io.EOF {
			return nil
		}
		if err == errTooLarge {
			return fmt.Errorf("corpus: %s:%d: the line has more than %d bytes: split the record or raise the limit",
				f.path, line, p.c.o.MaxLineBytes)
		}
		if err != nil {
			return fmt.Errorf("corpus: %s:%d: %w: repair the file or leave it out", f.path, line, err)
		}
		if len(bytes.TrimSpace(p.buf)) > 0 {
			if err := p.record(f, line, offset); err != nil {
				return err
			}
		}
		offset += int64(size)
	}
}

// readLine appends the next line to buf without its line end; size counts the
// end too. A line of more than limit bytes is errTooLarge.
func readLine(in *bufio.Reader, buf []byte, limit int) (line []byte, size int, err error) {
	for {
		part, err := in.ReadSlice('\n')
		size += len(part)
		buf = append(buf, part...)
		if len(buf) > limit+2 { // room for \r\n
			return buf, size, errTooLarge
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && size == 0:
			return buf, 0, io.EOF
		case err != nil && err != io.EOF:
			return buf, size, err
		}
		buf = bytes.TrimSuffix(bytes.TrimSuffix(buf, []byte("\n")), []byte("\r"))
		if len(buf) > limit {
			return buf, size, errTooLarge
		}
		return buf, size, nil
	}
}

// record turns the line in p.buf into a document.
func (p *pass) record(f *file, line int, offset int64) error {
	raw := bytes.TrimPrefix(p.buf, []byte("\xef\xbb\xbf"))
	invalid, err := p.judge(f, raw, offset+int64(len(p.buf)-len(raw)))
	if err != nil {
		return err
	}
	d, err := recordDocument(raw, p.c.o.TextField)
	if err != nil {
		return fmt.Errorf("corpus: %s:%d: %w", f.path, line, err)
	}
	d.ID = f.id + "#" + strconv.Itoa(line)
	d.Source, d.Kind = f.source, f.kind
	return p.emit(f, d, invalid)
}

// demonstrationColumns are those without which a row is no demonstration.
var demonstrationColumns = []string{"prompt", "instruction", "question", "query", "messages", "conversations", "conversation"}

// recordDocument is the document of a row: its text field, else the texts of the
// demonstrations that package dataset finds in it. Prompt and Response are those
// of a single demonstration whose last turn is the assistant's.
func recordDocument(raw []byte, textField string) (d text.Document, err error) {
	row, err := dataset.ParseRow(raw)
	if err != nil {
		return d, err
	}
	s, found, err := row.Text(textField)
	if err != nil {
		return d, err
	}
	if !found || row.Has(demonstrationColumns...) {
		records, err := row.Records(dataset.Messages, dataset.PromptCompletion)
		switch {
		case err != nil && !found:
			return d, fmt.Errorf("no field %s, and no demonstration: %w", textField, err)
		case err == nil:
			d = demonstrations(records)
		}
	}
	if found {
		d.Text = s
	}
	for _, name := range []string{"licence", "license", "url"} {
		if s, _, err := row.Text(name); err == nil && s != "" {
			if d.Meta == nil {
				d.Meta = make(map[string]string, 4)
			}
			d.Meta[strings.Replace(name, "license", "licence", 1)] = s
		}
	}
	return d, nil
}

// demonstrations joins the texts of a row's demonstrations.
func demonstrations(records []dataset.Record) (d text.Document) {
	var parts []string
	for _, r := range records {
		turns := r.Conversation(r.Completion)
		if s := (dataset.Text{Turns: turns}).String(); s != "" {
			parts = append(parts, s)
		}
		if last := len(turns) - 1; len(records) == 1 && last >= 0 && turns[last].Role == chat.RoleAssistant {
			d.Prompt, d.Response = dataset.Text{Turns: turns[:last]}.String(), turns[last].Content
		}
	}
	d.Text = strings.Join(parts, "\n\n")
	return d
}

// errTooLarge says that a file or a line is longer than its limit.
var errTooLarge = errors.New("too large")
