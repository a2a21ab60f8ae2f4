package schema

import (
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
	"github.com/foundling-lm/foundling/generate/grammar/shape"
)

// maxContains bounds the contains keywords that meet in one array: each doubles the
// kinds of items.
const maxContains = 5

// Bounds of the shortest text. Each text of such a schema is longer than the context of
// any model, and its end would be worked out again at each of its tokens.
const (
	maxShortest = 1 << 17 // bytes
	maxMembers  = 2_000   // that an object must have
)

// A built is the shape of a term.
type built = shape.Value

// shapeOf is the shape of a term, nil if it is empty. The shape is filled later, by
// fill: terms may contain themselves.
func (c *compiler) shapeOf(t *term) *shape.Value {
	if c.isEmpty(t) {
		return nil
	}
	if t.anything() {
		if c.full == nil {
			c.full = shape.Any()
		}
		return c.full
	}
	if t.built == nil {
		t.built = &shape.Value{}
		c.queue = append(c.queue, t)
	}
	return t.built
}

// fill works the queue off: all terms that the shape of the root leads to.
func (c *compiler) fill() {
	for i := 0; i < len(c.queue) && c.err == nil; i++ {
		t := c.queue[i]
		s, v := c.set(t), t.built
		v.Null, v.True, v.False = s.null, s.yes, s.no
		for _, n := range s.numbers {
			v.Numbers = append(v.Numbers, c.shapeOfNumber(n))
		}
		for _, x := range s.texts {
			v.Strings = append(v.Strings, c.shapeOfText(t, x))
		}
		for _, a := range s.arrays {
			c.affordable(t, "an array has at least %d items", a.min, maxShortest/2)
			v.Arrays = append(v.Arrays, c.shapeOfArray(a))
		}
		for _, o := range s.objects {
			c.affordable(t, "an object has at least %d members", o.min, maxMembers)
			v.Objects = append(v.Objects, c.shapeOfObject(o))
		}
		c.spend(s.parts())
		if !c.probing {
			c.noteNever(t)
		}
	}
}

// bound is an upper bound as shapes have it.
func bound(max int) *int {
	if max < 0 || max >= unbounded {
		return nil
	}
	return &max
}

// regular is a language as shapes have it: nil is all strings.
func (l *language) regular() *regular.Language {
	if l == nil {
		return nil
	}
	return l.Language
}

// affordable refuses a schema that bounds something by too high a number.
func (c *compiler) affordable(t *term, what string, n, most int) {
	if n > most {
		c.limit(t, fmt.Sprintf(what+": the limit is %d", n, most))
	}
}

// limit ends the compilation at the schema of a term.
func (c *compiler) limit(t *term, message string) {
	e := &Error{Message: message, Limit: true}
	if len(t.literals) > 0 {
		v := t.literals[0].v
		e.Document, e.Pointer = v.doc.name, v.pointer()
	}
	c.fail(e)
}

// shapeOfNumber decides how numbers are written. Where the options ask for it, those of
// a set of nothing but integers are written as programs do that have a type for these.
func (c *compiler) shapeOfNumber(n *number) *shape.Number {
	out := &shape.Number{Min: n.min, Max: n.max, OpenMin: n.openMin, OpenMax: n.openMax, MultipleOf: n.step, NotMultipleOf: n.not, Whole: n.whole}
	if c.options.Written && n.integers() {
		if out.MultipleOf == nil {
			out.MultipleOf = one
		}
		out.Whole, out.NoMinusZero = true, true
	}
	return out
}

func (c *compiler) shapeOfText(t *term, x *text) *shape.String {
	l := c.unmeasured(x).regular()
	c.affordable(t, "a string has at least %d characters", x.min, maxShortest)
	if l != nil {
		if l.Err() != nil && l.Start() == regular.Dead {
			c.limit(t, l.Err().Error())
		}
		c.affordable(t, "the shortest string has %d bytes", l.ShortestLen(), maxShortest)
	}
	return &shape.String{Language: l, Min: x.min, Max: bound(x.max)}
}

func (c *compiler) shapeOfObject(o *object) *shape.Object {
	out := &shape.Object{Min: o.min, Max: bound(o.max), Rest: c.shapeOf(o.rest)}
	out.Properties = make([]shape.Property, len(o.props))
	for i, p := range o.props {
		out.Properties[i] = shape.Property{Name: p.name, Value: c.shapeOf(p.term), Required: p.required}
	}
	for _, k := range o.classes {
		out.Patterns = append(out.Patterns, shape.Pattern{Names: k.names.regular(), Value: c.shapeOf(k.term)})
	}
	for _, n := range o.needs {
		i := slices.IndexFunc(out.Dependent, func(d shape.Dependent) bool { return d.If == n[0] })
		if i < 0 {
			i = len(out.Dependent)
			out.Dependent = append(out.Dependent, shape.Dependent{If: n[0]})
		}
		out.Dependent[i].Then = append(out.Dependent[i].Then, n[1])
	}
	for _, s := range o.some {
		c.refuse(s.from.v, s.from.keyword, "its complement asks for a member of an unknown name, which cannot be enforced",
			"keep additionalProperties, patternProperties and propertyNames out of not and if, and make the branches of oneOf disjoint")
	}
	return out
}

func (c *compiler) shapeOfArray(a *array) *shape.Array {
	out := &shape.Array{Min: a.min, Max: bound(a.max), Unique: a.unique}
	if len(a.counts) > maxContains {
		c.refuse(a.counts[0].from.v, "contains", fmt.Sprintf("more than %d contains keywords meet in one array", maxContains), "")
		a.counts = nil
	}
	explicit := len(a.prefix)
	for _, n := range a.counts {
		out.Counts = append(out.Counts, shape.Count{Min: n.min, Max: bound(n.max)})
		explicit = max(explicit, n.start)
	}
	if a.max >= 0 {
		explicit = min(explicit, a.max)
	}
	for i := range explicit {
		out.Prefix = append(out.Prefix, c.item(a, i))
	}
	if a.max < 0 || explicit < a.max {
		out.Rest = c.item(a, explicit)
	}
	return out
}

// item is what one place of an array may hold: for each subset of the counts that see
// the place, the values that add to these and, where others have an upper bound, not
// to those.
func (c *compiler) item(a *array, place int) shape.Item {
	type choice struct {
		t    *term
		bits uint64
	}
	choices := []choice{{a.of(place), 0}}
	for i, n := range a.counts {
		if place < n.start {
			continue
		}
		var next []choice
		for _, ch := range choices {
			in := c.both(ch.t, n.term)
			if !c.isEmpty(in) {
				next = append(next, choice{in, ch.bits | 1<<i})
			}
			switch {
			case in == ch.t: // all such values add to the count
			case n.max < 0:
				next = append(next, ch)
			default:
				for _, u := range c.opposites(n.term) {
					if out := c.both(ch.t, u); !c.isEmpty(out) {
						next = append(next, choice{out, ch.bits})
					}
				}
			}
		}
		choices = next
	}
	var item shape.Item
	for _, ch := range choices {
		if v := c.shapeOf(ch.t); v != nil {
			item = append(item, shape.Choice{Value: v, Counts: ch.bits})
		}
	}
	return item
}
