package label

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// File is a file of labels, one JSON object a line, to which labels are added.
// Several labellers may add to one file at the same time.
type File struct {
	f    *os.File
	open bool // the last line lacks its end: somebody was stopped while writing
}

// Open reads the labels of a file, which need not exist, and makes it ready for
// more. Lines that are no labels are counted in broken: the end of one that was
// being written when the machine stopped, which nobody was told is saved.
func Open(path string) (f *File, labels []Label, broken int, err error) {
	labels, broken, err = Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, 0, err
	}
	f = &File{}
	if f.f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return nil, nil, 0, err
	}
	if info, err := f.f.Stat(); err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.f.ReadAt(last, info.Size()-1); err != nil {
			return nil, nil, 0, errors.Join(err, f.f.Close())
		}
		f.open = last[0] != '\n'
	}
	return f, labels, broken, nil
}

// Add saves a label: when it returns without an error, the label is on the disk.
func (f *File) Add(l Label) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("label: %w", err)
	}
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if f.open {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.f.Write(append(line, '\n')); err != nil { // one write, at the end: O_APPEND
		f.open = true
		return err
	}
	f.open = false
	return f.f.Sync()
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// Read reads a file of labels. Of several labels of one labeller for one item the
// last counts, in the place of the first.
func Read(path string) (labels []Label, broken int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	return read(bufio.NewReader(f))
}

func read(r *bufio.Reader) (labels []Label, broken int, err error) {
	at := map[[2]string]int{}
	for {
		line, err := r.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			var l Label
			if json.Unmarshal(line, &l) != nil || l.check() != nil {
				broken++
			} else if i, again := at[[2]string{l.Labeller, l.Item}]; again {
				labels[i] = l
			} else {
				at[[2]string{l.Labeller, l.Item}] = len(labels)
				labels = append(labels, l)
			}
		}
		if err == io.EOF {
			return labels, broken, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}
