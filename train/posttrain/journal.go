package posttrain

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Journal is a file of answers that cannot be computed again, such as those of a
// service that gives rewards: a run that goes on after a crash takes them from
// here and asks nobody twice. It is for one goroutine.
type Journal struct {
	f     *os.File
	known map[string]json.RawMessage
}

// journalLine is one answer.
type journalLine struct {
	Key    string          `json:"key"`
	Answer json.RawMessage `json:"answer"`
}

// OpenJournal reads the journal at path, which need not exist. A line that a crash
// cut off is dropped.
func OpenJournal(path string) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	j := &Journal{known: map[string]json.RawMessage{}}
	whole := int64(0)
	for in := bufio.NewReader(bytes.NewReader(data)); ; {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		var l journalLine
		if err := json.Unmarshal(line, &l); err != nil || l.Key == "" {
			return nil, fmt.Errorf("%s: byte %d: no answer of a journal: remove the file, and its answers are asked for again", path, whole)
		}
		j.known[l.Key] = l.Answer
		whole += int64(len(line))
	}
	if j.f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	if err := j.f.Truncate(whole); err != nil {
		return nil, err
	}
	_, err = j.f.Seek(whole, io.SeekStart)
	return j, err
}

// Get reads the answer of a key into v; it reports false where there is none.
func (j *Journal) Get(key string, v any) (bool, error) {
	data, ok := j.known[key]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("%s: answer %q: %w", j.f.Name(), key, err)
	}
	return true, nil
}

// Put writes an answer; when it returns the disk has it.
func (j *Journal) Put(key string, v any) error {
	answer, err := json.Marshal(v)
	if err != nil {
		return err
	}
	line, err := json.Marshal(journalLine{key, answer})
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(line, '\n')); err != nil {
		return err
	}
	j.known[key] = answer
	return j.f.Sync()
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
