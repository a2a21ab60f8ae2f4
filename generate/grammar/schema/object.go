package schema

import (
	"slices"
)

// An object is a set of objects: a conjunction of statements about members.
type object struct {
	props    []property // members of fixed names, in the order of the schema
	classes  []class    // names that are none of props: the first class that has a name counts
	rest     *term      // members of all other names
	min, max int        // number of members; max < 0: no bound
	needs    [][2]string
	some     []some
	seen     *seenNames       // what in-place schemas have evaluated; nil where nobody asks
	index    map[string]int32 // of props, where there are many
}

// A property is the statement about a member of one name.
type property struct {
	name     string
	term     *term
	required bool
}

// A class is the statement about members whose names are of a language.
type class struct {
	names *language
	term  *term
}

// some says that there is a member whose name is of a language, and not one of the
// exceptions, with a value of a term.
type some struct {
	names  *language // nil: all names
	except []string
	term   *term
	from   origin
}

// An origin is the keyword that a part comes from, for errors.
type origin struct {
	v       *value
	keyword string
}

// at finds the property of a name, or -1.
func (o *object) at(name string) int {
	if len(o.props) > 8 {
		if o.index == nil {
			o.index = make(map[string]int32, len(o.props))
			for i := range o.props {
				o.index[o.props[i].name] = int32(i)
			}
		}
		if i, ok := o.index[name]; ok {
			return int(i)
		}
		return -1
	}
	for i := range o.props {
		if o.props[i].name == name {
			return i
		}
	}
	return -1
}

// of is the statement about the member of a name.
func (o *object) of(name string) (t *term, required bool) {
	if i := o.at(name); i >= 0 {
		return o.props[i].term, o.props[i].required
	}
	for _, k := range o.classes {
		if k.names.has(name) {
			return k.term, false
		}
	}
	return o.rest, false
}

// andObjects is the intersection of two sets of objects: no part if it is empty, several
// if a statement that some member exists was resolved.
func (c *compiler) andObjects(a, b *object) []*object {
	o := &object{min: max(a.min, b.min), max: smaller(a.max, b.max), rest: c.both(a.rest, b.rest)}
	o.props = make([]property, 0, len(a.props)+len(b.props))
	for _, p := range a.props {
		t, required := b.of(p.name)
		o.props = append(o.props, property{p.name, c.both(p.term, t), p.required || required})
	}
	for _, p := range b.props {
		if a.at(p.name) < 0 {
			t, _ := a.of(p.name)
			o.props = append(o.props, property{p.name, c.both(p.term, t), p.required})
		}
	}
	// Which members are impossible is asked of the required ones first: that is what
	// tells the branches of a union apart.
	for i := range o.props {
		if p := &o.props[i]; p.required && c.isEmpty(p.term) {
			return nil
		}
	}
	o.classes = c.andClasses(a, b)
	o.needs = joined(a.needs, b.needs)
	o.some = append(a.some[:len(a.some):len(a.some)], b.some...)
	o.seen = a.seen.join(b.seen)
	return c.tidy(o)
}

// andClasses is the common refinement of the classes of two objects. The first class
// that has a name counts, so the refinement lists what two have in common before each
// of them.
func (c *compiler) andClasses(a, b *object) []class {
	if len(a.classes) == 0 && len(b.classes) == 0 {
		return nil
	}
	var out []class
	for _, x := range a.classes {
		for _, y := range b.classes {
			c.spend(1)
			if names := c.lang.and(x.names, y.names); names == x.names || !c.lang.isEmpty(names) {
				out = append(out, class{names, c.both(x.term, y.term)})
			}
			if x.names == y.names {
				break
			}
		}
		out = append(out, class{x.names, c.both(x.term, b.rest)})
		c.width(len(out))
	}
	for _, y := range b.classes {
		out = append(out, class{y.names, c.both(y.term, a.rest)})
	}
	return out
}

// tidy finishes an object: bounds, contradictions, members that must exist.
func (c *compiler) tidy(o *object) []*object {
	for changed := len(o.needs) > 0; changed; {
		changed = false
		for _, n := range o.needs {
			if i := o.at(n[0]); i < 0 || !o.props[i].required {
				continue
			}
			if i := o.at(n[1]); i < 0 {
				t, _ := o.of(n[1])
				o.props, o.index, changed = append(slices.Clip(o.props), property{n[1], t, true}), nil, true
			} else if !o.props[i].required {
				o.props[i].required, changed = true, true
			}
		}
	}
	required := 0
	for i := range o.props {
		if p := &o.props[i]; p.required {
			if required++; c.isEmpty(p.term) {
				return nil
			}
		}
	}
	o.min = max(o.min, required)
	if o.max >= 0 && o.min > o.max {
		return nil
	}
	if o.min > required && c.closed(o) {
		possible := 0
		for _, p := range o.props {
			if !c.isEmpty(p.term) {
				possible++
			}
		}
		if o.min > possible {
			return nil
		}
	}
	return c.resolve(o)
}

// closed says that only the members of props can exist.
func (c *compiler) closed(o *object) bool {
	if !c.isEmpty(o.rest) {
		return false
	}
	for _, k := range o.classes {
		if !c.isEmpty(k.term) {
			return false
		}
	}
	return true
}

