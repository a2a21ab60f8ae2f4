package schema

import (
	"fmt"
	"strings"
)

// A Draft is a version of JSON Schema.
type Draft int

// The drafts that are read. A schema says its own in $schema; Options.Draft is for
// schemas that do not.
const (
	DraftDefault Draft = iota // 2020-12, with the spellings of drafts 4 to 7 understood
	Draft4
	Draft6
	Draft7
	Draft2019
	Draft2020
)

var draftNames = map[Draft]string{
	DraftDefault: "2020-12", Draft4: "draft 4", Draft6: "draft 6", Draft7: "draft 7", Draft2019: "2019-09", Draft2020: "2020-12",
}

func (d Draft) String() string { return draftNames[d] }

// draftOf reads an address in $schema.
func draftOf(v *value) (Draft, error) {
	if v.kind != '"' {
		return 0, refuse(v.up, "$schema", "$schema is not a string", "name the draft by its address, or leave $schema away for 2020-12")
	}
	s := strings.TrimSuffix(strings.TrimSpace(v.text), "#")
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
	switch strings.TrimSuffix(s, "/") {
	case "json-schema.org/draft-04/schema":
		return Draft4, nil
	case "json-schema.org/draft-06/schema":
		return Draft6, nil
	case "json-schema.org/draft-07/schema":
		return Draft7, nil
	case "json-schema.org/draft/2019-09/schema":
		return Draft2019, nil
	case "json-schema.org/draft/2020-12/schema":
		return Draft2020, nil
	case "json-schema.org/schema", "json-schema.org/draft-05/schema":
		return 0, refuse(v.up, "$schema", fmt.Sprintf("%q names no certain draft", v.text), "name the draft, or leave $schema away for 2020-12")
	}
	return 0, refuse(v.up, "$schema", fmt.Sprintf("the dialect %q is not known", v.text), "known are drafts 4, 6, 7, 2019-09 and 2020-12 by their addresses at json-schema.org")
}

// since says whether a draft has what came with another; the default has all.
func (d Draft) since(first Draft) bool { return d == DraftDefault || d >= first }

// until says whether a draft still has what went away after another.
func (d Draft) until(last Draft) bool { return d == DraftDefault || d <= last }
