package schema

import (
	"slices"
	"strings"
)

// A scope is the dynamic scope of a schema as far as it matters: for each name of a
// $dynamicAnchor, the schema that the outermost resource gives it. Equal scopes are the
// same pointer; nil is the empty scope.
type scope struct {
	names   []string // sorted
	targets []*value
}

func (s *scope) target(name string) *value {
	if s == nil {
		return nil
	}
	if i, ok := slices.BinarySearch(s.names, name); ok {
		return s.targets[i]
	}
	return nil
}

// within is the scope inside a resource.
func (c *compiler) within(s *scope, r *resource) *scope {
	if len(r.dynamic) == 0 {
		return s
	}
	in := &scope{}
	if s != nil {
		in.names, in.targets = slices.Clone(s.names), slices.Clone(s.targets)
	}
	for name, target := range r.dynamic {
		if i, ok := slices.BinarySearch(in.names, name); !ok {
			in.names = slices.Insert(in.names, i, name)
			in.targets = slices.Insert(in.targets, i, target)
		}
	}
	if s != nil && len(in.names) == len(s.names) {
		return s
	}
	var key strings.Builder
	for i, name := range in.names {
		key.WriteString(name)
		key.WriteByte(0)
		key.WriteString(in.targets[i].doc.name)
		key.WriteString(in.targets[i].pointer())
		key.WriteByte(0)
	}
	if known := c.scopes[key.String()]; known != nil {
		return known
	}
	c.scopes[key.String()] = in
	return in
}
