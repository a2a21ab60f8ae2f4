// Package atomicfile writes files that are either whole or absent: the bytes
// go to a temporary file beside the target, reach the disk, and are renamed
// over it.
package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Write creates or replaces path with what fill writes. When fill or the disk
// reports an error the old file, if any, is left as it was.
func Write(path string, fill func(io.Writer) error) error { return write(path, 0o644, fill) }

// WritePrivate is Write of a file that its owner alone may read.
func WritePrivate(path string, fill func(io.Writer) error) error { return write(path, 0o600, fill) }

func write(path string, mode os.FileMode, fill func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		var at *os.PathError
		if errors.As(err, &at) { // of the temporary name, which says nothing
			err = &os.PathError{Op: "create", Path: path, Err: at.Err}
		}
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = fill(f); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil && runtime.GOOS != "windows" {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// WriteFile is Write for bytes at hand.
func WriteFile(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// syncDir makes a rename durable. Windows has no directory sync.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
