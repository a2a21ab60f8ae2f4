package cfg

import (
	"fmt"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// infinite is the cost of a text that does not exist, huge that of one too long to
// count.
const (
	infinite = 1 << 30
	huge     = infinite - 1
)

// A cost is what the shortest texts of an expression take, in bytes.
type cost struct {
	nullable bool
	some     int // the shortest text that is not empty; infinite: there is none
}

func (c cost) any() int {
	if c.nullable {
		return 0
	}
	return c.some
}

func plus(a, b int) int {
	if a == infinite || b == infinite {
		return infinite
	}
	return min(a+b, huge)
}

// A compiler turns a grammar into terms with marks: mark k stands for the texts of
// rule k that are not empty.
type compiler struct {
	g         *Grammar
	t         *regular.Terms
	costs     []cost
	recursive []bool  // the rule calls itself, through others perhaps
	whole     []int32 // the term of a rule that is not recursive, -1: not made
	bodies    []int32 // the texts of a recursive rule that are not empty
	languages map[*expr]int32
}

func (g *Grammar) compile() (*run, error) {
	c := &compiler{g: g, t: regular.NewTerms("the grammar"), languages: map[*expr]int32{}}
	n := len(g.rules)
	c.costs, c.whole, c.bodies = make([]cost, n), make([]int32, n), make([]int32, n)
	for i := range n {
		c.costs[i].some, c.whole[i], c.bodies[i] = infinite, -1, c.t.None()
	}
	if err := g.lost(); err != nil {
		return nil, err
	}
	c.recursive = c.g.recursion()
	if err := c.exceptions(); err != nil {
		return nil, err
	}
	c.measure()
	start := g.rules[g.start]
	if c.costs[g.start].any() >= infinite {
		return nil, fmt.Errorf("%v: rule %s has no text that ends", g.place(start.at), start.name)
	}
	for i, r := range g.rules {
		if s := c.costs[i].some; c.recursive[i] && s < infinite {
			if s > MaxShortest {
				return nil, fmt.Errorf("%v: the shortest text of rule %s has more than %d bytes", g.place(r.at), r.name, MaxShortest)
			}
			c.bodies[i] = c.t.NonEmpty(c.term(r.body))
		}
	}
	if c.costs[g.start].any() > MaxShortest {
		return nil, fmt.Errorf("%v: the shortest text of rule %s has more than %d bytes", g.place(start.at), start.name, MaxShortest)
	}
	if err := c.unwind(); err != nil {
		return nil, err
	}
	root := c.ref(g.start)
	if err := c.t.Err(); err != nil {
		return nil, err
	}
	return newRun(c.t, c.bodies, root), nil
}

// lost says which rule has a regular language that was too large to be made.
func (g *Grammar) lost() (err error) {
	for _, r := range g.rules {
		r.body.each(func(e *expr) {
			if e.kind == isLanguage && err == nil && e.language.Err() != nil {
				err = fmt.Errorf("%v: rule %s: %w", g.place(r.at), r.name, e.language.Err())
			}
		})
	}
	return err
}

// measure computes the costs of all rules: the least solution of their equations,
// from above (Knuth 1977).
func (c *compiler) measure() {
	for changed := true; changed; {
		changed = false
		for i := len(c.g.rules) - 1; i >= 0; i-- {
			if now := c.cost(c.g.rules[i].body); now != c.costs[i] {
				c.costs[i], changed = now, true
			}
		}
	}
}

func (c *compiler) cost(e *expr) cost {
	switch e.kind {
	case isText:
		if e.text == "" {
			return cost{true, infinite}
		}
		return cost{false, len(e.text)}
	case isRef:
		return c.costs[e.rule]
	case isSeq:
		out := cost{true, infinite}
		for _, kid := range e.kids {
			k := c.cost(kid)
			out = cost{out.nullable && k.nullable, min(plus(out.some, k.any()), plus(out.any(), k.some))}
		}
		return out
	case isAlt:
		out := cost{false, infinite}
		for _, kid := range e.kids {
			k := c.cost(kid)
			out = cost{out.nullable || k.nullable, min(out.some, k.some)}
		}
		return out
	case isRepeat:
		k := c.cost(e.kids[0])
		switch {
		case e.max == 0:
			return cost{true, infinite}
		case k.nullable || e.min == 0:
			return cost{true, k.some}
		case k.some == infinite:
			return cost{false, infinite}
		}
		return cost{false, min(e.min*k.some, huge)}
	default:
		x := c.leaf(e)
		return cost{c.t.Accepting(x), min(c.t.Cost(c.t.NonEmpty(x)), infinite)}
	}
}

// leaf is the term of a class, of a language or of an exception.
func (c *compiler) leaf(e *expr) int32 {
	x, ok := c.languages[e]
	if ok {
		return x
	}
	switch {
	case e.kind == isLanguage:
		x = c.t.Language(e.language)
	case e.kind == isExcept:
		x = c.t.Minus(c.term(e.kids[0]), c.term(e.kids[1]))
	case e.negated:
		x = c.t.Except(e.set...)
	default:
		x = c.t.Class(e.set...)
	}
	c.languages[e] = x
	return x
}

// term is the term of an expression.
func (c *compiler) term(e *expr) int32 {
	switch e.kind {
	case isText:
		return c.t.Text(e.text)
	case isRef:
		return c.ref(e.rule)
	case isSeq, isAlt:
		kids := make([]int32, len(e.kids))
		for i, kid := range e.kids {
			kids[i] = c.term(kid)
		}
		if e.kind == isSeq {
			return c.t.Concat(kids...)
		}
		return c.t.Union(kids...)
	case isRepeat:
		return c.t.Repeat(c.term(e.kids[0]), e.min, e.max)
	}
	return c.leaf(e)
}

// ref is the term of a rule's texts.
func (c *compiler) ref(i int) int32 {
	switch {
	case c.recursive[i]:
		x := c.t.None()
		if c.costs[i].some < infinite {
			x = c.t.Mark(i, c.costs[i].some)
		}
		if c.costs[i].nullable {
			x = c.t.Union(c.t.Empty(), x)
		}
		return x
	case c.whole[i] < 0:
		c.whole[i] = c.term(c.g.rules[i].body)
	}
	return c.whole[i]
}

// exceptions checks that what is excepted is regular.
func (c *compiler) exceptions() error {
	calling := make([]int8, len(c.g.rules)) // 1: calls no recursive rule, 2: calls one
	var calls func(e *expr) bool
	calls = func(e *expr) (found bool) {
		e.each(func(x *expr) {
			if x.kind != isRef || found {
				return
			}
			if calling[x.rule] == 0 && !c.recursive[x.rule] {
				calling[x.rule] = 1
				if calls(c.g.rules[x.rule].body) {
					calling[x.rule] = 2
				}
			}
			found = c.recursive[x.rule] || calling[x.rule] == 2
		})
		return found
	}
	var err error
	for _, r := range c.g.rules {
		r.body.each(func(e *expr) {
			if e.kind == isExcept && err == nil && calls(e) {
				err = fmt.Errorf("%v: an exception (minus) with rules that call themselves is not supported", c.g.place(e.at))
			}
		})
	}
	return err
}
