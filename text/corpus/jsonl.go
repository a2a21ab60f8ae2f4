package corpus

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/text"
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
	d, err := p.rec.read(raw, p.c.o.TextField)
	if err != nil {
		return fmt.Errorf("corpus: %s:%d: %w", f.path, line, err)
	}
	d.ID = f.id + "#" + strconv.Itoa(line)
	d.Source, d.Kind = f.source, f.kind
	return p.emit(f, d, invalid)
}

// str is a field that should hold a string: its kind is 0 when the field is
// missing, '"' when it is a string, else the JSON kind found.
type str struct {
	kind jsontext.Kind
	s    string
}

func (s str) ok() bool { return s.kind == '"' }

// message is one turn of a conversation.
type message struct{ role, content string }

// recordReader decodes records; it keeps its buffers from line to line.
type recordReader struct {
	in       bytes.Buffer
	dec      *jsontext.Decoder
	fields   map[string]str
	messages []message
}

// wantedFields are the string fields a record may have, besides the text
// field.
var wantedFields = map[string]bool{
	"prompt": true, "response": true, "completion": true, "instruction": true, "input": true, "output": true,
	"licence": true, "license": true, "url": true,
}

// read decodes one record. Repeated fields count as their last.
func (r *recordReader) read(raw []byte, textField string) (d text.Document, err error) {
	r.in = *bytes.NewBuffer(raw) // jsontext reads a Buffer without copying
	opts := []jsontext.Options{jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)}
	if r.dec == nil {
		r.dec, r.fields = jsontext.NewDecoder(&r.in, opts...), map[string]str{}
	} else {
		r.dec.Reset(&r.in, opts...)
	}
	clear(r.fields)
	r.messages = r.messages[:0]
	if k := r.dec.PeekKind(); k != '{' {
		if k == 0 {
			_, err := r.dec.ReadToken()
			return d, malformed(err)
		}
		return d, fmt.Errorf("the line holds %s: want one JSON object a line", kindName(k))
	}
	if err := r.object(textField); err != nil {
		return d, err
	}
	if _, err := r.dec.ReadToken(); err != io.EOF {
		return d, errors.New("text follows the JSON object: put each record on a line of its own")
	}
	return r.document(textField)
}

// object reads the fields of the record.
func (r *recordReader) object(textField string) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return malformed(err)
	}
	for r.dec.PeekKind() != '}' {
		t, err := r.dec.ReadToken()
		if err != nil {
			return malformed(err)
		}
		name := t.String()
		kind := r.dec.PeekKind()
		switch {
		case name == textField || wantedFields[name]:
			var s string
			if s, err = r.stringOrSkip(); err == nil {
				r.fields[name] = str{kind, s}
			}
		case (name == "messages" || name == "conversations") && kind == '[':
			err = r.conversation(name)
		default:
			err = r.dec.SkipValue()
		}
		if err != nil {
			return malformed(err)
		}
	}
	_, err := r.dec.ReadToken()
	return malformed(err)
}

// stringOrSkip reads a value; it is "" unless it was a string.
func (r *recordReader) stringOrSkip() (string, error) {
	if r.dec.PeekKind() != '"' {
		return "", r.dec.SkipValue()
	}
	t, err := r.dec.ReadToken()
	if err != nil {
		return "", err
	}
	return t.String(), nil
}

