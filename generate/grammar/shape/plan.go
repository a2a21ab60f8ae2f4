package shape

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// ids numbers the parts of a machine, so that sets of them have an order.
type ids int32

func (i *ids) next() int32 { *i++; return int32(*i) }

// A plan is a Value prepared for reading.
type plan struct {
	value  *Value
	index  int32 // in machine.plans
	height int32 // containers that the least nested of its values opens; tooHigh if it is empty

	numbers *local  // before a number; nil if there are none
	phrase  *phrase // nil if there are no strings
	arrays  []*arrayPlan
	objects []*objectPlan
}

// tooHigh is the height of the empty set.
const tooHigh = MaxDepth + 1

type objectPlan struct {
	*Object
	height   int32
	declared []declared // in order of their names
	required []int32
	classes  []*class
	naming   *naming
	// patterned: the names of some class are not all names.
	patterned bool
}

type declared struct {
	name string
	size int32   // of its spelling
	plan *plan   // nil: the name may not be
	then []int32 // names that must be where this is
}

// planFor prepares a Value and, by and by, all below it.
func (m *Machine) planFor(v *Value) *plan {
	if v == nil {
		return nil
	}
	p, ok := m.known[v]
	if ok {
		return p
	}
	key, plain := v.plain(nil)
	if p = m.alike[string(key)]; !plain || p == nil {
		p = &plan{value: v, index: int32(len(m.plans)), height: tooHigh}
		m.plans = append(m.plans, p)
	}
	if plain {
		m.alike[string(key)] = p
	}
	m.known[v] = p
	return p
}

// plain appends a text that tells a value without objects and nested arrays from all
// others of that kind, so that the same sets at many places are one plan.
func (v *Value) plain(key []byte) ([]byte, bool) {
	if len(v.Objects) > 0 {
		return nil, false
	}
	key = fmt.Append(key, v.Null, v.True, v.False)
	for _, n := range v.Numbers {
		key = fmt.Append(key, "n", n.Min, n.Max, n.OpenMin, n.OpenMax, n.MultipleOf, n.NotMultipleOf, n.Whole)
	}
	for _, s := range v.Strings {
		key = fmt.Appendf(key, "s%p %d", s.Language, s.Min)
		if s.Max != nil {
			key = fmt.Append(key, "-", *s.Max)
		}
	}
	for _, a := range v.Arrays {
		if len(a.Prefix) > 0 || len(a.Rest) != 1 || a.Rest[0].Value == nil || len(a.Rest[0].Value.Arrays) > 0 {
			return nil, false
		}
		key = fmt.Append(key, "a", a.Min, a.Unique, a.Counts, a.Rest[0].Counts)
		if a.Max != nil {
			key = fmt.Append(key, "-", *a.Max)
		}
		var ok bool
		if key, ok = a.Rest[0].Value.plain(append(key, '[')); !ok {
			return nil, false
		}
		key = append(key, ']')
	}
	return key, true
}

// prepare plans all values and finds which of them are empty.
func (m *Machine) prepare(v *Value) error {
	m.planFor(v)
	for i := 0; i < len(m.plans); i++ { // plans grow
		if err := m.fill(m.plans[i]); err != nil {
			return err
		}
	}
	// A value of height h is made of values of lower height.
	for h := int32(0); h <= MaxDepth; h++ {
		changed := false
		for _, p := range m.plans {
			changed = p.rise(h) || changed
		}
		if !changed && h > 0 {
			break
		}
	}
	for _, p := range m.plans {
		for _, a := range p.arrays {
			if a.Unique {
				if err := m.checkUnique(a); err != nil {
					return err
				}
			}
		}
	}
	return m.enoughUnique()
}

// fill makes the parts of a plan.
func (m *Machine) fill(p *plan) error {
	v := p.value
	if err := m.fillNumbers(p); err != nil {
		return err
	}
	if len(v.Strings) > 0 {
		if phrase, ok := newPhrase(v.Strings, &m.ids); ok {
			p.phrase = phrase
		}
	}
	for _, a := range v.Arrays {
		plan, err := m.array(a)
		if err != nil {
			return err
		}
		p.arrays = append(p.arrays, plan)
	}
	for _, o := range v.Objects {
		plan, err := m.object(o)
		if err != nil {
			return err
		}
		p.objects = append(p.objects, plan)
	}
	return nil
}

func (m *Machine) fillNumbers(p *plan) error {
	var set []*digits
	for _, n := range p.value.Numbers {
		parts, err := magnitudes(n)
		if err != nil {
			return &UnsupportedError{n, err.Error()}
		}
		for _, part := range parts {
			for _, numeral := range numerals(part, &m.ids) {
				if d := numeral.start(); d != nil {
					set = append(set, d)
				}
			}
		}
	}
	if len(set) > 0 {
		p.numbers = m.number(set)
	}
	return nil
}

