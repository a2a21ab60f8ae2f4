package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/serve/store"
)

// Cache keeps answers for requests that come again: store.Answers, store.Valkey. Owners
// see their own alone.
type Cache interface {
	Find(ctx context.Context, owner string, key store.Key) (*store.Answer, error)
	Near(ctx context.Context, owner string, scope store.Key, vector []float32, least float64) (*store.Answer, float64, error)
	Keep(ctx context.Context, a *store.Answer) error
	Forget(ctx context.Context, owner *string) (int64, error)
}

// Caching says which answers are given again.
type Caching struct {
	Cache Cache         // nil: none are
	TTL   time.Duration // for how long; 0: as long as there is room
	// Likeness is how alike two questions must be for the answer of one to be given to
	// the other: the cosine between their hidden states, less the usual ones. 0: the
	// same request alone has the same answer.
	Likeness float64
	Patience time.Duration // that an answer has with the cache, which may be another machine; 0: 2 s
}

// cacheField is the field cache of a request: "off", "always", which keeps answers that
// chance has a part in too, or an object.
type cacheField struct {
	Mode     string   `json:"mode"`     // "": answers that nothing is drawn for, or with a seed
	TTL      *float64 `json:"ttl"`      // seconds; nil: the server's
	Likeness *float64 `json:"likeness"` // nil: the server's
}

// UnmarshalJSON reads a mode or an object.
func (c *cacheField) UnmarshalJSON(data []byte) error {
	type object cacheField
	return nameOr(data, &c.Mode, (*object)(c))
}

func (c *cacheField) check() error {
	switch {
	case c == nil:
		return nil
	case c.Mode != "" && c.Mode != cacheAlways && c.Mode != cacheOff:
		return wrong("cache", fmt.Sprintf("%q is none of always, off", c.Mode))
	case c.TTL != nil && !(*c.TTL > 0 && *c.TTL <= maxTTL):
		return wrong("cache.ttl", fmt.Sprintf("%v lies outside 0 to %v seconds", *c.TTL, float64(maxTTL)))
	case c.Likeness != nil && !(*c.Likeness >= 0 && *c.Likeness <= 1):
		return wrong("cache.likeness", fmt.Sprintf("%v lies outside 0 to 1", *c.Likeness))
	}
	return nil
}

const (
	cacheAlways = "always"
	cacheOff    = "off"
	maxTTL      = 10 * 365 * 24 * 3600 // seconds

	// cacheHeader of a request is one of those below; of an answer it says where that
	// comes from.
	cacheHeader  = "Foundling-Cache"
	cacheBypass  = "bypass"  // do not look, do not keep
	cacheRefresh = "refresh" // do not look
	cacheOnly    = "only"    // write nothing
)

// recollection is where the answer of a request may lie, and what was found there.
type recollection struct {
	answer store.Answer // to be kept, as far as it is known
	found  []*text
}

// recall looks whether a request was answered before, and says so in a header.
func (s *Server) recall(w *reply, r *http.Request, j *job) error {
	how := r.Header.Get(cacheHeader)
	if !slices.Contains([]string{"", cacheBypass, cacheRefresh, cacheOnly}, how) {
		return wrong(cacheHeader, fmt.Sprintf("the header is %q: it may be bypass, refresh or only", how))
	}
	if err := j.fields.Cache.check(); err != nil {
		return err
	}
	result, age := cacheBypass, ""
	if s.o.Caching.Cache != nil && how != cacheBypass {
		var err error
		if result, age, err = s.look(r.Context(), w, j, how); err != nil {
			var full *Error
			if errors.As(err, &full) && full.Status == http.StatusTooManyRequests {
				return full
			}
			if s.o.Log != nil {
				s.o.Log.Warn("cache", "id", w.id, "error", err)
			}
			result = "error" // and is answered as if there were no cache
		}
	}
	if s.o.Caching.Cache != nil || how != "" {
		s.meters.recalls.WithLabelValues(j.model.Name, result).Inc()
		w.Header().Set(cacheHeader, result+age)
	}
	if how == cacheOnly && !j.found() {
		return &Error{Status: http.StatusNotFound, Message: "there is no answer to this request in the cache", Code: "not_cached"}
	}
	return nil
}

// look is recall where there is a cache. It leaves in the job what was found, or where
// the answer is to be kept.
func (s *Server) look(ctx context.Context, w *reply, j *job, how string) (result, age string, err error) {
	c, f := s.o.Caching, j.fields.Cache
	if f == nil {
		f = &cacheField{}
	}
	drawn := slices.ContainsFunc(j.requests, func(r generate.Request) bool { return r.Sample.Temperature != 0 })
	if f.Mode == cacheOff || drawn && j.fields.Seed == nil && f.Mode != cacheAlways || len(j.facts) > 0 || j.fields.onlyPrompt {
		return cacheBypass, "", nil
	}
	ctx, stop := context.WithTimeout(ctx, c.Patience)
	defer stop()
	m := &recollection{answer: store.Answer{Owner: callerOf(ctx).Name, TTL: c.TTL}}
	if f.TTL != nil {
		m.answer.TTL = time.Duration(*f.TTL * float64(time.Second))
	}
	if m.answer.Key, err = j.key(); err != nil {
		return "", "", err
	}
	j.recollection = m
	if how != cacheRefresh {
		a, err := c.Cache.Find(ctx, m.answer.Owner, m.answer.Key)
		if err != nil {
			return "", "", err
		}
		if m.open(a, j) {
			return "hit", aged(a), nil
		}
	}
	least := c.Likeness
	if f.Likeness != nil {
		least = *f.Likeness
	}
	if least > 0 {
		if err := j.place.hold(1); err != nil { // the model reads the question
			return "", "", err
		}
		if err := s.locate(ctx, &m.answer, w.asked, j); err != nil {
			return "", "", err
		}
	}
	if m.answer.Vector == nil || how == cacheRefresh {
		return missed(how), "", nil
	}
	a, likeness, err := c.Cache.Near(ctx, m.answer.Owner, m.answer.Scope, m.answer.Vector, least)
	if err != nil {
		return "", "", err
	}
	if m.open(a, j) {
		return "semantic", fmt.Sprintf("; likeness=%.4f", likeness) + aged(a), nil
	}
	return missed(how), "", nil
}

