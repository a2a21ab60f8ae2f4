package repair

import (
	"encoding/json"
	"strings"
)

// node is a value of valid JSON with the bytes it stands on.
type node struct {
	start, end int
	kind       string // a type of JSON Schema; whole numbers are "integer"
	text       string // of a string, decoded
	members    []member
	items      []node
}

// member is one entry of an object.
type member struct {
	keyStart, keyEnd int
	key              string
	value            node
}

// reader reads valid JSON.
type reader struct {
	in  string
	pos int
}

func (r *reader) space() {
	for r.pos < len(r.in) && strings.IndexByte(" \t\r\n", r.in[r.pos]) >= 0 {
		r.pos++
	}
}

func (r *reader) str() string {
	start := r.pos
	for r.pos++; r.in[r.pos] != '"'; r.pos++ {
		if r.in[r.pos] == '\\' {
			r.pos++
		}
	}
	r.pos++
	var s string
	_ = json.Unmarshal([]byte(r.in[start:r.pos]), &s) // the text is valid
	return s
}

// separator passes white space, commas and colons.
func (r *reader) separator() {
	for r.space(); r.in[r.pos] == ',' || r.in[r.pos] == ':'; r.space() {
		r.pos++
	}
}

func (r *reader) value() (n node) {
	r.space()
	n.start = r.pos
	switch c := r.in[r.pos]; {
	case c == '{':
		n.kind = "object"
		r.pos++
		for r.separator(); r.in[r.pos] != '}'; r.separator() {
			m := member{keyStart: r.pos}
			m.key = r.str()
			m.keyEnd = r.pos
			r.separator()
			m.value = r.value()
			n.members = append(n.members, m)
		}
		r.pos++
	case c == '[':
		n.kind = "array"
		r.pos++
		for r.separator(); r.in[r.pos] != ']'; r.separator() {
			n.items = append(n.items, r.value())
		}
		r.pos++
	case c == '"':
		n.kind, n.text = "string", r.str()
	default:
		for r.pos < len(r.in) && strings.IndexByte(",:]} \t\r\n", r.in[r.pos]) < 0 {
			r.pos++
		}
		n.kind = literalKind(r.in[n.start:r.pos])
	}
	n.end = r.pos
	return n
}

// literalKind is the type of a number or literal. A number is whole as JSON
// Schema says: 1.0 is.
func literalKind(s string) string {
	switch s[0] {
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	if whole(s) {
		return "integer"
	}
	return "number"
}

// whole tells whether a number of JSON has no fraction: zeros behind the point
// only, and no negative exponent.
func whole(s string) bool {
	if strings.ContainsAny(s, "eE") {
		return false
	}
	_, frac, _ := strings.Cut(s, ".")
	return strings.Trim(frac, "0") == ""
}
