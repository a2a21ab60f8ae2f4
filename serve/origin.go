package serve

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// anyHost is the name in Options.Hosts that stands for all.
const anyHost = "*"

// reachable refuses names of hosts that anybody can point at this machine: a web page
// would reach the server under its own name, as if it were its own. IP addresses,
// localhost and the names given are taken.
func reachable(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), "."))
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" && !strings.HasSuffix(host, ".localhost") &&
			!slices.Contains(names, anyHost) && !slices.Contains(names, host) {
			writeError(w, &Error{Status: http.StatusForbidden, Message: "the Host header must be an IP address, localhost or a name that this server was told of (--host)", Code: "host_not_allowed"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// crossOrigin is what pages of other origins may do: nothing, but for those listed.
func crossOrigin(origins []string, next http.Handler) (http.Handler, error) {
	p := http.NewCrossOriginProtection()
	for _, o := range origins {
		if err := p.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("an origin is like https://example.com: %w", err)
		}
	}
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &Error{Status: http.StatusForbidden, Message: "pages of other origins may not send requests here (--cors-origin names those that may)", Code: "origin_not_allowed"})
	}))
	guarded := p.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if len(origins) > 0 {
			w.Header().Add("Vary", "Origin")
		}
		if origin == "" || !slices.Contains(origins, origin) {
			guarded.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
			h.Set("Access-Control-Allow-Headers", allowedHeaders(r.Header.Values("Access-Control-Request-Headers")))
			h.Add("Vary", "Access-Control-Request-Headers")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.Set("Access-Control-Expose-Headers", exposedHeaders)
		guarded.ServeHTTP(w, r)
	}), nil
}

// exposedHeaders are those of answers that pages of other origins may read.
const exposedHeaders = "Foundling-Seed, Foundling-Ignored, Foundling-Cache, Foundling-Max-Tokens, Retry-After, X-Request-Id, " +
	"X-Ratelimit-Limit-Requests, X-Ratelimit-Remaining-Requests, X-Ratelimit-Limit-Tokens, X-Ratelimit-Remaining-Tokens"

// Headers that pages of other origins may send: those that are read here, and those that
// OpenAI's clients add, by name or by how they begin.
var (
	usualHeaders = []string{"accept", "authorization", "content-type", "foundling-cache", "traceparent", "tracestate"}
	sentHeaders  = append([]string{"cache-control", "idempotency-key", "user-agent", "x-request-id", "x-requested-with"}, usualHeaders...)
	sentPrefixes = []string{"foundling-", "openai-", "x-stainless-"}
)

// allowedHeaders is those of the headers that a page asks for which it may send, the
// usual ones if it names none.
func allowedHeaders(asked []string) string {
	var out []string
	for _, name := range strings.Split(strings.ToLower(strings.Join(asked, ",")), ",") {
		name = strings.TrimSpace(name)
		if slices.Contains(sentHeaders, name) || slices.ContainsFunc(sentPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) && isToken(name) {
			out = append(out, name)
		}
	}
	if out == nil {
		out = usualHeaders
	}
	return strings.Join(out, ", ")
}

// isToken says that a name is one of a header's, in lower case.
func isToken(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
