package serve

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/foundling-lm/foundling"
)

// Opener opens models while a server is at work. All models of a server that has one are
// the server's: it closes them when the last request that could use them has ended.
type Opener interface {
	// Open opens the model of a name from path; "": from where it was served before. An
	// *Error is told to whoever asks.
	Open(name, path string) (*foundling.Model, error)
	// Adapter is Open for an adapter of base, whose name is MODEL:ADAPTER.
	Adapter(base *foundling.Model, name, path string) (*foundling.Model, error)
	// Serves says that what was opened last under a name is served: "" is its path from
	// then on. What is opened and cannot be served is closed, and this is not called.
	Serves(name string)
}

// swapRequest is the body of /v1/models/load and /v1/models/unload.
type swapRequest struct {
	Model string `json:"model"`
	Path  string `json:"path"`
}

// load is POST /v1/models/load: a model or an adapter (MODEL:ADAPTER) is served, in the
// place of the one that had its name.
func (s *Server) load(w *reply, r *http.Request) error {
	q, err := s.swapping(w, r)
	if err != nil {
		return err
	}
	m, err := s.open(q.Model, q.Path)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.info(m))
	return nil
}

// unload is POST /v1/models/unload: a model is served no longer, nor are its adapters.
func (s *Server) unload(w *reply, r *http.Request) error {
	q, err := s.swapping(w, r)
	if err != nil {
		return err
	}
	if q.Path != "" {
		return wrong("path", "it is for loading")
	}
	s.swap.Lock()
	defer s.swap.Unlock()
	gone, err := s.model(q.Model)
	if err != nil {
		return err
	}
	all := s.models.list()
	rest := slices.DeleteFunc(slices.Clone(all), func(m *served) bool { return m == gone || m.base == gone })
	if len(rest) == 0 {
		return &Error{Status: http.StatusConflict, Message: "it is the only model: load another before", Param: "model", Code: "last_model"}
	}
	s.change(rest)
	writeJSON(w, http.StatusOK, map[string]any{"id": q.Model, "object": "model", "deleted": true})
	return nil
}

// swapping reads the body of a request to change what is served.
func (s *Server) swapping(w *reply, r *http.Request) (q swapRequest, err error) {
	switch {
	case !callerOf(r.Context()).Admin:
		return q, &Error{Status: http.StatusForbidden, Message: "the API key may not change what is served", Code: "insufficient_scope"}
	case s.o.Opener == nil:
		return q, &Error{Status: http.StatusNotFound, Message: "this server's models do not change", Code: "no_opener"}
	}
	if err := s.decode(w, r, &q); err != nil {
		return q, err
	}
	if q.Model == "" {
		return q, wrong("model", "the name is missing")
	}
	return q, nil
}

// open serves a model under a name, in the place of what had it.
func (s *Server) open(name, path string) (*served, error) {
	s.swap.Lock()
	defer s.swap.Unlock()
	all, old := s.models.list(), s.models.find(name)
	at := len(all)
	if old != nil {
		at = slices.Index(all, old)
	}
	others := slices.DeleteFunc(slices.Clone(all), func(m *served) bool { return m == old || old != nil && m.base == old })
	at = min(at, len(others))
	next, err := s.opened(name, path, old, others)
	if err != nil {
		return nil, asError(err, true)
	}
	for _, m := range next {
		s.o.Opener.Serves(m.Name)
	}
	s.change(slices.Insert(others, at, next...))
	return next[0], nil
}

// opened is the model of a name and, where it comes in the place of old, its adapters.
// With an error none is open.
func (s *Server) opened(name, path string, old *served, others []*served) (all []*served, err error) {
	defer func() {
		if err != nil {
			for _, m := range slices.Backward(all) {
				m.Close()
			}
		}
	}()
	add := func(name string, m *foundling.Model, err error) error {
		if err != nil {
			return err
		}
		beside := slices.Concat(others, all)
		all = append(all, s.serving(Model{name, m}, beside))
		if err := admissible(Model{name, m}, beside); err != nil {
			return &Error{Message: err.Error(), Param: "model", Code: "invalid_value"}
		}
		return nil
	}
	if base := baseOf(name, old, others); base != nil {
		m, err := s.o.Opener.Adapter(base.Model.Model, name, path)
		return all, add(name, m, err)
	}
	m, err := s.o.Opener.Open(name, path)
	if err := add(name, m, err); err != nil || old == nil {
		return all, err
	}
	for _, adapter := range s.models.list() {
		if adapter.base != old {
			continue
		}
		with, err := s.o.Opener.Adapter(m, adapter.Name, "")
		if err := add(adapter.Name, with, err); err != nil {
			return all, err
		}
	}
	return all, nil
}

// baseOf is the model that the adapter of a name is of, nil where it is a model's name.
func baseOf(name string, old *served, others []*served) *served {
	if old != nil {
		return old.base
	}
	for _, m := range others {
		if m.base == nil && strings.HasPrefix(name, m.Name+colon) {
			return m
		}
	}
	return nil
}

// Reload opens all models again, each from where it was opened last, and serves them in
// the place of those that are served. The first error ends it; what was opened until
// then is served.
func (s *Server) Reload() error {
	for _, m := range s.models.list() {
		if m.base != nil {
			continue // with its model
		}
		if _, err := s.open(m.Name, ""); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return nil
}

// change serves all from now on. What is served no longer is closed once the requests
// have ended that may have found it.
func (s *Server) change(all []*served) {
	var gone []*served
	for _, m := range s.models.list() {
		if !slices.Contains(all, m) {
			gone = append(gone, m)
		}
	}
	s.models.set(all)
	ended := s.eras.next()
	s.closing.Go(func() {
		for _, c := range ended {
			<-c
		}
		for _, m := range slices.Backward(gone) { // adapters before their models
			m.Close()
			if s.o.Log != nil {
				s.o.Log.Info("closed", "model", m.Name)
			}
		}
	})
}

// Close closes the models of a server with an Opener, once Serve has returned.
func (s *Server) Close() {
	if s.o.Opener == nil {
		return
	}
	s.closing.Wait()
	for _, m := range slices.Backward(s.models.list()) {
		m.Close()
	}
}

// eras tell requests that began before a change from those that began after it.
type eras struct {
	mu  sync.Mutex
	now *era
	old []*era // some of whose requests have not ended
}

// era is the requests between two changes.
type era struct {
	requests int
	past     bool
	ended    chan struct{}
}

// enter counts a request in, until leave.
func (x *eras) enter() (leave func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.now == nil {
		x.now = &era{ended: make(chan struct{})}
	}
	e := x.now
	e.requests++
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if e.requests--; e.past && e.requests == 0 {
			close(e.ended)
			x.old = slices.DeleteFunc(x.old, func(o *era) bool { return o == e })
		}
	}
}

// next begins an era. What it returns are closed once all requests that began before
// have ended.
func (x *eras) next() (ended []<-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.now; e != nil && e.requests > 0 {
		e.past = true
		x.old = append(x.old, e)
	}
	x.now = nil
	for _, e := range x.old {
		ended = append(ended, e.ended)
	}
	return ended
}
