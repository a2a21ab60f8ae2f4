package schema

import (
	"slices"
)

// seenNames says which members the schemas in place have evaluated, for
// unevaluatedProperties; nil: none.
type seenNames struct {
	all   bool
	names []string
	langs []*language
}

func (s *seenNames) join(t *seenNames) *seenNames {
	if s == nil || s == t {
		return t
	}
	if t == nil {
		return s
	}
	return &seenNames{s.all || t.all, slices.Concat(s.names, t.names), slices.Concat(s.langs, t.langs)}
}

// seenItems says which items the schemas in place have evaluated, for
// unevaluatedItems; nil: none.
type seenItems struct {
	all   bool
	first int        // the first so many
	kinds []*literal // those that satisfy one of these (contains)
}

func (s *seenItems) join(t *seenItems) *seenItems {
	if s == nil || s == t {
		return t
	}
	if t == nil {
		return s
	}
	return &seenItems{s.all || t.all, max(s.first, t.first), slices.Concat(s.kinds, t.kinds)}
}

// remaining applies a term to the members of an object that nothing has evaluated.
func (c *compiler) remaining(o *object, t *term) []*object {
	rest := &object{rest: t, max: -1, seen: &seenNames{all: true}}
	if s := o.seen; s != nil {
		if s.all {
			return []*object{o}
		}
		for _, name := range s.names {
			if rest.at(name) < 0 {
				rest.props, rest.index = append(rest.props, property{name, anyTerm, false}), nil
			}
		}
		for _, l := range s.langs {
			rest.classes = append(rest.classes, class{l, anyTerm})
		}
	}
	return c.andObjects(o, rest)
}

// remainingItems applies a term to the items of an array that nothing has evaluated.
func (c *compiler) remainingItems(a *array, u *value, scope *scope) []*array {
	rest := &array{max: -1, seen: &seenItems{all: true}}
	t := c.term(u, scope, satisfies)
	if s := a.seen; s != nil {
		if s.all {
			return []*array{a}
		}
		for range s.first {
			rest.prefix = append(rest.prefix, anyTerm)
		}
		if len(s.kinds) > 0 && !t.anything() {
			// The other items satisfy the term or are of a kind that contains has
			// evaluated: a schema that says so.
			list := &value{kind: '[', vals: []*value{u}, doc: u.doc, up: u.up}
			for _, k := range s.kinds {
				if k.scope != scope {
					c.refuse(u.up, "unevaluatedItems", "it follows a contains of another dynamic scope", "")
					return nil
				}
				list.vals = append(list.vals, k.v)
			}
			t = c.term(&value{kind: '{', keys: []string{"anyOf"}, vals: []*value{list}, doc: u.doc, up: u.up}, scope, satisfies)
		}
	}
	rest.rest = t
	return c.andArrays(a, rest)
}
