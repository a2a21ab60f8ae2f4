package schema

import (
	"math/big"
	"slices"
)

// base is the set of the keywords of one schema that say something about the value
// itself: type, enum, and those for one type.
func (c *compiler) base(n *node, sc *scope, seen bool) *set {
	s := &set{null: n.types&tNull != 0, yes: n.types&tBoolean != 0, no: n.types&tBoolean != 0}
	if n.types&tNumber != 0 {
		if x := n.wholeNumber(); x == anyNumber || !x.empty() {
			s.numbers = []*number{x}
		}
	}
	if n.types&tString != 0 {
		if t := n.text; t == nil {
			s.texts = []*text{anyText}
		} else if t.max < 0 || t.min <= t.max {
			s.texts = []*text{t}
		}
	}
	if n.types&tArray != 0 {
		if a := c.rawArray(n, sc, seen); c.tidyArray(a) {
			s.arrays = []*array{a}
		}
	}
	if n.types&tObject != 0 {
		s.objects = c.tidy(c.rawObject(n, sc, seen))
	}
	if n.types == allTypes && n.number == nil && n.text == nil && !n.array.asked && !n.object.asked {
		s = anySet
	}
	if n.enum != nil {
		s = c.and(c.constants(n.enum), s)
	}
	return s
}

// wholeNumber is the statement about numbers, with type integer.
func (n *node) wholeNumber() *number {
	x := n.number
	if n.types&tInteger != 0 {
		y := number{step: one, whole: n.draft == Draft4}
		if x != nil {
			y = *x
			y.whole = n.draft == Draft4
			if y.step = one; x.step != nil {
				y.step = lcm(one, x.step)
			}
		}
		x = &y
	}
	if x == nil {
		return anyNumber
	}
	return x
}

// rawObject is the statement of a schema about objects, contradictions and all.
func (c *compiler) rawObject(n *node, sc *scope, seen bool) *object {
	m := &n.object
	if !m.asked {
		return anyObject
	}
	o := &object{rest: anyTerm, min: m.min, max: m.max, needs: m.needs}
	if seen {
		o.seen = &seenNames{all: m.rest != nil, names: m.names}
	}
	if m.rest != nil {
		o.rest = c.term(m.rest, sc, satisfies)
	}
	patterns := &object{rest: anyTerm, max: -1}
	for i, p := range m.patterns {
		l := c.pattern(m.patternSchemas[i].up.up, "patternProperties", p)
		if l == nil {
			continue
		}
		t := c.term(m.patternSchemas[i], sc, satisfies)
		patterns = &object{rest: anyTerm, max: -1, classes: c.andClasses(patterns, &object{rest: anyTerm, classes: []class{{l, t}}})}
		if seen {
			o.seen.langs = append(o.seen.langs, l)
		}
	}
	o.classes = patterns.classes
	o.props = make([]property, 0, len(m.names)+len(m.required))
	for i, name := range m.names {
		t := c.term(m.schemas[i], sc, satisfies)
		for _, k := range o.classes {
			if k.names.has(name) {
				t = c.both(t, k.term)
				break
			}
		}
		o.props = append(o.props, property{name, t, false})
	}
	for _, name := range m.required {
		if i := o.at(name); i >= 0 {
			o.props[i].required = true
		} else {
			t, _ := o.of(name)
			o.props, o.index = append(o.props, property{name, t, true}), nil
		}
	}
	if m.propertyNames != nil {
		o = c.restrictNames(o, c.nameLanguage(m.propertyNames, sc))
	}
	return o
}

// nameLanguage is the language of the strings that satisfy a schema; nil: all.
func (c *compiler) nameLanguage(v *value, sc *scope) *language {
	s := c.keep(anySet, v, sc, satisfies, false)
	if len(s.texts) == 0 {
		return c.lang.not(nil)
	}
	var l *language
	for _, t := range s.texts {
		m := c.language(t)
		if m == nil {
			return nil
		}
		l = c.lang.orNone(l, m)
	}
	return l
}

// restrictNames forbids the members whose names are not of a language.
func (c *compiler) restrictNames(o *object, l *language) *object {
	if l == nil {
		return o
	}
	out := *o
	out.index = nil
	out.props = slices.Clone(o.props)
	for i := range out.props {
		if !l.has(out.props[i].name) {
			out.props[i].term = noneTerm
		}
	}
	names := &object{rest: noneTerm, max: -1, classes: []class{{l, anyTerm}}}
	out.classes = c.andClasses(o, names)
	out.rest = noneTerm
	return &out
}

