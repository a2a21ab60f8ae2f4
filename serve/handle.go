package serve

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// reply is the way back to a client.
type reply struct {
	http.ResponseWriter
	status int // 0: nothing was sent yet
	logged bool
	model  string
	usage  usage

	patience    time.Duration
	id          string // of the request
	caller, key string // "": no key is asked for

	asked []byte        // the body
	said  *bytes.Buffer // what is sent, where it is logged; nil: it is not
}

// Unwrap is for http.ResponseController.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the status.
func (w *reply) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends 200 where no status was. The client has Options.WriteTimeout to take it.
func (w *reply) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.said != nil {
		w.said.Write(b)
	}
	http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.patience)) // recorders of tests have none
	return w.ResponseWriter.Write(b)
}

// anyQuery is the parameter of a path that takes any.
const anyQuery = "*"

// queried says whether the parameters behind a path's ? are those that it takes, once each.
func queried(r *http.Request, takes []string) error {
	if slices.Contains(takes, anyQuery) {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &Error{Message: "what follows the ? of the address cannot be read: " + err.Error(), Code: "invalid_value"}
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch {
		case !slices.Contains(takes, name):
			return unknown(name, name, takes)
		case len(query[name]) > 1:
			return wrong(name, "it is there more than once")
		}
	}
	return nil
}

// handle is an endpoint: f answers, or returns what the client is told instead. Takes are
// the parameters that may follow the path.
func (s *Server) handle(path string, f func(w *reply, r *http.Request) error, takes ...string) http.Handler {
	return http.HandlerFunc(func(hw http.ResponseWriter, r *http.Request) {
		s.handling.Add(1)
		defer s.handling.Done()
		defer s.eras.enter()()
		w := hw.(*reply)
		if s.o.LogText {
			w.said = new(bytes.Buffer)
		}
		start := time.Now()
		r, span := s.span(r, path)
		r, leave, err := s.admit(w, r, path)
		if err == nil {
			err = queried(r, takes)
		}
		if err == nil {
			err = s.guarded(w, r, f)
		}
		leave(w.usage.Prompt + w.usage.Completion)
		if err != nil && w.status == 0 {
			writeError(w, asError(err, false))
		}
		took := time.Since(start)
		s.meters.request(path, w.status, took)
		span.end(w, err)
		s.log(w, r, path, took, err)
	})
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(hw http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 { // a body that nobody reads is waited for, too
		http.NewResponseController(hw).SetReadDeadline(time.Now().Add(readTimeout))
	}
	w := &reply{ResponseWriter: hw, patience: s.o.WriteTimeout, id: "req_" + nonce()}
	w.Header().Set("X-Request-Id", w.id)
	start := time.Now()
	s.handler.ServeHTTP(w, r)
	if r.ContentLength != 0 && w.asked == nil { // what is left of the body is waited for before the answer goes out
		http.NewResponseController(hw).SetWriteDeadline(time.Now().Add(readTimeout + s.o.WriteTimeout))
	}
	if !w.logged { // no endpoint has it: an unknown path, a host or an origin that is refused
		s.log(w, r, pathOf(r), time.Since(start), nil)
	}
}

// maxLoggedPath is how much of a path that a client made up is logged, in bytes.
const maxLoggedPath = 200

// pathOf is the path of a request as logs have it.
func pathOf(r *http.Request) string {
	path := r.URL.Path
	if len(path) > maxLoggedPath {
		path = path[:maxLoggedPath] + "..."
	}
	return strings.ToValidUTF8(path, "\uFFFD")
}

// log writes the line of a request.
func (s *Server) log(w *reply, r *http.Request, path string, took time.Duration, err error) {
	if w.logged = true; s.o.Log == nil {
		return
	}
	if path == pagePath { // its files are many
		path = pathOf(r)
	}
	from := r.RemoteAddr
	if host, _, err := net.SplitHostPort(from); err == nil {
		from = host
	}
	line := []any{"id", w.id, "method", r.Method, "path", path, "status", w.status, "seconds", took.Seconds(), "from", from}
	if w.key != "" {
		line = append(line, "caller", w.caller, "key", w.key)
	}
	if w.model != "" {
		line = append(line, "model", w.model, "prompt_tokens", w.usage.Prompt, "completion_tokens", w.usage.Completion)
	}
	if id := traceID(r.Context()); id != "" {
		line = append(line, "trace", id)
	}
	if s.o.LogText && w.asked != nil {
		line = append(line, "asked", string(w.asked), "said", w.said.String())
	}
	level := slog.LevelInfo
	if w.status >= 500 {
		level, line = slog.LevelError, append(line, "error", err)
	}
	s.o.Log.Log(r.Context(), level, "request", line...)
}

// guarded turns a panic into an error: one request does not end the others.
func (s *Server) guarded(w *reply, r *http.Request, f func(w *reply, r *http.Request) error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if s.o.Log != nil {
			s.o.Log.Error("panic", "id", w.id, "value", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
		err = &Error{Status: http.StatusInternalServerError, Message: "the server has a fault that this request shows: its log says more", Code: "internal_error"}
	}()
	return f(w, r)
}
