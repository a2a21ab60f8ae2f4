package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const testCommit = "0123456789abcdef0123456789abcdef01234567"

// fakeHub is a hub with one model, o/m. Large files are redirected to another
// host, as hubs do.
type fakeHub struct {
	t     *testing.T
	files map[string][]byte
	large map[string]bool // kept as LFS
	token string          // wanted; "": none

	page    int // entries of a page of the list; 0: all
	noRange bool
	slow    time.Duration // between chunks of a file

	mu     sync.Mutex
	faults map[string][]fault // by path, used up one by one
	log    []string           // what was asked for: path and Range

	hub, cdn *httptest.Server
}

// fault is how an answer goes wrong.
type fault struct {
	status int               // instead of the file
	header map[string]string // with it
	cut    int               // drop the connection after so many bytes; 0: do not
	stall  bool              // after cut, keep silent instead
	flip   bool              // change a byte
}

func newHub(t *testing.T, files map[string][]byte, large ...string) *fakeHub {
	h := &fakeHub{t: t, files: files, large: map[string]bool{}, faults: map[string][]fault{}}
	for _, l := range large {
		h.large[l] = true
	}
	h.hub = httptest.NewServer(http.HandlerFunc(h.serve))
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serveLarge))
	t.Cleanup(func() { h.hub.Close(); h.cdn.Close() })
	return h
}

func (h *fakeHub) client() *Client {
	return &Client{
		Endpoint: h.hub.URL + "/", Token: h.token, Idle: time.Minute,
		sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

// forget makes the hub fast again and what it was asked for unknown. Requests of
// an interrupted pull may still be under way.
func (h *fakeHub) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow, h.log = 0, nil
}

// asked is what was asked for so far.
func (h *fakeHub) asked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.log)
}

func (h *fakeHub) fault(path string) (f fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if list := h.faults[path]; len(list) > 0 {
		f, h.faults[path] = list[0], list[1:]
	}
	return f
}

func (h *fakeHub) record(r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Range")))
}

func (h *fakeHub) serve(w http.ResponseWriter, r *http.Request) {
	h.record(r)
	if h.token != "" && r.Header.Get("Authorization") != "Bearer "+h.token {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"Repository not found"}`)
		return
	}
	switch path := r.URL.Path; {
	case path == "/api/models/o/m/revision/main" || path == "/api/models/o/m/revision/"+testCommit:
		if h.failed(w, "api") {
			return
		}
		fmt.Fprintf(w, `{"id":"o/m","sha":%q}`, testCommit)
	case path == "/api/models/o/m/tree/"+testCommit && r.URL.Query().Get("recursive") == "1":
		h.list(w, r)
	case strings.HasPrefix(path, "/o/m/resolve/"+testCommit+"/"):
		name := strings.TrimPrefix(path, "/o/m/resolve/"+testCommit+"/")
		if !h.large[name] {
			h.send(w, r, name)
			return
		}
		w.Header().Set("X-Linked-Etag", `"`+sum256(h.files[name])+`"`)
		http.Redirect(w, r, h.cdn.URL+"/"+name+"?signature=secret", http.StatusFound)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"Not found"}`)
	}
}

func (h *fakeHub) failed(w http.ResponseWriter, path string) bool {
	f := h.fault(path)
	if f.status == 0 {
		return false
	}
	for k, v := range f.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(f.status)
	return true
}

func (h *fakeHub) list(w http.ResponseWriter, r *http.Request) {
	entries := []map[string]any{{"type": "directory", "path": "sub", "oid": "x", "size": 0}}
	for _, name := range slices.Sorted(maps.Keys(h.files)) {
		data := h.files[name]
		e := map[string]any{"type": "file", "path": name, "size": len(data), "oid": blobSum(data)}
		if h.large[name] {
			e["lfs"] = map[string]any{"oid": sum256(data), "size": len(data), "pointerSize": 130}
			e["oid"] = blobSum([]byte("pointer"))
		}
		entries = append(entries, e)
	}
	if h.page > 0 {
		at, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
		end := min(at+h.page, len(entries))
		if end < len(entries) {
			w.Header().Set("Link", fmt.Sprintf(`<%s/api/models/o/m/tree/%s?recursive=1&cursor=%d>; rel="next"`, h.hub.URL, testCommit, end))
		}
		entries = entries[at:end]
	}
	json.NewEncoder(w).Encode(entries)
}

// serveLarge is the other host. It must never see the token.
func (h *fakeHub) serveLarge(w http.ResponseWriter, r *http.Request) {
	if a := r.Header.Get("Authorization"); a != "" {
		h.t.Errorf("the token went to another host: %q", a)
	}
	h.record(r)
	h.send(w, r, strings.TrimPrefix(r.URL.Path, "/"))
}

func (h *fakeHub) send(w http.ResponseWriter, r *http.Request, name string) {
	data, ok := h.files[name]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	f := h.fault(name)
	if f.status != 0 {
		h.mu.Lock()
		h.faults[name] = append([]fault{f}, h.faults[name]...)
		h.mu.Unlock()
		h.failed(w, name)
		return
	}
	if f.flip {
		data = bytes.Clone(data)
		data[len(data)/2] ^= 1
	}
	from := 0
	if s, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && !h.noRange {
		from, _ = strconv.Atoi(strings.TrimSuffix(s, "-"))
		if from >= len(data) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	h.write(w, r, data[from:], f)
}

func (h *fakeHub) write(w http.ResponseWriter, r *http.Request, data []byte, f fault) {
	if f.cut > 0 {
		w.Write(data[:min(f.cut, len(data))])
		w.(http.Flusher).Flush()
		if f.stall {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}
	for len(data) > 0 {
		n := len(data)
		h.mu.Lock()
		slow := h.slow
		h.mu.Unlock()
		if slow > 0 {
			n = min(n, 1000)
			select {
			case <-time.After(slow):
			case <-r.Context().Done():
				return
			}
		}
		w.Write(data[:n])
		w.(http.Flusher).Flush()
		data = data[n:]
	}
}

func sum256(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func blobSum(b []byte) string {
	s := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...))
	return hex.EncodeToString(s[:])
}
