package schema

import (
	"fmt"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// Limits of the work of one compilation.
const (
	maxWork  = 400_000 // literals, terms and intersections of parts
	maxParts = 2_000   // of one set
	maxHops  = 100     // references that lead to references

	stepsATerm = 4 // of a language: reading one takes that long, about
)

// A compiler turns schemas into sets. The first error sticks: what follows it is
// nothing.
type compiler struct {
	options  Options
	library  *library
	notes    *notes
	err      error
	refused  int // keywords passed over: lenient only
	work     int
	depth    int      // literals at work
	level    int      // questions about members and items at work
	working  *literal // the innermost literal at work
	blocked  *literal // the outermost literal at work that was met again
	nodes    map[*value]*node
	literals map[literalKey]*literal
	terms    map[string]*term
	scopes   map[string]*scope
	lang     *languages
	patterns map[string]*language
	targets  map[*value]*value // what $ref leads to
	queue    []*term           // terms whose shapes are not filled yet
	never    int               // members that no value satisfies
	probing  bool              // the work is for the words of an error: no notes
	full     *built
}

func newCompiler(o Options) *compiler {
	c := &compiler{options: o, notes: &notes{}}
	c.library = &library{options: o, byAddress: map[string]*resource{}, byRoot: map[*value]*resource{}, notes: c.notes}
	c.nodes, c.literals = map[*value]*node{}, map[literalKey]*literal{}
	c.terms, c.scopes = map[string]*term{}, map[string]*scope{}
	c.patterns, c.targets = map[string]*language{}, map[*value]*value{}
	c.lang = newLanguages(c.tooManyStates, c.spendTerms)
	return c
}

// fail keeps the first error.
func (c *compiler) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// refuse is called for a keyword that cannot be enforced: an error, or, where the
// options are lenient, a note, and the keyword counts as absent.
func (c *compiler) refuse(v *value, keyword, message, remedy string) {
	if c.options.Lenient {
		c.notes.add(v, keyword, message+": not enforced")
		c.refused++
		return
	}
	c.fail(refuse(v, keyword, message, remedy))
}

// spend counts work.
func (c *compiler) spend(n int) {
	if c.work += n; c.work > maxWork {
		c.tooLarge(fmt.Sprintf("compiling takes more than %d steps", maxWork))
	}
}

// width bounds the number of parts of a set.
func (c *compiler) width(n int) {
	if n > maxParts {
		c.tooLarge(fmt.Sprintf("a set of more than %d alternatives", maxParts))
	}
}

// tooLarge ends the compilation at a limit, at the schema that is being worked out.
func (c *compiler) tooLarge(message string) {
	e := &Error{Message: message + ": its branches multiply", Remedy: "use fewer branches in anyOf, oneOf and allOf, or make those of oneOf disjoint by a property with a constant", Limit: true}
	if c.working != nil {
		e.Document, e.Pointer = c.working.v.doc.name, c.working.v.pointer()
	}
	c.fail(e)
}

// spendTerms counts the work on a language of so many terms.
func (c *compiler) spendTerms(n int) { c.spend(n * stepsATerm) }

// tooManyStates ends the compilation where a language takes too much memory.
func (c *compiler) tooManyStates(err error) {
	e := &Error{Message: err.Error(), Limit: true}
	if c.working != nil {
		e.Document, e.Pointer = c.working.v.doc.name, c.working.v.pointer()
	}
	c.fail(e)
}

// inside is the scope within the resource of a schema.
func (c *compiler) inside(v *value, s *scope) *scope {
	if !v.doc.named {
		return s
	}
	return c.within(s, c.library.resourceOf(v))
}

// target goes on from schemas that are nothing but a reference.
func (c *compiler) target(v *value, s *scope) (*value, *scope) {
	s = c.inside(v, s)
	for hops := 0; v.kind == '{'; hops++ {
		ref := v.get("$ref")
		if ref == nil || ref.kind != '"' || len(v.keys) > 1 && !c.onlyReference(v) {
			break
		}
		if hops == maxHops {
			c.fail(refuse(v, "$ref", "the reference leads back to itself", "break the circle of $ref"))
			break
		}
		w, inner := c.refer(v, reference{"$ref", ref.text}, s)
		if w == nil {
			break
		}
		v, s = w, inner
	}
	return v, s
}

// onlyReference says that nothing beside $ref counts.
func (c *compiler) onlyReference(v *value) bool {
	d := c.library.resourceOf(v).draft
	if d != DraftDefault && d <= Draft7 {
		return true
	}
	for _, key := range v.keys {
		if k := keywordByName[key]; key != "$ref" && k != nil && d.has(k) && k.How != "annotation" && k.How != "structure" {
			return false
		}
	}
	return true
}

// refer follows a reference to a schema and its scope; nil if it was refused.
func (c *compiler) refer(from *value, r reference, s *scope) (*value, *scope) {
	key := from.get(r.keyword)
	v, known := c.targets[key]
	if !known {
		var err error
		if v, err = c.library.follow(from, r.keyword, r.to); err != nil {
			if e, ok := err.(*Error); ok && !e.Limit {
				c.refuse(from, r.keyword, e.Message, e.Remedy)
			} else {
				c.fail(err)
			}
		}
		c.targets[key] = v
	}
	if v == nil {
		return nil, s
	}
	if r.keyword != "$ref" {
		v = c.dynamic(v, r, s)
	}
	return v, c.inside(v, s)
}

// dynamic is where a $dynamicRef or $recursiveRef leads in a scope: if what it names is
// a dynamic anchor, to the outermost of that name.
func (c *compiler) dynamic(v *value, r reference, s *scope) *value {
	name := ""
	if r.keyword == "$dynamicRef" {
		for i := range r.to {
			if r.to[i] == '#' {
				name = r.to[i+1:]
			}
		}
		if a := v.get("$dynamicAnchor"); a == nil || a.text != name || name == "" {
			return v
		}
	} else if a := v.get("$recursiveAnchor"); a == nil || a.kind != 't' {
		return v
	}
	if w := s.target(name); w != nil {
		return w
	}
	return v
}

// pattern is the language of the strings in which a pattern is found; nil if it was
// refused.
func (c *compiler) pattern(v *value, keyword, p string) *language {
	if l, known := c.patterns[p]; known && l != nil {
		return l
	}
	m, err := regular.Search(p, regular.ECMA)
	if err != nil {
		c.refuse(v, keyword, fmt.Sprintf("it cannot be enforced: %v", err), "write it without what is named here")
		return nil
	}
	l := &language{Language: m}
	c.patterns[p] = l
	return l
}
