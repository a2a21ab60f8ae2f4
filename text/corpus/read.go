package corpus

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/text"
)

// file reads one file and emits its documents.
func (p *pass) file(f *file) error {
	p.stats.Files++
	r, err := text.OpenFile(f.path)
	if err != nil {
		return fmt.Errorf("corpus: %w: make the file readable or leave it out", err)
	}
	defer r.Close()
	if f.form == formLines {
		return p.records(f, r)
	}
	p.buf, err = readAll(r, p.buf[:0], p.c.o.MaxFileBytes)
	if err == errTooLarge {
		if f.named {
			return fmt.Errorf("corpus: %s has more than %d bytes, the most for one document: split it or raise the limit",
				f.path, p.c.o.MaxFileBytes)
		}
		p.stats.Skipped["file too large"]++
		return nil
	}
	if err != nil {
		return fmt.Errorf("corpus: %s: %w: repair the file or leave it out", f.path, err)
	}
	if at := bytes.IndexByte(p.buf, 0); at >= 0 {
		if f.named {
			return fmt.Errorf("corpus: %s is not text (zero byte at offset %d): convert it to UTF-8 or leave it out", f.path, at)
		}
		p.stats.Skipped["binary file"]++
		return nil
	}
	s, invalid, err := p.valid(f, p.buf)
	if err != nil {
		return err
	}
	return p.emit(f, text.Document{ID: f.id, Source: f.source, Kind: f.kind, Text: s}, invalid)
}

// valid copies bytes to a string under the policy for invalid UTF-8.
func (p *pass) valid(f *file, b []byte) (s string, invalid int, err error) {
	invalid, err = p.judge(f, b, 0)
	if invalid > 0 && p.c.o.InvalidUTF8 == Replace {
		return strings.ToValidUTF8(string(b), "\uFFFD"), invalid, err
	}
	return string(b), invalid, err
}

// judge counts the bytes that are not UTF-8, or refuses them. Offset is where b
// begins in its file, for the error.
func (p *pass) judge(f *file, b []byte, offset int64) (invalid int, err error) {
	if utf8.Valid(b) {
		return 0, nil
	}
	invalid, first := invalidBytes(b)
	if p.c.o.InvalidUTF8 == Reject {
		return 0, fmt.Errorf("corpus: %s: invalid UTF-8 at byte %d (0x%02x): convert the file, or allow it with the policy replace or keep",
			f.path, offset+int64(first), b[first])
	}
	return invalid, nil
}

// invalidBytes counts the bytes that belong to no UTF-8 sequence and finds the
// first.
func invalidBytes(b []byte) (n, first int) {
	first = -1
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			if n++; first < 0 {
				first = i
			}
		}
		i += size
	}
	return n, first
}

// readAll appends what r holds to buf, up to limit bytes.
func readAll(r io.Reader, buf []byte, limit int64) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), max(2*cap(buf), 64<<10))
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return buf, errTooLarge
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}
