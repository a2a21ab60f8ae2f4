package serve

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/serve/keys"
)

// scopeOf is what a key must allow for a path, "" for a path that needs no key. What is
// not named here needs keys.Infer.
func scopeOf(path string) keys.Scope {
	within := func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") }
	switch {
	case path == "/health", path == "/ready", path == "/": // of probes and of browsers, which have no key
		return ""
	case path == "/metrics":
		return keys.Metrics
	case within("/v1/memory"):
		return keys.Memory
	case within("/v1/models/load"), within("/v1/models/unload"), within("/v1/runs"):
		return keys.Admin
	}
	return keys.Infer
}

// admit lets a request in: it finds out whose it is, whether the key allows it and is
// within its limits. Leave is called with the tokens that it took.
func (s *Server) admit(w *reply, r *http.Request, path string) (_ *http.Request, leave func(tokens int), err error) {
	none := func(int) {}
	if s.o.Keys == nil {
		return r, none, nil
	}
	scope := scopeOf(path)
	if scope == "" {
		return r.WithContext(withCaller(r.Context(), Caller{})), none, nil
	}
	secret, err := bearer(r)
	if err != nil {
		return r, none, err
	}
	key, err := s.o.Keys.Find(secret)
	if err != nil {
		return r, none, &Error{Status: http.StatusUnauthorized, Message: err.Error(), Code: "invalid_api_key"}
	}
	w.caller, w.key = key.Name, key.ID
	if !key.Allows(scope) {
		return r, none, &Error{Status: http.StatusForbidden, Message: "the API key lacks the scope " + string(scope), Code: "insufficient_scope"}
	}
	now := time.Now()
	leave, err = key.Enter(now)
	told(w.Header(), key, now)
	var limit *keys.LimitError
	if errors.As(err, &limit) {
		return r, none, &Error{Status: http.StatusTooManyRequests, Message: limit.Error(), Code: "rate_limit_exceeded", After: limit.After}
	}
	c := Caller{Name: key.Name, Admin: key.Allows(keys.Admin), scopes: key.Scopes}
	return r.WithContext(withCaller(r.Context(), c)), leave, nil
}

// told says what a key may still take, as OpenAI does.
func told(h http.Header, key *keys.Holder, now time.Time) {
	left := key.Left(now)
	for _, l := range []struct {
		what        string
		limit, left int
	}{{"Requests", key.Requests, left.Requests}, {"Tokens", key.Tokens, left.Tokens}} {
		if l.limit > 0 {
			h.Set("X-Ratelimit-Limit-"+l.what, strconv.Itoa(l.limit))
			h.Set("X-Ratelimit-Remaining-"+l.what, strconv.Itoa(l.left))
		}
	}
}

// bearer is the secret that a request carries.
func bearer(r *http.Request) (string, error) {
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		return "", &Error{Status: http.StatusUnauthorized, Message: "an API key is needed: send the header Authorization: Bearer KEY", Code: "missing_api_key"}
	}
	scheme, secret, ok := strings.Cut(given[0], " ")
	if len(given) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return "", &Error{Status: http.StatusUnauthorized, Message: "the header Authorization must be there once, as Bearer KEY", Code: "invalid_api_key"}
	}
	return secret, nil
}
