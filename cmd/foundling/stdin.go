package main

import (
	"context"
	"io"
)

// interruptible reads from r until ctx ends, then fails with ctx's error, even
// while r waits for a person or a pipe.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	c := &interruptibleReader{ctx: ctx, chunks: make(chan chunk)}
	go func() {
		for {
			buf := make([]byte, 1<<16)
			n, err := r.Read(buf)
			select {
			case c.chunks <- chunk{buf[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return c
}

type chunk struct {
	data []byte
	err  error
}

type interruptibleReader struct {
	ctx    context.Context
	chunks chan chunk
	last   chunk // what is not yet read of it
}

func (c *interruptibleReader) Read(p []byte) (int, error) {
	for len(c.last.data) == 0 {
		if c.last.err != nil {
			return 0, c.last.err
		}
		select {
		case c.last = <-c.chunks:
		case <-c.ctx.Done():
			return 0, c.ctx.Err()
		}
	}
	n := copy(p, c.last.data)
	c.last.data = c.last.data[n:]
	return n, nil
}
