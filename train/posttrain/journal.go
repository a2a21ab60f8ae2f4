package posttrain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Journal keeps in a run's directory what came from outside or was expensive:
// answers of a judge or of a reward service, log-probabilities under the
// reference. A run that goes on takes them from there, and so computes the same.
// Its methods may be called from several goroutines.
type Journal struct {
	mu    sync.Mutex
	f     *os.File
	known map[string]json.RawMessage
	held  []entry // by Hold, in order
}

// entry is a line of the file.
type entry struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// OpenJournal reads the journal at path, or begins one. A last line that was cut
// off by a crash is dropped; any other that is broken is an error.
func OpenJournal(path string) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	j := &Journal{f: f, known: map[string]json.RawMessage{}}
	if err := j.read(path); err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

func (j *Journal) read(path string) error {
	data, err := io.ReadAll(j.f)
	if err != nil {
		return err
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	for n, line := range bytes.Split(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s:%d: %w: this line is no entry of a journal; delete the file to ask everything again", path, n+1, err)
		}
		j.known[e.Key] = e.Value
	}
	if err := j.f.Truncate(int64(len(whole))); err != nil {
		return err
	}
	_, err = j.f.Seek(0, io.SeekEnd)
	return err
}

// Get reads the value of key into v; it reports false where there is none.
func (j *Journal) Get(key string, v any) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	data, ok := j.known[key]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("journal: %s: %w: the file is of another version of the program", key, err)
	}
	return true, nil
}

// Put writes the value of key, before it returns.
func (j *Journal) Put(key string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.put(entry{key, value})
}

func (j *Journal) put(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	j.known[e.Key] = e.Value
	_, err = j.f.Write(append(line, '\n'))
	return err
}

// Hold keeps a value that may be asked for again, such as a reply that never came:
// it is in the file from Settle on, and lost where that is not called.
func (j *Journal) Hold(key string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = append(j.held, entry{key, value})
	return nil
}

// Settle writes what is held, once something depends on it.
func (j *Journal) Settle() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.held) > 0 {
		if err := j.put(j.held[0]); err != nil {
			return err
		}
		j.held = j.held[1:]
	}
	return nil
}

// Len is the number of entries.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.known)
}

// Close makes the file durable.
func (j *Journal) Close() error { return errors.Join(j.f.Sync(), j.f.Close()) }