// rawArray is the statement of a schema about arrays, contradictions and all.
func (c *compiler) rawArray(n *node, sc *scope, seen bool) *array {
	m := &n.array
	if !m.asked {
		return &array{rest: anyTerm, max: -1}
	}
	a := &array{rest: anyTerm, min: m.min, max: m.max, unique: m.unique, from: origin{n.v, "uniqueItems"}}
	for _, w := range m.prefix {
		a.prefix = append(a.prefix, c.term(w, sc, satisfies))
	}
	if m.rest != nil {
		a.rest = c.term(m.rest, sc, satisfies)
	}
	if m.contains != nil && (m.minCount > 0 || m.maxCount >= 0) {
		a.counts = []count{{term: c.term(m.contains, sc, satisfies), min: m.minCount, max: m.maxCount, from: origin{n.v, "contains"}}}
	}
	if seen {
		a.seen = &seenItems{all: m.rest != nil, first: len(m.prefix)}
		if m.contains != nil && n.draft.since(Draft2020) {
			a.seen.kinds = []*literal{c.literal(m.contains, c.inside(m.contains, sc), satisfies)}
		}
	}
	return a
}

// baseComplement is the complement of base.
func (c *compiler) baseComplement(n *node, sc *scope) *set {
	s := &set{null: n.types&tNull == 0, yes: n.types&tBoolean == 0, no: n.types&tBoolean == 0}
	if n.types&tNumber == 0 {
		s.numbers = []*number{anyNumber}
	} else {
		s.numbers = n.wholeNumber().others()
	}
	if n.types&tString == 0 {
		s.texts = []*text{anyText}
	} else if n.text != nil {
		s.texts = c.others(n.text)
	}
	if n.types&tArray == 0 {
		s.arrays = []*array{anyArray}
	} else {
		s.arrays = c.othersOfArray(c.rawArray(n, sc, false))
	}
	if n.types&tObject == 0 {
		s.objects = []*object{anyObject}
	} else {
		s.objects = c.othersOfObject(c.rawObject(n, sc, false), origin{n.v, ""})
	}
	if n.enum != nil {
		s = c.or(s, c.allBut(n.enum))
	}
	return s
}

// constants is the set of some values.
func (c *compiler) constants(list []*value) *set {
	s := &set{}
	var words []string
	for _, v := range list {
		if v.kind == '"' {
			words = append(words, v.text)
			continue
		}
		s = c.or(s, c.constant(v))
	}
	if words != nil {
		slices.Sort(words)
		s = c.or(s, &set{texts: []*text{{words: slices.Compact(words), max: -1}}})
	}
	return s
}

// constant is the set of one value.
func (c *compiler) constant(v *value) *set {
	switch v.kind {
	case 'n':
		return &set{null: true}
	case 't':
		return &set{yes: true}
	case 'f':
		return &set{no: true}
	case '0':
		x := v.rat()
		return &set{numbers: []*number{{min: x, max: x}}}
	case '"':
		return &set{texts: []*text{{words: []string{v.text}, max: -1}}}
	case '[':
		return &set{arrays: []*array{c.constantArray(v)}}
	}
	return &set{objects: []*object{c.constantObject(v)}}
}

func (c *compiler) constantArray(v *value) *array {
	a := &array{rest: noneTerm, min: len(v.vals), max: len(v.vals)}
	for _, w := range v.vals {
		a.prefix = append(a.prefix, c.term(w, nil, equals))
	}
	return a
}

func (c *compiler) constantObject(v *value) *object {
	o := &object{rest: noneTerm, min: len(v.vals), max: len(v.vals)}
	for i, w := range v.vals {
		o.props = append(o.props, property{v.keys[i], c.term(w, nil, equals), true})
	}
	return o
}

// allBut is the set of all values but some.
func (c *compiler) allBut(list []*value) *set {
	s := *anySet
	var words []string
	var points []*big.Rat
	for _, v := range list {
		switch v.kind {
		case 'n':
			s.null = false
		case 't':
			s.yes = false
		case 'f':
			s.no = false
		case '0':
			points = append(points, v.rat())
		case '"':
			words = append(words, v.text)
		case '[':
			s.arrays = pairs(c, s.arrays, c.othersOfArray(c.constantArray(v)), anyArray, c.andArrays)
		case '{':
			s.objects = pairs(c, s.objects, c.othersOfObject(c.constantObject(v), origin{v, ""}), anyObject, c.andObjects)
		}
	}
	if words != nil {
		slices.Sort(words)
		s.texts = c.others(&text{words: slices.Compact(words), max: -1})
	}
	if points != nil {
		slices.SortFunc(points, (*big.Rat).Cmp)
		s.numbers = gaps(points)
	}
	return &s
}

// gaps are the open intervals between sorted points.
func gaps(points []*big.Rat) []*number {
	var out []*number
	var last *big.Rat
	for _, p := range append(points, nil) {
		if last != nil && p != nil && last.Cmp(p) == 0 {
			continue
		}
		out = append(out, &number{min: last, openMin: last != nil, max: p, openMax: p != nil})
		last = p
	}
	return out
}