// object prepares an Object: names that only Dependent knows become declared.
func (m *Machine) object(o *Object) (*objectPlan, error) {
	p := &objectPlan{Object: o, height: tooHigh}
	values := map[string]*Value{}
	for _, property := range o.Properties {
		values[property.Name] = property.Value
	}
	for _, d := range o.Dependent {
		for _, name := range append([]string{d.If}, d.Then...) {
			if _, known := values[name]; !known {
				values[name] = o.undeclared(name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) { // plans are numbered as they come
		d := declared{name: name, size: spelledLen(name)}
		if matches(o.Names, name) {
			d.plan = m.planFor(values[name])
		}
		p.declared = append(p.declared, d)
	}
	for _, property := range o.Properties {
		if property.Required {
			p.required = append(p.required, p.find(property.Name))
		}
	}
	slices.Sort(p.required)
	p.required = slices.Compact(p.required)
	for _, d := range o.Dependent {
		for _, name := range d.Then {
			i := p.find(d.If)
			p.declared[i].then = append(p.declared[i].then, p.find(name))
		}
	}
	if err := m.classes(p); err != nil {
		return nil, err
	}
	endless := slices.ContainsFunc(p.classes, func(c *class) bool { return c.count(c.start()) == manyWords })
	if len(p.Dependent) > 0 && !endless && p.Min > len(p.owed("")) {
		return nil, &UnsupportedError{o, "minProperties beside dependent names, where the other names are few"}
	}
	return p, nil
}

// find is the index of a declared name.
func (p *objectPlan) find(name string) int32 {
	i, _ := slices.BinarySearchFunc(p.declared, name, func(d declared, name string) int { return strings.Compare(d.name, name) })
	return int32(i)
}

// classes are the names of an object that are not declared, by the value they have.
func (m *Machine) classes(p *objectPlan) error {
	words := make([]string, len(p.declared))
	for i, d := range p.declared {
		words[i] = d.name
	}
	add := func(names *regular.Language, v *Value) error {
		if names != nil {
			switch empty, err := names.Empty(); {
			case err != nil:
				return &UnsupportedError{p.Object, "names of properties: " + err.Error()}
			case empty:
				return nil
			}
		}
		c := &class{names: names, value: m.planFor(v), words: map[int32]int{}, short: map[[2]int32]int32{}}
		c.phrase, _ = newPhrase([]*String{{Language: names}}, &m.ids)
		p.classes = append(p.classes, c)
		p.patterned = p.patterned || names != nil
		return nil
	}
	var taken []*regular.Language
	if len(words) > 0 {
		taken = append(taken, regular.Strings(words...))
	}
	for _, pattern := range p.Patterns {
		names := pattern.Names
		if pattern.Value != nil {
			if p.Names != nil {
				names = regular.Intersect(names, p.Names)
			}
			if len(taken) > 0 {
				names = regular.Difference(names, regular.Union(taken...))
			}
			if err := add(names, pattern.Value); err != nil {
				return err
			}
		}
		taken = append(taken, pattern.Names)
	}
	var err error
	switch {
	case p.Rest == nil:
	case p.Names == nil && len(p.Patterns) == 0:
		err = add(nil, p.Rest) // declared names are told apart where they end
	case len(taken) == 0:
		err = add(p.Names, p.Rest)
	default:
		names := p.Names
		if names == nil {
			names = regular.All()
		}
		err = add(regular.Difference(names, regular.Union(taken...)), p.Rest)
	}
	p.naming = newNaming(words, p.classes, &m.ids)
	return err
}

// rise gives height h to those parts of the plan that have it, given that all lower
// heights are known, and says whether there were any.
func (p *plan) rise(h int32) (risen bool) {
	v := p.value
	if h == 0 && (v.Null || v.True || v.False || p.numbers != nil || p.phrase != nil) {
		p.height, risen = 0, true
	}
	for _, a := range p.arrays {
		if h > 0 && a.height > h && a.fits(h-1) {
			a.height, risen = h, true
			p.height = min(p.height, h)
		}
	}
	for _, o := range p.objects {
		if h > 0 && o.height > h && o.fits(h-1) {
			o.height, risen = h, true
			p.height = min(p.height, h)
		}
	}
	return risen
}

// may says whether a value of the plan opens at most h containers.
func (p *plan) may(h int32) bool { return p != nil && p.height <= h }

// fits says whether an object of values that open at most h containers exists.
func (p *objectPlan) fits(h int32) bool {
	owed := p.owed("")
	for _, i := range owed {
		if !p.declared[i].plan.may(h) {
			return false
		}
	}
	if p.Max != nil && (len(owed) > *p.Max || p.Min > *p.Max) {
		return false
	}
	return p.Min <= len(owed) || p.capacity(h) >= p.Min-len(owed)
}

// capacity is the number of names that may be there besides the required ones, at most
// manyWords.
func (p *objectPlan) capacity(h int32) int {
	total := 0
	for _, c := range p.classes {
		if c.value.may(h) {
			total += c.count(c.start())
		}
	}
	owed := p.owed("")
	for i, d := range p.declared {
		if d.plan.may(h) && len(d.then) == 0 && !slices.Contains(owed, int32(i)) {
			total++
		}
	}
	return min(total, manyWords)
}

// owed are the declared names that must still come where those of seen came, in order.
func (p *objectPlan) owed(seen string) []int32 {
	var owed []int32
	for _, i := range p.required {
		if !hasBit(seen, i) {
			owed = append(owed, i)
		}
	}
	if len(p.Dependent) == 0 {
		return owed
	}
	add := func(list []int32) {
		for _, i := range list {
			if !hasBit(seen, i) && !slices.Contains(owed, i) {
				owed = append(owed, i)
			}
		}
	}
	for i := range p.declared {
		if hasBit(seen, int32(i)) {
			add(p.declared[i].then)
		}
	}
	for k := 0; k < len(owed); k++ {
		add(p.declared[owed[k]].then)
	}
	slices.Sort(owed)
	return owed
}

// Sets of small numbers are strings of bits, so that they may be parts of keys.
func hasBit(set string, i int32) bool {
	return int(i/8) < len(set) && set[i/8]>>(i%8)&1 != 0
}

func withBit(set string, i int32) string {
	b := make([]byte, max(len(set), int(i/8)+1))
	copy(b, set)
	b[i/8] |= 1 << (i % 8)
	return string(b)
}

// counted is a number of names, no higher than matters.
func (p *objectPlan) counted(names int32) int32 {
	if p.Max == nil {
		names = min(names, int32(p.Min))
	}
	return names
}
