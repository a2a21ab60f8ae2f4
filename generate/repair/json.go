package repair

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Options steer a repair. The zero value is the default.
type Options struct {
	// MaxBytes limits the input; 0 is 16 MiB.
	MaxBytes int
	// MaxDepth limits the nesting of what is repaired; 0 is 1000. Valid JSON
	// may be as deep as encoding/json reads (10,000).
	MaxDepth int
	// Schema guides the types of JSON and YAML, and decides whether the result
	// is right: what does not fit in the end is an error. Nil: no schema.
	Schema *jsonschema.Schema
	// Prefix says that the text is the beginning of a longer one, so white
	// space at the end of a string that was cut off stays.
	Prefix bool
}

// Result is a repaired text.
type Result struct {
	Text string `json:"text"`
	// Changes made Text of the input, in the order of the input.
	Changes []Change `json:"changes"`
	// Confidence in [0, 1]: see the package comment.
	Confidence float64 `json:"confidence"`
}

// Errors that a caller may tell apart.
var (
	ErrNothing = errors.New("there is no JSON or YAML in the text")
	ErrTooDeep = errors.New("brackets are nested too deep")
	ErrTooLong = errors.New("the text is too long")
	ErrSchema  = errors.New("the text does not fit the schema")
	// ErrHopeless is a text that was read and still is not valid.
	ErrHopeless = errors.New("the text cannot be repaired")
)

// lookahead is the budget of bytes looked ahead for each byte of input.
const lookahead = 64

func (o Options) maxBytes() int {
	if o.MaxBytes > 0 {
		return o.MaxBytes
	}
	return 16 << 20
}

func (o Options) maxDepth() int {
	if o.MaxDepth > 0 {
		return o.MaxDepth
	}
	return 1000
}

// JSON repairs a text that is nearly JSON. A result's text is always valid
// JSON, and fits the schema where one is given.
func JSON(input string, o Options) (Result, error) {
	if len(input) > o.maxBytes() {
		return Result{}, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLong, len(input), o.maxBytes())
	}
	var edits []edit
	text := input
	if !valid(input) {
		var err error
		if edits, err = repairText(input, o); err != nil {
			return Result{}, err
		}
		if text = apply(input, edits); !valid(text) {
			return Result{}, fmt.Errorf("%w: no reading of it is valid JSON", ErrHopeless)
		}
	}
	if o.Schema != nil {
		guided, err := guide(text, o.Schema)
		if err != nil {
			return Result{}, err
		}
		edits = compose(input, edits, guided)
		text = apply(input, edits)
	}
	list := changes(input, edits)
	return Result{Text: text, Changes: list, Confidence: confidence(list)}, nil
}

// valid JSON is UTF-8, too, which encoding/json does not ask.
func valid(text string) bool {
	return utf8.ValidString(text) && json.Valid([]byte(text))
}

// repairText finds the edits that make a text JSON.
func repairText(input string, o Options) ([]edit, error) {
	if strings.TrimSpace(strings.TrimPrefix(input, "\ufeff")) == "" {
		return nil, ErrNothing
	}
	first := ordered(append(encodingEdits(input), escapedEdits(input)...))
	text := apply(input, first)
	p := newParser(text, o)
	if err := p.documents(); err != nil {
		return nil, err
	}
	return compose(input, first, ordered(p.edits)), nil
}

// encodingEdits replace bytes that are not UTF-8 by U+FFFD.
func encodingEdits(in string) (edits []edit) {
	if utf8.ValidString(in) {
		return nil
	}
	for i := 0; i < len(in); {
		r, n := utf8.DecodeRuneInString(in[i:])
		if r == utf8.RuneError && n == 1 {
			edits = append(edits, edit{start: i, end: i + 1, after: "\ufffd", kind: Encoding})
		}
		i += n
	}
	return edits
}

// escapedEdits take one level of escapes from a text whose own quotes are
// escaped: {\"a\": 1}. The sign is a backslash before the first quote, with
// nothing but brackets and white space before it, or before every quote.
func escapedEdits(in string) (edits []edit) {
	quote := strings.IndexByte(in, '"')
	if quote < 1 || in[quote-1] != '\\' {
		return nil
	}
	before := in[max(strings.IndexAny(in[:quote], "{["), 0) : quote-1]
	before = strings.NewReplacer(`\n`, "", `\r`, "", `\t`, "").Replace(before)
	every := strings.Count(in, `"`) == strings.Count(in, `\"`) && !strings.ContainsAny(before, "'`“”‘’")
	if strings.Trim(before, " \t\r\n{[(") != "" && !every {
		return nil
	}
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			continue
		}
		after := ""
		if i+1 < len(in) {
			switch in[i+1] {
			case 'n':
				after = "\n"
			case 't':
				after = "\t"
			case 'r':
				after = "\r"
			case '"', '\\', '/':
			default:
				continue
			}
		}
		if after == "" {
			edits = append(edits, edit{start: i, end: i + 1, kind: Escaped})
		} else {
			edits = append(edits, edit{start: i, end: i + 2, after: after, kind: Escaped})
		}
		i++
	}
	return edits
}
