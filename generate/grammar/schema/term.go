package schema

import (
	"slices"
	"strings"
	"unsafe"
)

// A mode says what a literal says of a value.
type mode byte

const (
	satisfies mode = iota // the value satisfies the schema
	violates              // the value does not satisfy the schema
	equals                // the value equals the constant
	differs               // the value does not equal the constant
)

// A literal is one statement about a value: about a schema, read in a scope, or about a
// constant. Equal literals are the same pointer.
type literal struct {
	v     *value
	scope *scope
	mode  mode
	id    int32
	alone *term // the term of this literal only

	depth  int      // while it is at work: how many literals are, 1 for the outermost
	level  int      // and at which level of questions about members and items
	around *literal // and the literal around it
}

// opposite is the mode of the complement.
func (m mode) opposite() mode { return m ^ 1 }

// A term is a conjunction of literals, sorted by number. Equal terms are the same
// pointer: recursive schemas end because there are only so many terms.
type term struct {
	literals []*literal
	none     bool // the empty set; the full set has no literals

	parts   [2]*term // what it was made of, where it has several literals
	known   *set
	busy    bool
	blocker *literal // its set cannot be worked out as long as this literal is at work
	empty   bool     // proven to be the empty set
	built   *built
}

// anything says that a term is the set of all values.
func (t *term) anything() bool { return len(t.literals) == 0 && !t.none }

// The terms of all values and of none.
var (
	anyTerm  = &term{}
	noneTerm = &term{none: true, empty: true}
)

// literal finds or makes a literal.
func (c *compiler) literal(v *value, s *scope, m mode) *literal {
	key := literalKey{v, s, m}
	l := c.literals[key]
	if l == nil {
		l = &literal{v: v, scope: s, mode: m, id: int32(len(c.literals))}
		l.alone = &term{literals: []*literal{l}}
		c.literals[key] = l
		c.spend(1)
	}
	return l
}

type literalKey struct {
	v     *value
	scope *scope
	mode  mode
}

// term is the set of values that satisfy, or violate, a schema.
func (c *compiler) term(v *value, s *scope, m mode) *term {
	if m == satisfies || m == violates {
		v, s = c.target(v, s)
		if v.kind == 't' || v.kind == 'f' || len(v.keys) == 0 {
			if (v.kind == 'f') == (m == violates) {
				return anyTerm
			}
			return noneTerm
		}
	}
	return c.literal(v, s, m).alone
}

// both is the conjunction of two terms.
func (c *compiler) both(a, b *term) *term {
	switch {
	case a == b || b.anything():
		return a
	case a.anything():
		return b
	case a.empty || b.empty:
		return noneTerm
	}
	all := make([]*literal, 0, len(a.literals)+len(b.literals))
	all = append(append(all, a.literals...), b.literals...)
	slices.SortFunc(all, func(x, y *literal) int { return int(x.id - y.id) })
	all = slices.Compact(all)
	if len(all) == len(a.literals) {
		return a
	}
	if len(all) == len(b.literals) {
		return b
	}
	ids := make([]int32, len(all))
	for i, l := range all {
		ids[i] = l.id
		if o := c.literals[literalKey{l.v, l.scope, l.mode.opposite()}]; o != nil && slices.Contains(all, o) {
			return noneTerm
		}
	}
	key := strings.Clone(unsafe.String((*byte)(unsafe.Pointer(&ids[0])), 4*len(ids)))
	t := c.terms[key]
	if t == nil {
		t = &term{literals: all, parts: [2]*term{a, b}}
		c.terms[key] = t
		c.spend(1)
	}
	return t
}

// set is what a term means, worked out once.
func (c *compiler) set(t *term) *set {
	switch {
	case t.anything():
		return anySet
	case t.none || c.err != nil:
		return &set{}
	case t.known != nil:
		return t.known
	}
	t.busy = true
	s, rest := anySet, t.literals
	if a, b := t.parts[0], t.parts[1]; a != nil {
		if len(a.literals) < len(b.literals) || a.known == nil {
			a, b = b, a
		}
		s, rest = c.set(a), b.literals
	}
	for _, l := range rest {
		s = c.apply(s, l, false)
	}
	t.busy = false
	if c.blocked == nil {
		t.known, t.empty = s, s.none()
	}
	return s
}

// isEmpty says that a term is proven to be empty. A term that is being worked out
// counts as not empty, so false proves nothing.
func (c *compiler) isEmpty(t *term) bool {
	switch {
	case t.none || t.known != nil:
		return t.empty
	case len(t.literals) == 0 || t.busy || c.err != nil || t.blocker != nil && t.blocker.depth > 0:
		return false
	}
	outside := c.blocked
	c.blocked = nil
	c.level++
	c.set(t)
	c.level--
	t.blocker, c.blocked = c.blocked, outside
	return t.empty
}
