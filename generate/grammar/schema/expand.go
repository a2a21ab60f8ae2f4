package schema

import "fmt"

// enter marks a literal as being at work and says whether it may be.
//
// Whether members and items can exist is asked on the way, so a schema may be met again
// below itself while it is being worked out. Then the question has no answer yet: the
// work is blocked, and given up as far as the question.
func (c *compiler) enter(l *literal) bool {
	switch {
	case c.err != nil:
		return false
	case l.depth > 0 && l.level == c.level:
		c.fail(refuse(l.v, "", "the schema leads back to itself without reading any part of the value", "break the circle of $ref"))
		return false
	case l.depth > 0:
		c.block(l)
		return false
	}
	c.depth++
	l.depth, l.level, l.around = c.depth, c.level, c.working
	c.working = l
	return true
}

func (c *compiler) leave(l *literal) {
	c.working = l.around
	c.depth--
	l.depth = 0
}

// block notes which of the literals at work stands in the way: the outermost.
func (c *compiler) block(l *literal) {
	if c.blocked == nil || l.depth < c.blocked.depth {
		c.blocked = l
	}
}

// apply keeps what satisfies a literal of what is in a set. To start from a set rather
// than to intersect in the end drops branches early. With seen, the parts say what has
// been evaluated.
func (c *compiler) apply(s *set, l *literal, seen bool) *set {
	if s.none() {
		return s
	}
	if l.mode == equals {
		return c.and(s, c.constant(l.v))
	}
	if l.mode == differs {
		return c.and(s, c.allBut([]*value{l.v}))
	}
	if !c.enter(l) {
		return &set{}
	}
	defer c.leave(l)
	if l.mode == violates {
		before := c.refused
		out := c.violating(s, l.v, l.scope)
		if c.refused > before {
			return s // lenient: a complement that cannot be written holds nothing back
		}
		return out
	}
	n := c.node(l.v)
	if !n.closes() {
		return c.satisfying(s, n, l.scope, seen)
	}
	own := c.unevaluated(c.satisfying(anySet, n, l.scope, true), n, l.scope, seen)
	return c.and(s, own)
}

// keep is apply for a schema in place.
func (c *compiler) keep(s *set, v *value, sc *scope, m mode, seen bool) *set {
	t := c.term(v, sc, m)
	switch {
	case t.anything():
		return s
	case t.none:
		return &set{}
	}
	return c.apply(s, t.literals[0], seen)
}

// closes says that a schema asks for what has not been evaluated.
func (n *node) closes() bool { return n.unevaluatedProperties != nil || n.unevaluatedItems != nil }

// A conjunct is a schema that holds wherever another does: it was reached from there by
// allOf and $ref.
type conjunct struct {
	n     *node
	scope *scope
	l     *literal
	from  *conjunct // nil: the schema itself
}

// satisfying is what satisfies a schema of what is in a set. First come the keywords
// about the value itself of all schemas that must hold, then those that branch.
func (c *compiler) satisfying(s *set, n *node, sc *scope, seen bool) *set {
	list := []*conjunct{{n: n, scope: sc}}
	for i := 0; i < len(list) && c.err == nil; i++ {
		k := list[i]
		if k.n.closes() && k.from != nil {
			continue
		}
		s = c.and(s, c.base(k.n, k.scope, seen))
		for _, r := range k.n.refs {
			if w, inner := c.refer(k.n.v, r, k.scope); w != nil {
				list = c.conjoin(list, k, w, inner, &s)
			}
		}
		for _, w := range k.n.all {
			list = c.conjoin(list, k, w, k.scope, &s)
		}
	}
	for _, k := range list {
		if s.none() || c.err != nil {
			return s
		}
		s = c.branch(s, k, seen)
	}
	return s
}

// conjoin adds a schema to those that must hold, once.
func (c *compiler) conjoin(list []*conjunct, from *conjunct, v *value, sc *scope, s **set) []*conjunct {
	t := c.term(v, sc, satisfies)
	if t.anything() {
		return list
	}
	if t.none {
		*s = &set{}
		return list
	}
	l := t.literals[0]
	for k := from; k != nil; k = k.from {
		if k.l == l {
			c.fail(refuse(v, "", "the schema leads back to itself without reading any part of the value", "break the circle of $ref"))
			return list
		}
	}
	for _, k := range list {
		if k.l == l {
			return list
		}
	}
	if l.depth > 0 { // met on the way here: fails or blocks
		if c.enter(l) {
			c.leave(l)
		}
		*s = &set{}
		return list
	}
	c.spend(1)
	return append(list, &conjunct{n: c.node(l.v), scope: l.scope, l: l, from: from})
}

