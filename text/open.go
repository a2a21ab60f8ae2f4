package text

import (
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// OpenFile opens a file and undoes the compression that its name tells: .gz or
// .zst.
func OpenFile(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".gz":
		z, err := gzip.NewReader(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: gzip: %w", name, err)
		}
		return &unpacked{z, f, func() {}}, nil
	case ".zst":
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(256<<20))
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: zstd: %w", name, err)
		}
		return &unpacked{z, f, z.Close}, nil
	}
	return f, nil
}

// unpacked is a decompressor over a file.
type unpacked struct {
	io.Reader
	file *os.File
	done func()
}

// Close frees the decompressor and closes the file.
func (u *unpacked) Close() error {
	u.done()
	return u.file.Close()
}
