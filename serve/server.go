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
// Not here: what API keys are (serve/keys), opening models, flags (cmd/foundling).
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/foundling-lm/foundling/serve/keys"
	"github.com/foundling-lm/foundling/serve/store"
	"github.com/foundling-lm/foundling/serve/web"
)

// Options say what is served and how much of it; the zero value of a limit is its
// default.
type Options struct {
	Models  []Model // the first answers requests that name none
	Version string  // of the program, for /version
	NoPage  bool    // nothing at /: only programs are answered

	Runs *os.Root // folder of run directories that are shown; nil: none

	MaxBody     int64 // bytes of a request; 0: 4 MiB
	MaxMessages int   // of a conversation; 0: 1024
	MaxTexts    int   // that one request asks for; 0: 128
	MaxTokens   int   // new tokens of one text; 0: the model's context
	Queue       int   // texts of a model that are written or wait, more are told to come again; 0: 256

	Timeout time.Duration // for the texts of a request, which end as far as they are; 0: as long as it takes
	Opener  Opener        // of models that come later; nil: what is served stays

	// Store keeps votes and what is known of users; nil: nothing is kept. It stays open when the server ends.
	Store   *store.Store
	Caching Caching

	Keys    *keys.Ring  // who may send requests; nil: everybody who reaches the server, who may do all
	TLS     *tls.Config // of Certificates; nil: no encryption
	Hosts   []string    // names by which the server may be called, besides IP addresses and localhost; "*": all
	Origins []string    // of web pages that may send requests, besides the server's own: https://example.com

	Drain        time.Duration        // what texts get to end in when the server stops; 0: 30 s
	WriteTimeout time.Duration        // for a client to take what is written; 0: 30 s
	Log          *slog.Logger         // a line for each request, without its text; nil: none
	LogText      bool                 // log what was sent and answered, too
	Traces       trace.TracerProvider // a span for each request, and for its parts; nil: none
}

// Server answers requests.
type Server struct {
	o        Options
	models   models
	swap     sync.Mutex // of what is served; one at a time
	eras     eras
	closing  sync.WaitGroup // of models that are served no longer
	handler  http.Handler
	meters   *meters
	ready    atomic.Bool
	handling sync.WaitGroup
}