// conversation reads [{"role","content"}] or [{"from","value"}]. Content that
// is null counts as empty.
func (r *recordReader) conversation(field string) error {
	r.messages = r.messages[:0]
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; r.dec.PeekKind() != ']'; i++ {
		if k := r.dec.PeekKind(); k != '{' {
			if k == 0 {
				_, err := r.dec.ReadToken()
				return err
			}
			return fieldError{fmt.Sprintf("field %s[%d] holds %s: want an object with role and content", field, i, kindName(k))}
		}
		m, err := r.message(field, i)
		if err != nil {
			return err
		}
		r.messages = append(r.messages, m)
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *recordReader) message(field string, i int) (m message, err error) {
	if _, err := r.dec.ReadToken(); err != nil {
		return m, err
	}
	for r.dec.PeekKind() != '}' {
		t, err := r.dec.ReadToken()
		if err != nil {
			return m, err
		}
		name := t.String()
		kind := r.dec.PeekKind()
		s, err := r.stringOrSkip()
		if err != nil {
			return m, err
		}
		switch name {
		case "role", "from":
			m.role = s
		case "content", "value":
			if kind != '"' && kind != 'n' {
				return m, fieldError{fmt.Sprintf("field %s[%d].%s holds %s: want a string", field, i, name, kindName(kind))}
			}
			m.content = s
		}
	}
	if m.role == "" {
		return m, fieldError{fmt.Sprintf("field %s[%d] has no role: want an object with role and content", field, i)}
	}
	_, err = r.dec.ReadToken()
	return m, err
}

// document chooses the fields that make the document: the text field, else a
// conversation, else prompt and response, else instruction (and input) and
// output.
func (r *recordReader) document(textField string) (d text.Document, err error) {
	switch {
	case len(r.messages) > 0:
		d = conversationDocument(r.messages)
	case r.fields["prompt"].ok() && r.fields["response"].ok():
		d = pair(r.fields["prompt"].s, r.fields["response"].s)
	case r.fields["prompt"].ok() && r.fields["completion"].ok():
		d = pair(r.fields["prompt"].s, r.fields["completion"].s)
	case r.fields["instruction"].ok() && r.fields["output"].ok():
		prompt := r.fields["instruction"].s
		if in := r.fields["input"].s; in != "" {
			prompt += "\n\n" + in
		}
		d = pair(prompt, r.fields["output"].s)
	}
	t := r.fields[textField]
	switch {
	case t.ok():
		d.Text = t.s
	case t.kind != 0:
		return d, fmt.Errorf("field %s holds %s: want a string", textField, kindName(t.kind))
	case d.Text == "" && d.Response == "":
		for _, name := range []string{"prompt", "response", "completion", "instruction", "output"} {
			if f := r.fields[name]; f.kind != 0 && !f.ok() {
				return d, fmt.Errorf("field %s holds %s: want a string", name, kindName(f.kind))
			}
		}
		return d, fmt.Errorf("the record has none of the fields %s; prompt and response; instruction and output; messages: add one, or name the field that holds the text",
			textField)
	}
	for _, name := range []string{"licence", "license", "url"} {
		if f := r.fields[name]; f.ok() && f.s != "" {
			if d.Meta == nil {
				d.Meta = make(map[string]string, 4)
			}
			d.Meta[strings.Replace(name, "license", "licence", 1)] = f.s
		}
	}
	return d, nil
}

func pair(prompt, response string) text.Document {
	return text.Document{Prompt: prompt, Response: response, Text: prompt + "\n\n" + response}
}

// conversationDocument keeps the turns in Meta["messages"] as JSON
// [{"role","content"}]. Response is the last turn if the assistant speaks
// there, and Prompt is what comes before it.
func conversationDocument(turns []message) text.Document {
	var d text.Document
	var parts []string
	kept := []byte{'['}
	for i, m := range turns {
		role := m.role
		switch role {
		case "human":
			role = "user"
		case "gpt":
			role = "assistant"
		}
		if i > 0 {
			kept = append(kept, ',')
		}
		kept = append(kept, `{"role":`...)
		kept, _ = jsontext.AppendQuote(kept, role)
		kept = append(kept, `,"content":`...)
		kept, _ = jsontext.AppendQuote(kept, m.content)
		kept = append(kept, '}')
		if i == len(turns)-1 && role == "assistant" {
			d.Prompt, d.Response = strings.Join(parts, "\n\n"), m.content
		}
		if m.content != "" {
			parts = append(parts, m.content)
		}
	}
	d.Text = strings.Join(parts, "\n\n")
	d.Meta = map[string]string{"messages": string(append(kept, ']'))}
	return d
}

// fieldError is valid JSON of the wrong shape.
type fieldError struct{ s string }

func (e fieldError) Error() string { return e.s }

// malformed says in one line what is wrong with the JSON of a line.
func malformed(err error) error {
	if err == nil {
		return nil
	}
	var shape fieldError
	if errors.As(err, &shape) {
		return shape
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("malformed JSON: the line ends inside the record: repair or remove the line")
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		where := ""
		if field, _, _ := strings.Cut(strings.TrimPrefix(string(syntax.JSONPointer), "/"), "/"); field != "" {
			where = " in field " + strconv.Quote(field)
		}
		return fmt.Errorf("malformed JSON%s at byte %d of the line: %w: repair or remove the line", where, syntax.ByteOffset+1, syntax.Err)
	}
	return fmt.Errorf("malformed JSON: %w: repair or remove the line", err)
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "no value"
}
