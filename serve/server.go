// Package serve is an HTTP server of models, with the interface of OpenAI: chat and
// text completions, whole or as they come, log-probabilities, output within schemas and
// grammars. Requests to one model are decoded in one batch, and each gets the text that
// the library gives for its seed, whatever runs beside it.
//
// The central type is Server: New makes one of opened models, Serve answers on a
// listener until a context ends. Fields and answers are those of OpenAI's API
// description (version 2.3.0), and what goes beyond it: fields.go. A field that is
// not known is an error; one that changes no text is named in the header
// Foundling-Ignored.
//
// Not here: keys and encryption (so it belongs on the loopback interface or behind a
// proxy that has them), opening models, flags (cmd/foundling).
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foundling-lm/foundling"
)

// Model is a model and the name by which requests ask for it.
type Model struct {
	Name string
	*foundling.Model
}

// Options say what is served and how much of it; the zero value of a limit is its
// default.
type Options struct {
	Models  []Model // the first answers requests that name none
	Version string  // of the program, for /version

	MaxBody     int64 // bytes of a request; 0: 4 MiB
	MaxMessages int   // of a conversation; 0: 1024
	MaxTexts    int   // that one request asks for; 0: 128
	MaxTokens   int   // new tokens of one text; 0: the model's context
	Queue       int   // texts of a model that are written or wait, more are told to come again; 0: 256

	Drain        time.Duration // what texts get to end in when the server stops; 0: 30 s
	WriteTimeout time.Duration // for a client to take what is written; 0: 30 s
	Log          *slog.Logger  // a line for each request, without its text; nil: none
}

// Server answers requests.
type Server struct {
	o        Options
	models   []*served
	created  int64 // seconds since 1970
	handler  http.Handler
	meters   *meters
	ready    atomic.Bool
	handling sync.WaitGroup
}

// served is a model at work.
type served struct {
	Model
	grammars grammars
	queue    queue
}

// New makes a server. The models stay open when it ends.
func New(o Options) (*Server, error) {
	if len(o.Models) == 0 {
		return nil, errors.New("a server needs a model at least")
	}
	for _, limit := range []int64{o.MaxBody, int64(o.MaxMessages), int64(o.MaxTexts), int64(o.MaxTokens), int64(o.Queue), int64(o.Drain), int64(o.WriteTimeout)} {
		if limit < 0 {
			return nil, fmt.Errorf("a limit of %d: it must be positive, or 0 for its default", limit)
		}
	}
	def(&o.MaxBody, 4<<20)
	def(&o.MaxMessages, 1024)
	def(&o.MaxTexts, 128)
	def(&o.Queue, 256)
	def(&o.Drain, 30*time.Second)
	def(&o.WriteTimeout, 30*time.Second)
	s := &Server{o: o, created: time.Now().Unix()}
	for _, m := range o.Models {
		if m.Name == "" {
			return nil, errors.New("a model has no name")
		}
		if m.Bundle.Tokenizer == nil {
			return nil, fmt.Errorf("the model %s has no tokenizer to read text with: %w", m.Name, m.Bundle.NoTokens)
		}
		if s.find(m.Name) != nil {
			return nil, fmt.Errorf("two models are named %q", m.Name)
		}
		s.models = append(s.models, &served{Model: m, queue: queue{limit: o.Queue}})
	}
	s.meters = newMeters(s)
	s.handler = s.routes()
	s.ready.Store(true)
	return s, nil
}

func def[N int | int64 | time.Duration](limit *N, value N) {
	if *limit == 0 {
		*limit = value
	}
}

// find is the model of a name, nil if there is none.
func (s *Server) find(name string) *served {
	for _, m := range s.models {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// model is the one that a request asks for.
func (s *Server) model(name string) (*served, error) {
	if name == "" {
		return s.models[0], nil
	}
	if m := s.find(name); m != nil {
		return m, nil
	}
	return nil, &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("the model %q is not served here: GET /v1/models lists those that are", name), Param: "model", Code: "model_not_found"}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /health", s.handle("/health", s.health))
	mux.Handle("GET /ready", s.handle("/ready", s.readiness))
	mux.Handle("GET /version", s.handle("/version", s.version))
	mux.Handle("GET /metrics", s.meters.handler())
	mux.Handle("GET /v1/models", s.handle("/v1/models", s.listModels))
	mux.Handle("GET /v1/models/{name...}", s.handle("/v1/models", s.oneModel))
	mux.Handle("POST /tokenize", s.handle("/tokenize", s.tokenize))
	mux.Handle("POST /detokenize", s.handle("/detokenize", s.detokenize))
	mux.Handle("POST /v1/completions", s.handle("/v1/completions", s.completions))
	mux.Handle("POST /v1/chat/completions", s.handle("/v1/chat/completions", s.chatCompletions))
	return http.NewCrossOriginProtection().Handler(local(unknownPaths(mux)))
}

// unknownPaths answers what no pattern matches in the shape of other errors.
func unknownPaths(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := r.Clone(r.Context())
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			probe.Method = method
			if _, pattern := mux.Handler(probe); pattern != "" {
				w.Header().Set("Allow", method)
				writeError(w, &Error{Status: http.StatusMethodNotAllowed, Message: fmt.Sprintf("%s takes %s", r.URL.Path, method)})
				return
			}
		}
		writeError(w, &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no %s here", r.URL.Path), Code: "unknown_url"})
	})
}

// local refuses names of hosts that anybody can point at this machine: a web page
// would reach the server under its own name, as if it were its own.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" && !strings.HasSuffix(host, ".localhost") {
			writeError(w, &Error{Status: http.StatusForbidden, Message: "the Host header must be an IP address or localhost", Code: "host_not_allowed"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers on l until ctx ends. Then no new requests are taken; texts that are
// being written get Options.Drain to end in. No request is being handled when it
// returns.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	h := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	select {
	case err := <-ended:
		cancel()
		s.handling.Wait()
		return err
	case <-ctx.Done():
	}
	s.ready.Store(false)
	drain, stop := context.WithTimeout(base, s.o.Drain)
	defer stop()
	err := h.Shutdown(drain)
	cancel() // ends what is still being written
	s.handling.Wait()
	h.Close()
	<-ended
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("some texts did not end within %v and were cut", s.o.Drain)
	}
	return err
}