// New makes a server. The models stay open when it ends.
func New(o Options) (*Server, error) {
	if len(o.Models) == 0 {
		return nil, errors.New("a server needs a model at least")
	}
	for _, limit := range []int64{o.MaxBody, int64(o.MaxMessages), int64(o.MaxTexts), int64(o.MaxTokens), int64(o.Queue), int64(o.Timeout), int64(o.Drain), int64(o.WriteTimeout), int64(o.Caching.Patience)} {
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
	def(&o.Caching.Patience, 2*time.Second)
	s := &Server{o: o}
	for _, m := range o.Models {
		if err := admissible(m, s.models.all); err != nil {
			return nil, err
		}
		s.models.all = append(s.models.all, s.serving(m, s.models.all))
	}
	s.meters = newMeters(s)
	var err error
	if s.handler, err = s.routes(); err != nil {
		return nil, err
	}
	s.ready.Store(true)
	return s, nil
}

func def[N int | int64 | time.Duration](limit *N, value N) {
	if *limit == 0 {
		*limit = value
	}
}

// pagePath is the page, and its files in meters.
const pagePath = "/"

func (s *Server) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("GET /health", s.handle("/health", s.health))
	mux.Handle("GET /ready", s.handle("/ready", s.readiness))
	mux.Handle("GET /version", s.handle("/version", s.version))
	mux.Handle("GET /metrics", s.handle("/metrics", s.meters.show))
	mux.Handle("GET /v1/models", s.handle("/v1/models", s.listModels))
	mux.Handle("POST /v1/models/load", s.handle("/v1/models/load", s.load))
	mux.Handle("POST /v1/models/unload", s.handle("/v1/models/unload", s.unload))
	mux.Handle("GET /v1/models/{name...}", s.handle("/v1/models", s.oneModel))
	mux.Handle("POST /tokenize", s.handle("/tokenize", s.tokenize))
	mux.Handle("POST /detokenize", s.handle("/detokenize", s.detokenize))
	mux.Handle("POST /v1/embeddings", s.handle("/v1/embeddings", s.embed))
	mux.Handle("POST /v1/score", s.handle("/v1/score", s.score))
	mux.Handle("POST /v1/classify", s.handle("/v1/classify", s.classify))
	mux.Handle("POST /v1/rerank", s.handle("/v1/rerank", s.rerank))
	mux.Handle("POST /v1/explain", s.handle("/v1/explain", s.explain))
	mux.Handle("POST /v1/completions", s.handle("/v1/completions", s.completions))
	mux.Handle("POST /v1/responses", s.handle("/v1/responses", s.responses))
	mux.Handle("POST /v1/chat/completions", s.handle("/v1/chat/completions", s.chatCompletions))
	mux.Handle("GET /v1/runs", s.handle("/v1/runs", s.listRuns))
	mux.Handle("GET /v1/runs/{name...}", s.handle("/v1/runs", s.oneRun, "log", "since", "points"))
	mux.Handle("POST /v1/mask", s.handle("/v1/mask", s.mask))
	mux.Handle("POST /v1/attention", s.handle("/v1/attention", s.attention))
	mux.Handle("POST /v1/memory", s.handle("/v1/memory", s.addFact))
	mux.Handle("GET /v1/memory", s.handle("/v1/memory", s.listFacts, "user"))
	mux.Handle("DELETE /v1/memory", s.handle("/v1/memory", s.deleteFacts, "user"))
	mux.Handle("DELETE /v1/memory/{id}", s.handle("/v1/memory", s.deleteFact))
	mux.Handle("DELETE /v1/cache", s.handle("/v1/cache", s.forget, "of"))
	mux.Handle("POST /v1/votes", s.handle("/v1/votes", s.vote))
	mux.Handle("GET /v1/votes", s.handle("/v1/votes", s.listVotes, "limit", "after"))
	mux.Handle("GET /v1/votes/export", s.handle("/v1/votes/export", s.exportVotes))
	mux.Handle("PUT /v1/votes/{id}", s.handle("/v1/votes/{id}", s.vote))
	mux.Handle("DELETE /v1/votes/{id}", s.handle("/v1/votes/{id}", s.deleteVote))
	if !s.o.NoPage {
		page := web.Handler()
		show := s.handle(pagePath, func(w *reply, r *http.Request) error { page.ServeHTTP(w, r); return nil }, anyQuery)
		mux.Handle("GET /{$}", show)
		mux.Handle("GET /page/", show)
	}
	h, err := crossOrigin(s.o.Origins, unknownPaths(mux))
	return reachable(s.o.Hosts, h), err
}

// unknownPaths answers what no pattern matches in the shape of other errors.
func unknownPaths(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := r.Clone(r.Context())
		var takes []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
			probe.Method = method
			if _, pattern := mux.Handler(probe); pattern != "" {
				takes = append(takes, method)
			}
		}
		if allow := strings.Join(takes, ", "); allow != "" {
			w.Header().Set("Allow", allow)
			writeError(w, &Error{Status: http.StatusMethodNotAllowed, Message: fmt.Sprintf("%s takes %s, not %s", r.URL.Path, allow, r.Method), Code: "method_not_allowed"})
			return
		}
		writeError(w, &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no %s here", r.URL.Path), Code: "unknown_url"})
	})
}

// Serve answers on l until ctx ends. Then no new requests are taken; texts that are
// being written get Options.Drain to end in. No request is being handled when it
// returns.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	h := &http.Server{
		Handler: s, TLSConfig: s.o.TLS, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	ended := make(chan error, 1)
	go func() {
		if s.o.TLS != nil {
			ended <- h.ServeTLS(l, "", "")
			return
		}
		ended <- h.Serve(l)
	}()
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