// branch applies the keywords of a conjunct that make cases. The schemas on the way to
// it count as being at work meanwhile.
func (c *compiler) branch(s *set, k *conjunct, seen bool) *set {
	if k.n.closes() && k.from != nil {
		return c.apply(s, k.l, seen)
	}
	if !k.n.branches() {
		return s
	}
	for f := k; f.from != nil; f = f.from {
		if !c.enter(f.l) {
			return &set{}
		}
		defer c.leave(f.l)
	}
	n, sc := k.n, k.scope
	if n.not != nil {
		s = c.keep(s, n.not, sc, violates, false)
	}
	s = c.anyOf(s, n, sc, seen)
	s = c.oneOf(s, n, sc, seen)
	s = c.condition(s, n, sc, seen)
	for i, name := range n.object.dependents {
		absent := withObjects(&object{props: []property{{name, noneTerm, false}}, rest: anyTerm, max: -1})
		there := c.keep(c.and(s, present(name)), n.object.dependentsSchemas[i], sc, satisfies, seen)
		s = c.or(c.and(s, absent), there)
	}
	return s
}

// branches says that a schema has keywords that make cases.
func (n *node) branches() bool {
	return n.not != nil || n.any != nil || n.one != nil || n.test[0] != nil || n.object.dependents != nil
}

// present is the set of the objects that have a member.
func present(name string) *set {
	return &set{objects: []*object{{props: []property{{name, anyTerm, true}}, rest: anyTerm, min: 1, max: -1}}}
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
		for _, x := range append([]*set{s}, some...) {
			if y := c.keep(x, w, sc, satisfies, seen); !y.none() {
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
		branches[i] = c.keep(s, w, sc, satisfies, seen)
	}
	out := &set{}
	for i, b := range branches {
		for j, other := range branches {
			if i == j || b.none() || other.none() || c.disjoint(b, other) {
				continue
			}
			b = c.without(b, n, "oneOf", n.one[j], sc)
		}
		out = c.or(out, b)
		if c.err != nil {
			break
		}
	}
	return out
}

// without keeps what does not satisfy a schema, for a keyword that needs it.
func (c *compiler) without(s *set, n *node, keyword string, w *value, sc *scope) *set {
	if c.err != nil {
		return &set{}
	}
	s = c.keep(s, w, sc, violates, false)
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
	yes := c.keep(s, test, sc, satisfies, seen)
	if then != nil {
		yes = c.keep(yes, then, sc, satisfies, seen)
	}
	no := c.without(s, n, "if", test, sc)
	if otherwise != nil {
		no = c.keep(no, otherwise, sc, satisfies, seen)
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
	if outer {
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

// violating is what does not satisfy a schema of what is in a set: the union of what
// does not satisfy a keyword.
func (c *compiler) violating(s *set, v *value, sc *scope) *set {
	n := c.node(v)
	if n.closes() {
		c.refuse(v, "unevaluatedProperties", "what unevaluatedProperties and unevaluatedItems refuse cannot be written as a set",
			"keep them out of not, oneOf and if")
	}
	out := c.and(s, c.baseComplement(n, sc))
	for _, r := range n.refs {
		if w, inner := c.refer(n.v, r, sc); w != nil {
			out = c.or(out, c.keep(s, w, inner, violates, false))
		}
	}
	for _, w := range n.all {
		out = c.or(out, c.keep(s, w, sc, violates, false))
	}
	if n.not != nil {
		out = c.or(out, c.keep(s, n.not, sc, satisfies, false))
	}
	if n.any != nil {
		out = c.or(out, c.noneOf(s, n.any, sc))
	}
	if n.one != nil {
		out = c.or(out, c.noneOf(s, n.one, sc))
		for i, w := range n.one {
			a := c.keep(s, w, sc, satisfies, false)
			for _, x := range n.one[:i] {
				out = c.or(out, c.keep(a, x, sc, satisfies, false))
			}
		}
	}
	if test := n.test[0]; test != nil {
		if then := n.test[1]; then != nil {
			out = c.or(out, c.keep(c.keep(s, test, sc, satisfies, false), then, sc, violates, false))
		}
		if otherwise := n.test[2]; otherwise != nil {
			out = c.or(out, c.keep(c.keep(s, test, sc, violates, false), otherwise, sc, violates, false))
		}
	}
	for i, name := range n.object.dependents {
		out = c.or(out, c.keep(c.and(s, present(name)), n.object.dependentsSchemas[i], sc, violates, false))
	}
	return out
}

// noneOf is what satisfies none of some schemas.
func (c *compiler) noneOf(s *set, list []*value, sc *scope) *set {
	for _, w := range list {
		s = c.keep(s, w, sc, violates, false)
	}
	return s
}
