package serve

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// reply is the way back to a client.
type reply struct {
	http.ResponseWriter
	status int // 0: nothing was sent yet
	model  string
	usage  usage
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

// Write sends 200 where no status was.
func (w *reply) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// handle is an endpoint: f answers, or returns what the client is told instead.
func (s *Server) handle(path string, f func(w *reply, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(hw http.ResponseWriter, r *http.Request) {
		s.handling.Add(1)
		defer s.handling.Done()
		w := &reply{ResponseWriter: hw}
		start := time.Now()
		err := s.guarded(w, r, f)
		if err != nil && w.status == 0 {
			writeError(w, asError(err, false))
		}
		took := time.Since(start)
		s.meters.request(path, w.status, took)
		if s.o.Log == nil {
			return
		}
		line := []any{"method", r.Method, "path", path, "status", w.status, "seconds", took.Seconds()}
		if w.model != "" {
			line = append(line, "model", w.model, "prompt_tokens", w.usage.Prompt, "completion_tokens", w.usage.Completion)
		}
		level := slog.LevelInfo
		if w.status >= 500 {
			level, line = slog.LevelError, append(line, "error", err)
		}
		s.o.Log.Log(r.Context(), level, "request", line...)
	})
}

// guarded turns a panic into an error: one request does not end the others.
func (s *Server) guarded(w *reply, r *http.Request, f func(w *reply, r *http.Request) error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if s.o.Log != nil {
			s.o.Log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
		err = &Error{Status: http.StatusInternalServerError, Message: "the server has a fault that this request shows: its log says more", Code: "internal_error"}
	}()
	return f(w, r)
}
