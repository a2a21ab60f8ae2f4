package serve

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// once is a listener with one connection.
type once chan net.Conn

func (l once) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l once) Close() error   { return nil }
func (l once) Addr() net.Addr { return &net.TCPAddr{} }

// A body that is announced and never comes holds no connection, whether anybody reads it
// or not.
func TestBodyThatNeverComes(t *testing.T) {
	s := &Server{o: Options{MaxBody: 1 << 10, WriteTimeout: time.Second}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /read", func(w http.ResponseWriter, r *http.Request) {
		if err := s.decode(w, r, new(struct{})); err != nil {
			writeError(w, asError(err, true))
		}
	})
	s.handler = unknownPaths(mux)
	for _, head := range []string{
		"POST /read HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n",
		"POST /read HTTP/1.1\r\nHost: a\r\n", // refused unread
		"POST /nowhere HTTP/1.1\r\nHost: a\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			client, conn := net.Pipe()
			l := make(once, 1)
			l <- conn
			h := &http.Server{Handler: s}
			go h.Serve(l)
			start := time.Now()
			if _, err := io.WriteString(client, head+"Content-Length: 10\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); answer.StatusCode < 400 || took > readTimeout {
				t.Errorf("%q: got status %d after %v, want an error within %v", head, answer.StatusCode, took, readTimeout)
			}
			client.Close()
			close(l)
			h.Close()
		})
	}
}
