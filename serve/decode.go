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
		return &Error{Status: http.StatusUnsupportedMediaType, Message: "the body must be JSON: send the header Content-Type: application/json", Code: "unsupported_media_type"}
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return &Error{Status: http.StatusUnsupportedMediaType, Message: fmt.Sprintf("the header Content-Encoding is %q: send the body as it is", e), Code: "unsupported_media_type"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.o.MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes", s.o.MaxBody), Code: "body_too_large"}
	case err != nil:
		return &Error{Status: http.StatusBadRequest, Message: "the body cannot be read: " + err.Error(), Code: "invalid_body"}
	}
	http.NewResponseController(w).SetReadDeadline(time.Time{}) // an answer may take longer
	if w, ok := w.(*reply); ok {
		w.asked = body
	}
	if depth(body) > maxDepth {
		return &Error{Message: fmt.Sprintf("the body is nested more than %d deep", maxDepth), Code: "invalid_json"}
	}
	if err := unmarshal(body, into); err != nil {
		if e, ok := err.(*Error); ok && e.Param == "" {
			e.Message = "the body: " + e.Message
		}
		return err
	}
	return nil
}

// maxDepth bounds how deep JSON is nested: what it means is often told by recursion.
const maxDepth = 256

// depth is how deep the brackets of a JSON text are nested.
func depth(body []byte) (most int) {
	now, inside := 0, false // inside a string
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '[' || c == '{':
			now++
			most = max(most, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return most
}

// unmarshal reads JSON of exactly the fields of into, which may be a part of a body. The
// error names the field from there on.
func unmarshal(data []byte, into any) error {
	err := json.Unmarshal(data, into, json.RejectUnknownMembers(true))
	var meaning *json.SemanticError
	var ours *Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &meaning):
		return &Error{Message: "not valid JSON: " + plain(err), Code: "invalid_json"}
	}
	at := param(meaning.JSONPointer, jsontext.Value(data).Kind())
	switch {
	case errors.As(err, &ours):
		return ours.under(at)
	case errors.Is(err, json.ErrUnknownName):
		return unknown(at, meaning.JSONPointer.LastToken(), fieldNames(meaning.GoType))
	case meaning.GoType == nil || meaning.JSONKind == 0:
		return (&Error{Message: plain(err), Code: "invalid_type"}).under(at)
	}
	what := typeWords(meaning.GoType)
	if number := string(meaning.JSONValue); meaning.JSONKind == '0' && meaning.Err != nil && len(number) <= maxNumber {
		text := fmt.Sprintf("%s of %d bits is needed, not %s", what, meaning.GoType.Bits(), number)
		return (&Error{Message: text, Code: "invalid_type"}).under(at)
	}
	return needed(at, what, meaning.JSONKind)
}

// maxNumber is the longest number that an error repeats.
const maxNumber = 40

// part reads the part of a body that lies at field.
func part(field string, data []byte, into any) error { return under(field, unmarshal(data, into)) }

// oneOrMore reads a string or a list of them; null is none.
func oneOrMore(data []byte) ([]string, error) {
	var list []string
	switch kind := jsontext.Value(data).Kind(); kind {
	case '[', 'n':
		return list, unmarshal(data, &list)
	case '"':
		list = make([]string, 1)
		return list, unmarshal(data, &list[0])
	default:
		return nil, needed("", "a string or a list of strings", kind)
	}
}

// nameOr reads what is a name or an object.
func nameOr[S ~string](data []byte, name *S, object any) error {
	switch kind := jsontext.Value(data).Kind(); kind {
	case '"':
		return unmarshal(data, name)
	case '{':
		return unmarshal(data, object)
	default:
		return needed("", "a string or an object", kind)
	}
}

// plain is an error without the name of the JSON package.
func plain(err error) string {
	text := err.Error()
	for _, prefix := range []string{"jsontext: ", "json: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}
