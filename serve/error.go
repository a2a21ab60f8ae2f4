package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/model/cache"
)

// statusGone is what logs and meters say of requests whose client did not wait (nginx).
const statusGone = 499

// Error is an answer other than the one that was asked for, in OpenAI's shape.
type Error struct {
	Status  int // 0: 400
	Message string
	Param   string        // the field that is to blame; "": none
	Code    string        // "": none
	After   time.Duration // of a 429: when to come again
}

func (e *Error) Error() string { return e.Message }

func (e *Error) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// kind is OpenAI's type of an error.
func (e *Error) kind() string {
	switch s := e.status(); {
	case s == http.StatusTooManyRequests:
		return "rate_limit_error"
	case s >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}

// body is the JSON of an error.
func (e *Error) body() any {
	type fields struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	optional := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	return struct {
		Error fields `json:"error"`
	}{fields{e.Message, e.kind(), optional(e.Param), optional(e.Code)}}
}

// asError says what the client is told of an error of the engine; asked says that what
// it asked for is the likely cause.
func asError(err error, asked bool) *Error {
	var ours *Error
	var memory *cache.MemoryError
	var budget *grammar.BudgetError
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{Status: http.StatusServiceUnavailable, Message: "the server is shutting down", Code: "shutting_down"}
	case errors.As(err, &memory):
		return &Error{Message: err.Error(), Param: "max_tokens", Code: "out_of_memory"}
	case errors.As(err, &budget):
		return &Error{Message: err.Error(), Param: "max_tokens", Code: "max_tokens_too_low"}
	case asked:
		return ofOption(err)
	}
	return &Error{Status: http.StatusInternalServerError, Message: err.Error(), Code: "internal_error"}
}

// failed is asError for a request whose client may have gone.
func (s *Server) failed(ctx context.Context, err error, asked bool) *Error {
	if ctx.Err() != nil && s.ready.Load() {
		return &Error{Status: statusGone, Message: "the client has gone"}
	}
	return asError(err, asked)
}

func writeError(w http.ResponseWriter, e *Error) {
	h := w.Header()
	for _, name := range []string{"Foundling-Seed", "Foundling-Ignored", "Foundling-Max-Tokens"} {
		h.Del(name) // of the answer that is not there
	}
	if e.Code != "not_cached" {
		h.Del(cacheHeader)
	}
	switch challenge := `Bearer realm="foundling"`; {
	case e.Code == "missing_api_key":
		h.Set("WWW-Authenticate", challenge)
	case e.status() == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", challenge+`, error="invalid_token"`)
	case e.status() == http.StatusTooManyRequests:
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.After.Seconds())))))
	}
	writeJSON(w, e.status(), e.body())
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(marshal(v)) // whoever has gone is not told
}

// marshal is v as JSON, a newline at the end.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("serve: " + err.Error()) // answers are plain data
	}
	return b.Bytes()
}

// ofOption is an error of an option of the library, under the name of its field.
func ofOption(err error) *Error {
	field, text := optionOf(err), strings.TrimPrefix(err.Error(), "sampling: ")
	if field != "" {
		text = strings.TrimLeft(text[len(field):], " :,") // as long as the option's name
	}
	return wrong(field, text)
}

// optionOf is the field of an error that names an option of the library first: top-k, or
// stop regex. It is empty where there is none.
func optionOf(err error) (field string) {
	text := strings.NewReplacer("-", "_", " ", "_").Replace(strings.TrimPrefix(err.Error(), "sampling: "))
	for _, name := range []string{
		"top_k", "top_p", "typical_p", "repeat_penalty", "repeat_last_n", "dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n",
		"xtc_probability", "xtc_threshold", "dynatemp_range", "dynatemp_exponent", "mirostat", "mirostat_tau", "mirostat_eta", "samplers", "stop_regex",
	} {
		if rest, ok := strings.CutPrefix(text, name); ok && rest != "" && strings.ContainsAny(rest[:1], "_:,") && len(name) > len(field) {
			field = name
		}
	}
	return field
}
