package schema

import "fmt"

// expand is the set of a literal. With seen, its parts say what has been evaluated.
func (c *compiler) expand(l *literal, seen bool) *set {
	i := 0
	if seen {
		i = 1
	}
	if l.known[i] != nil {
		return l.known[i]
	}
	if c.err != nil {
		return &set{}
	}
	if l.open[i] {
		c.fail(refuse(l.v, "", "the schema leads back to itself without reading any part of the value", "break the circle of $ref"))
		return &set{}
	}
	l.open[i] = true
	before := c.refused
	var s *set
	switch l.mode {
	case satisfies:
		s = c.satisfying(l.v, l.scope, seen)
	case violates:
		if s = c.violating(l.v, l.scope); c.refused > before {
			s = anySet // lenient: a complement that cannot be written holds nothing back
		}
	case equals:
		s = c.constant(l.v)
	case differs:
		s = c.allBut([]*value{l.v})
	}
	l.open[i] = false
	l.known[i] = s
	return s
}

// inPlace is the set of a schema that is applied to the same value.
func (c *compiler) inPlace(v *value, s *scope, m mode, seen bool) *set {
	t := c.term(v, s, m)
	switch {
	case t.anything():
		return anySet
	case t.none:
		return &set{}
	}
	return c.expand(t.literals[0], seen)
}

// satisfying is the set of the values that satisfy a schema.
func (c *compiler) satisfying(v *value, sc *scope, outer bool) *set {
	n := c.node(v)
	seen := outer || n.unevaluatedProperties != nil || n.unevaluatedItems != nil
	s := c.base(n, sc, seen)
	for _, r := range n.refs {
		if w, inner := c.refer(n.v, r, sc); w != nil {
			s = c.and(s, c.inPlace(w, inner, satisfies, seen))
		}
	}
	for _, w := range n.all {
		s = c.and(s, c.inPlace(w, sc, satisfies, seen))
	}
	if n.not != nil {
		s = c.and(s, c.inPlace(n.not, sc, violates, false))
	}
	s = c.anyOf(s, n, sc, seen)
	s = c.oneOf(s, n, sc, seen)
	s = c.condition(s, n, sc, seen)
	for i, name := range n.object.dependents {
		absent := withObjects(&object{props: []property{{name, noneTerm, false}}, rest: anyTerm, max: -1})
		present := &set{objects: []*object{{props: []property{{name, anyTerm, true}}, rest: anyTerm, min: 1, max: -1}}}
		there := c.and(c.and(s, present), c.inPlace(n.object.dependentsSchemas[i], sc, satisfies, seen))
		s = c.or(c.and(s, absent), there)
	}
	return c.unevaluated(s, n, sc, outer)
}

// withObjects is the set of all values that are no objects, and some that are.
func withObjects(o ...*object) *set {
	s := *anySet
	s.objects = o
	return &s
}

// anyOf keeps what satisfies one of the schemas. What the schemas have evaluated is
// that of all that hold, so then each combination is a part of its own; that they
// overlap does no harm, for more evaluated is less that remains to be held back.
func (c *compiler) anyOf(s *set, n *node, sc *scope, seen bool) *set {
	if n.any == nil {
		return s
	}
	out := &set{}
	var some []*set
	for _, w := range n.any {
		branch := c.inPlace(w, sc, satisfies, seen)
		for _, x := range append([]*set{s}, some...) {
			if y := c.and(x, branch); !y.none() {
				out = c.or(out, y)
				if seen {
					some = append(some, y)
				}
			}
			if c.width(len(some)); c.err != nil {
				return out
			}
		}
	}
	return out
}

// oneOf keeps what satisfies exactly one of the schemas. Schemas that have nothing in
// common need no complement.
func (c *compiler) oneOf(s *set, n *node, sc *scope, seen bool) *set {
	if n.one == nil {
		return s
	}
	branches := make([]*set, len(n.one))
	for i, w := range n.one {
		branches[i] = c.and(s, c.inPlace(w, sc, satisfies, seen))
	}
	out := &set{}
	for i, b := range branches {
		for j, other := range branches {
			if i == j || b.none() || other.none() || c.disjoint(b, other) {
				continue
			}
			b = c.and(b, c.complementOf(n, "oneOf", n.one[j], sc))
		}
		out = c.or(out, b)
		if c.err != nil {
			break
		}
	}
	return out
}

// complementOf is the complement of a schema, for a keyword that needs it.
func (c *compiler) complementOf(n *node, keyword string, w *value, sc *scope) *set {
	if c.err != nil {
		return &set{}
	}
	s := c.inPlace(w, sc, violates, false)
	if e, ok := c.err.(*Error); ok && !e.Limit {
		c.err = refuse(n.v, keyword, fmt.Sprintf("the complement of %s cannot be written: %s", w.pointer(), e.Error()),
			"make the branches disjoint by a property with a constant, or use anyOf")
	}
	return s
}

