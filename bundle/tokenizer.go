package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// OpenTokenizer reads a vocabulary alone: every file and directory that
// tokenizer.Load takes, a GGUF file, or a directory whose vocabulary is in its
// only GGUF file.
func OpenTokenizer(path string) (*tokenizer.Tokenizer, error) {
	gguf := path
	is, err := isGGUF(path)
	if err != nil {
		return nil, err
	}
	if !is {
		t, err := tokenizer.Load(path)
		if !errors.Is(err, os.ErrNotExist) {
			return t, err
		}
		// Glob's only error is a bad pattern: the path's own signs.
		found, globErr := filepath.Glob(filepath.Join(path, "*.gguf"))
		if globErr != nil || len(found) != 1 {
			return nil, err
		}
		gguf = found[0]
	}
	f, err := checkpoint.Open(gguf)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := tokenizer.FromGGUF(f.GGUF())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", gguf, err)
	}
	return t, nil
}

// isGGUF looks at the first bytes of a file; other kinds of paths are none.
func isGGUF(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false, nil // the reader of vocabularies says what is wrong
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil {
		return false, nil
	}
	return bytes.Equal(magic[:], []byte("GGUF")), nil
}
