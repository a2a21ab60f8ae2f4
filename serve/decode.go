package serve

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// readTimeout is how long a client may take to send a body.
const readTimeout = time.Minute

// decode reads a request's body, which must be JSON of exactly the fields of into. The
// error names the field.
func (s *Server) decode(w http.ResponseWriter, r *http.Request, into any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &Error{Status: http.StatusUnsupportedMediaType, Message: "the body must be JSON: send the header Content-Type: application/json"}
	}
	c := http.NewResponseController(w)
	if c.SetReadDeadline(time.Now().Add(readTimeout)) == nil {
		defer c.SetReadDeadline(time.Time{}) // an answer may take longer
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.o.MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes", s.o.MaxBody)}
	case err != nil:
		return &Error{Status: http.StatusBadRequest, Message: "the body cannot be read: " + err.Error()}
	}
	return unmarshal(body, into)
}

func unmarshal(body []byte, into any) error {
	err := json.Unmarshal(body, into, json.RejectUnknownMembers(true))
	var meaning *json.SemanticError
	var ours *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &meaning):
		at := param(meaning.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			return &Error{Message: fmt.Sprintf("unknown parameter: %q", at), Param: at, Code: "unknown_parameter"}
		}
		return &Error{Message: fmt.Sprintf("%s has the wrong type: %s", orBody(at), wrongType(meaning)), Param: at, Code: "invalid_type"}
	}
	return &Error{Message: "the body is not valid JSON: " + plain(err), Code: "invalid_json"}
}

// wrongType says what was there and what belongs there.
func wrongType(e *json.SemanticError) string {
	got := map[jsontext.Kind]string{'n': "null", 't': "a boolean", 'f': "a boolean", '"': "a string", '0': "a number", '{': "an object", '[': "a list"}[e.JSONKind]
	switch {
	case got == "" || e.GoType == nil:
		return plain(e)
	case e.Err != nil:
		return fmt.Sprintf("%s that does not fit (%v)", got, e.Err)
	}
	return fmt.Sprintf("it is %s", got)
}

// plain is an error without the name of the JSON package.
func plain(err error) string {
	text := err.Error()
	for _, prefix := range []string{"jsontext: ", "json: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

func orBody(at string) string {
	if at == "" {
		return "the body"
	}
	return at
}

// param is a JSON pointer as OpenAI writes places: messages[0].content.
func param(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "" && b.Len() > 0:
			fmt.Fprintf(&b, "[%s]", token)
		case b.Len() > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
	}
	return b.String()
}