// disjoint says that two sets are proven to have nothing in common.
func (c *compiler) disjoint(a, b *set) bool {
	if a.null && b.null || a.yes && b.yes || a.no && b.no {
		return false
	}
	for _, x := range a.numbers {
		for _, y := range b.numbers {
			if len(andNumbers(x, y)) > 0 {
				return false
			}
		}
	}
	for _, x := range a.texts {
		for _, y := range b.texts {
			if len(c.andTexts(x, y)) > 0 {
				return false
			}
		}
	}
	for _, x := range a.objects {
		for _, y := range b.objects {
			if c.spend(1); len(c.andObjects(x, y)) > 0 {
				return false
			}
		}
	}
	for _, x := range a.arrays {
		for _, y := range b.arrays {
			if c.spend(1); len(c.andArrays(x, y)) > 0 {
				return false
			}
		}
	}
	return true
}

// condition applies if, then and else.
func (c *compiler) condition(s *set, n *node, sc *scope, seen bool) *set {
	test, then, otherwise := n.test[0], n.test[1], n.test[2]
	if test == nil || then == nil && otherwise == nil && !seen {
		return s
	}
	yes := c.and(s, c.inPlace(test, sc, satisfies, seen))
	if then != nil {
		yes = c.and(yes, c.inPlace(then, sc, satisfies, seen))
	}
	no := c.and(s, c.complementOf(n, "if", test, sc))
	if otherwise != nil {
		no = c.and(no, c.inPlace(otherwise, sc, satisfies, seen))
	}
	return c.or(yes, no)
}

// unevaluated applies unevaluatedProperties and unevaluatedItems, and forgets what was
// evaluated where nobody outside asks.
func (c *compiler) unevaluated(s *set, n *node, sc *scope, outer bool) *set {
	if u := n.unevaluatedProperties; u != nil {
		t := c.term(u, sc, satisfies)
		next := *s
		next.objects = nil
		for _, o := range s.objects {
			for _, p := range c.remaining(o, t) {
				next.objects = insert(next.objects, p, anyObject)
			}
		}
		s = &next
	}
	if u := n.unevaluatedItems; u != nil {
		next := *s
		next.arrays = nil
		for _, a := range s.arrays {
			for _, b := range c.remainingItems(a, u, sc) {
				next.arrays = insert(next.arrays, b, anyArray)
			}
		}
		s = &next
	}
	if outer || n.unevaluatedProperties == nil && n.unevaluatedItems == nil {
		return s
	}
	plain := *s
	plain.objects, plain.arrays = nil, nil
	for _, o := range s.objects {
		p := *o
		p.seen, p.index = nil, nil
		plain.objects = append(plain.objects, &p)
	}
	for _, a := range s.arrays {
		b := *a
		b.seen = nil
		plain.arrays = append(plain.arrays, &b)
	}
	plain.objects = c.absorb(plain.objects)
	return &plain
}

// violating is the set of the values that do not satisfy a schema: the union of those
// that do not satisfy a keyword.
func (c *compiler) violating(v *value, sc *scope) *set {
	n := c.node(v)
	if n.unevaluatedProperties != nil || n.unevaluatedItems != nil {
		c.refuse(v, "unevaluatedProperties", "what unevaluatedProperties and unevaluatedItems refuse cannot be written as a set",
			"keep them out of not, oneOf and if")
	}
	s := c.baseComplement(n, sc)
	for _, r := range n.refs {
		if w, inner := c.refer(n.v, r, sc); w != nil {
			s = c.or(s, c.inPlace(w, inner, violates, false))
		}
	}
	for _, w := range n.all {
		s = c.or(s, c.inPlace(w, sc, violates, false))
	}
	if n.not != nil {
		s = c.or(s, c.inPlace(n.not, sc, satisfies, false))
	}
	if n.any != nil {
		none := anySet
		for _, w := range n.any {
			none = c.and(none, c.inPlace(w, sc, violates, false))
		}
		s = c.or(s, none)
	}
	if n.one != nil {
		s = c.or(s, c.noneOrTwo(n, sc))
	}
	if test := n.test[0]; test != nil {
		if then := n.test[1]; then != nil {
			s = c.or(s, c.and(c.inPlace(test, sc, satisfies, false), c.inPlace(then, sc, violates, false)))
		}
		if otherwise := n.test[2]; otherwise != nil {
			s = c.or(s, c.and(c.inPlace(test, sc, violates, false), c.inPlace(otherwise, sc, violates, false)))
		}
	}
	for i, name := range n.object.dependents {
		present := &set{objects: []*object{{props: []property{{name, anyTerm, true}}, rest: anyTerm, min: 1, max: -1}}}
		s = c.or(s, c.and(present, c.inPlace(n.object.dependentsSchemas[i], sc, violates, false)))
	}
	return s
}

// noneOrTwo is the complement of oneOf.
func (c *compiler) noneOrTwo(n *node, sc *scope) *set {
	none, two := anySet, &set{}
	for i, w := range n.one {
		none = c.and(none, c.inPlace(w, sc, violates, false))
		a := c.inPlace(w, sc, satisfies, false)
		for _, x := range n.one[:i] {
			two = c.or(two, c.and(a, c.inPlace(x, sc, satisfies, false)))
		}
	}
	return c.or(none, two)
}
