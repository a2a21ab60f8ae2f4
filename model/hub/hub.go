// Package hub brings models from a Hugging Face-compatible hub to a local store.
//
// A Client lists the files of a model at one commit, chooses those that a model
// needs, and downloads them side by side: interrupted downloads go on where they
// stopped, every file is checked against the hub's checksum (SHA-256 of large
// files, git's SHA-1 of small ones), and only a whole model gets its name in the
// Store. Package hub is, with the service, all of the program that talks to a
// network; it reads no environment.
//
// Not here: uploading, data sets, and what the files mean (model/checkpoint).
package hub

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// DefaultEndpoint is where models are pulled from unless told otherwise.
const DefaultEndpoint = "https://huggingface.co"

// Client talks to a hub. The zero value asks DefaultEndpoint without a token.
type Client struct {
	Endpoint string                           // URL of the hub
	Token    string                           // sent to the hub itself, never to where it redirects
	HTTP     *http.Client                     // nil: one with the transport's defaults
	Parallel int                              // files at a time; 0: 4
	Tries    int                              // in a row without a byte of progress; 0: 6
	Idle     time.Duration                    // a connection silent for so long is given up; 0: 30 s
	Free     func(dir string) (int64, bool)   // bytes that a folder's disk has free, false: not known; nil: not checked
	Progress func(Progress)                   // told after every read, by one goroutine at a time; may be nil
	Note     func(format string, args ...any) // told of retries; may be nil

	// sleep waits between tries; tests replace it.
	sleep func(context.Context, time.Duration) error
}

// Progress is how far a pull has come.
type Progress struct {
	File        string // that the last bytes belong to
	Done, Total int64  // bytes of all files, those that were there before included
}

// Ref names a model on a hub, and optionally one file of it.
type Ref struct {
	ID       string // OWNER/NAME
	File     string // "": what a model needs; else a file, or a part of its name that only one has
	Revision string // branch, tag or commit; "": main
}

var namePart = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)

// ParseRef reads OWNER/NAME or OWNER/NAME:FILE.
func ParseRef(s string) (Ref, error) {
	id, file, colon := strings.Cut(s, ":")
	owner, name, ok := strings.Cut(id, "/")
	if !ok || !namePart.MatchString(owner) || !namePart.MatchString(name) {
		return Ref{}, fmt.Errorf("%q is no model of a hub: write OWNER/NAME or OWNER/NAME:FILE", s)
	}
	if colon && file == "" {
		return Ref{}, fmt.Errorf("%q names no file after the colon", s)
	}
	return Ref{ID: id, File: file}, nil
}

func (r Ref) revision() string { return cmp.Or(r.Revision, "main") }

func (c *Client) endpoint() string {
	return strings.TrimRight(cmp.Or(c.Endpoint, DefaultEndpoint), "/")
}

func (c *Client) note(format string, args ...any) {
	if c.Note != nil {
		c.Note(format, args...)
	}
}

// client is the HTTP client with redirects watched: the token stays with the
// hub's own host, and what the hub says about a file on the way is kept.
func (c *Client) client() *http.Client {
	var h http.Client
	if c.HTTP != nil {
		h = *c.HTTP
	}
	h.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > 10 {
			return fmt.Errorf("more than 10 redirects")
		}
		if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
			req.Header.Del("Authorization")
		}
		if l, ok := req.Context().Value(linkedKey{}).(*linked); ok && req.Response != nil {
			l.read(req.Response.Header)
		}
		return nil
	}
	return &h
}

// linked is what the headers of a hub say about a file, also when it lies
// elsewhere.
type linked struct {
	etag string
}

type linkedKey struct{}

func (l *linked) read(h http.Header) {
	if tag := cmp.Or(h.Get("X-Linked-Etag"), h.Get("ETag")); l.etag == "" || h.Get("X-Linked-Etag") != "" {
		l.etag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	}
}