func missed(how string) string {
	if how == cacheRefresh {
		return cacheRefresh
	}
	return "miss"
}

// aged is how old an answer is.
func aged(a *store.Answer) string {
	return "; age=" + strconv.FormatInt(max(0, int64(time.Since(a.Made).Seconds())), 10)
}

// neutral are the fields that no text depends on, and those that the requests for texts
// hold in a better form.
var neutral = append([]string{"model", "messages", "prompt", "input", "stream", "stream_options", "seed", "n", "cache", "memory", "timeout"}, ignoredNames()...)

// ignoredNames are the names of the fields of ignored.
func ignoredNames() (names []string) {
	for f := range reflect.TypeFor[ignored]().Fields() {
		names = append(names, f.Tag.Get("json"))
	}
	return names
}

// key is a hash of all that the texts depend on: their requests, and what the constraint
// in these is made of.
func (j *job) key() (k store.Key, err error) {
	b, err := canonicalRequests(j.requests, j.fields.Seed != nil, true)
	if err != nil {
		return k, err
	}
	source, _, err := j.fields.format()
	if err != nil {
		return k, err
	}
	format, err := canonicalFormat(source)
	if err != nil {
		return k, err
	}
	begin, err := canonical(nil, reflect.ValueOf(j.fields.PrefixIDs))
	return j.hash("key", b, format, begin), err
}

// scope is a hash of all that the texts depend on besides the question; rest is what is
// around it.
func (j *job) scope(body, rest []byte) (k store.Key, err error) {
	b, err := canonicalRequests(j.requests, j.fields.Seed != nil, false)
	if err != nil {
		return k, err
	}
	others, err := canonicalBody(body, neutral...)
	return j.hash("scope", b, others, rest), err
}

func (j *job) hash(kind string, parts ...[]byte) store.Key {
	h := sha256.New()
	fmt.Fprintf(h, "%s 1;%x;", kind, j.model.print())
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write(p)
	}
	return store.Key(h.Sum(nil))
}

// found says that the texts are there already.
func (j *job) found() bool { return j.recollection != nil && j.recollection.found != nil }

// remember keeps the texts of a request where they are to be found again.
func (s *Server) remember(ctx context.Context, j *job, m *recollection, texts []*text) {
	for _, t := range texts {
		if t.Finish == generate.FinishTime || t.Finish == generate.FinishCaller {
			return // it would be longer another time
		}
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), s.o.Caching.Patience)
	defer stop()
	var err error
	if m.answer.Body, err = packTexts(j.options.Sample.Seed, texts); err == nil {
		err = s.o.Caching.Cache.Keep(ctx, &m.answer)
	}
	if err != nil && s.o.Log != nil {
		s.o.Log.Warn("cache", "error", err)
	}
}

// open reads an answer that was found.
func (m *recollection) open(a *store.Answer, j *job) bool {
	if a == nil {
		return false
	}
	seed, texts, err := unpackTexts(a.Body)
	if err != nil || len(texts) != len(j.requests) {
		return false // of another version of the program
	}
	j.options.Sample.Seed, m.found = seed, texts
	return true
}

// replay gives texts that were found as the engine gives those it writes.
func (m *recollection) replay(yield func(i int, p generate.Piece) bool) ([]*text, error) {
	for i, t := range m.found {
		for _, p := range t.pieces {
			p.Chosen = time.Now()
			if yield != nil && !yield(i, p) {
				return m.found, &Error{Status: statusGone, Message: "the client has gone"}
			}
		}
	}
	return m.found, nil
}

// forget is DELETE /v1/cache: the caller's answers, or with ?of=all everybody's.
func (s *Server) forget(w *reply, r *http.Request) error {
	if s.o.Caching.Cache == nil {
		return &Error{Status: http.StatusNotFound, Message: "this server keeps no answers", Code: "no_cache"}
	}
	c := callerOf(r.Context())
	owner := &c.Name
	switch of := r.URL.Query().Get("of"); {
	case of == "all" && !c.Admin:
		return &Error{Status: http.StatusForbidden, Message: "the answers of others are forgotten by those with the scope admin", Code: "insufficient_scope"}
	case of == "all":
		owner = nil
	case of != "":
		return wrong("of", fmt.Sprintf("%q is not all", of))
	}
	n, err := s.o.Caching.Cache.Forget(r.Context(), owner)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "cache.deleted", "deleted": n})
	return nil
}