// resolve turns "some member exists" into a union over the members that can be it,
// where they can be counted.
func (c *compiler) resolve(o *object) []*object {
	for i, s := range o.some {
		if !c.countable(o, s) {
			continue
		}
		var out []*object
		for j, p := range o.props {
			if slices.Contains(s.except, p.name) || s.names != nil && !s.names.has(p.name) {
				continue
			}
			t := c.both(p.term, s.term)
			if c.isEmpty(t) {
				continue
			}
			v := *o
			v.index = nil
			v.props = slices.Clone(o.props)
			v.props[j] = property{p.name, t, true}
			v.some = slices.Delete(slices.Clone(o.some), i, i+1)
			out = append(out, c.tidy(&v)...)
		}
		return out
	}
	return []*object{o}
}

// countable says that the member that must exist is one of props.
func (c *compiler) countable(o *object, s some) bool {
	if s.names == nil {
		return c.closed(o)
	}
	names := s.names
	for _, k := range o.classes {
		if !c.isEmpty(c.both(k.term, s.term)) && !c.lang.isEmpty(c.lang.and(k.names, names)) {
			return false
		}
		names = c.lang.minus(names, k.names)
	}
	return c.isEmpty(c.both(o.rest, s.term)) || c.lang.isEmpty(names)
}

// smaller is the lower of two upper bounds, of which a negative one is none.
func smaller(a, b int) int {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

func joined(a, b [][2]string) [][2]string {
	out := a[:len(a):len(a)]
	for _, n := range b {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// absorb drops the objects that others of the union contain.
func (c *compiler) absorb(list []*object) []*object {
	if len(list) < 2 || len(list) > 64 {
		return list
	}
	out := list[:0:0]
	for i, o := range list {
		covered := false
		for j, p := range list {
			if i != j && p.contains(o) && !(j > i && o.contains(p)) {
				covered = true
				break
			}
		}
		if !covered {
			out = append(out, o)
		}
	}
	return out
}

// contains says that o has all that p has, where that is plain to see.
func (o *object) contains(p *object) bool {
	if o.seen != nil || p.seen != nil || len(o.some) > 0 || len(o.classes) > 0 || len(p.classes) > 0 || len(o.needs) > 0 {
		return false
	}
	if o.min > p.min || o.max >= 0 && (p.max < 0 || p.max > o.max) || !o.rest.covers(p.rest) {
		return false
	}
	for i := range o.props {
		t, required := p.of(o.props[i].name)
		if !o.props[i].term.covers(t) || o.props[i].required && !required {
			return false
		}
	}
	for i := range p.props {
		if t, _ := o.of(p.props[i].name); !t.covers(p.props[i].term) {
			return false
		}
	}
	return true
}

// covers says that t has all that u has, where that is plain to see: every literal of
// t is one of u.
func (t *term) covers(u *term) bool {
	if t == u || u.empty || t.anything() {
		return true
	}
	if t.none || len(t.literals) > len(u.literals) {
		return false
	}
	for _, l := range t.literals {
		if !slices.Contains(u.literals, l) {
			return false
		}
	}
	return true
}

// othersOfObject is the complement among objects. Where a required member must be one of
// some words, it usually tells kinds of objects apart: the parts behind it have that
// member as it should be, so that complements of several kinds do not multiply.
func (c *compiler) othersOfObject(o *object, from origin) []*object {
	var out []*object
	var kind []property
	add := func(p *object) {
		p.rest = anyTerm
		if len(kind) > 0 {
			out = append(out, c.andObjects(&object{props: kind, rest: anyTerm, max: -1}, p)...)
		} else {
			out = append(out, c.tidy(p)...)
		}
	}
	names := make([]string, len(o.props))
	for i, p := range o.props {
		names[i] = p.name
	}
	props := slices.Clone(o.props)
	slices.SortStableFunc(props, func(p, q property) int { return c.tellsKind(q) - c.tellsKind(p) })
	for _, p := range props {
		// No member at all is what the complement of a required one has as well, so
		// both are one part: a member that may be missing.
		for _, u := range c.opposites(p.term) {
			add(&object{props: []property{{p.name, u, !p.required}}, max: -1})
		}
		if p.required && p.term.anything() {
			add(&object{props: []property{{p.name, noneTerm, false}}, max: -1})
		}
		if c.tellsKind(p) > 0 {
			kind = append(kind, p)
		}
	}
	c.othersByName(o, names, from, add)
	if o.min > 0 {
		add(&object{max: o.min - 1})
	}
	if o.max >= 0 {
		add(&object{min: o.max + 1, max: -1})
	}
	for _, n := range o.needs {
		add(&object{props: []property{{n[0], anyTerm, true}, {n[1], noneTerm, false}}, max: -1})
	}
	return out
}

// tellsKind is 1 for a required member that must be one of some words, else 0.
func (c *compiler) tellsKind(p property) int {
	if !p.required || len(p.term.literals) != 1 || p.term.literals[0].mode != satisfies {
		return 0
	}
	if n := c.node(p.term.literals[0].v); len(n.enum) > 0 && n.enum[0].kind == '"' {
		return 1
	}
	return 0
}

// othersByName adds the objects with a member that its class of names forbids.
func (c *compiler) othersByName(o *object, names []string, from origin, add func(*object)) {
	var before *language
	for _, k := range o.classes {
		for _, u := range c.opposites(k.term) {
			l := k.names
			if before != nil {
				l = c.lang.minus(l, before)
			}
			add(&object{max: -1, some: []some{{names: l, except: names, term: u, from: from}}})
		}
		before = c.lang.orNone(before, k.names)
	}
	for _, u := range c.opposites(o.rest) {
		s := some{except: names, term: u, from: from}
		if before != nil {
			s.names = c.lang.not(before)
		}
		add(&object{max: -1, some: []some{s}})
	}
}
