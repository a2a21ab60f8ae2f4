package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
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

// wrong is the error of a field.
func wrong(field, message string) *Error {
	return &Error{Message: field + ": " + message, Param: field, Code: "invalid_value"}
}

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
		return &Error{Message: err.Error(), Code: "invalid_value"}
	}
	return &Error{Status: http.StatusInternalServerError, Message: err.Error(), Code: "internal_error"}
}

func writeError(w http.ResponseWriter, e *Error) {
	if e.status() == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.After.Seconds())))))
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
