package schema

// An array is a set of arrays: a conjunction of statements about items.
type array struct {
	prefix   []*term
	rest     *term // items behind the prefix
	min, max int   // number of items; max < 0: no bound
	unique   bool
	counts   []count
	seen     *seenItems // what in-place schemas have evaluated; nil where nobody asks
	from     origin     // of unique
}

// A count bounds the number of items that satisfy a term (contains), counting from an
// index on.
type count struct {
	term     *term
	start    int
	min, max int // max < 0: no bound
	from     origin
}

// of is the statement about the item of an index.
func (a *array) of(i int) *term {
	if i < len(a.prefix) {
		return a.prefix[i]
	}
	return a.rest
}

// andArrays is the intersection: one part, or none if it is empty.
func (c *compiler) andArrays(a, b *array) []*array {
	out := &array{min: max(a.min, b.min), max: smaller(a.max, b.max), unique: a.unique || b.unique, from: a.from}
	if !a.unique {
		out.from = b.from
	}
	for i := range max(len(a.prefix), len(b.prefix)) {
		out.prefix = append(out.prefix, c.both(a.of(i), b.of(i)))
	}
	out.rest = c.both(a.rest, b.rest)
	out.counts = append(a.counts[:len(a.counts):len(a.counts)], b.counts...)
	out.seen = a.seen.join(b.seen)
	if !c.tidyArray(out) {
		return nil
	}
	return []*array{out}
}

// tidyArray finishes an array and says whether any is left.
func (c *compiler) tidyArray(a *array) bool {
	for i, t := range a.prefix {
		if (a.max < 0 || i < a.max) && c.isEmpty(t) {
			a.max = i
		}
	}
	if a.max >= 0 && len(a.prefix) > a.max {
		a.prefix = a.prefix[:a.max]
	}
	if (a.max < 0 || a.max > len(a.prefix)) && c.isEmpty(a.rest) {
		a.max = len(a.prefix)
	}
	if a.max >= 0 && a.min > a.max {
		return false
	}
	for _, n := range a.counts {
		if n.max >= 0 && n.min > n.max || n.min > 0 && c.atMost(a, n) < n.min {
			return false
		}
	}
	return true
}

// atMost is how many items can satisfy a count; a high number if there is no bound.
func (c *compiler) atMost(a *array, n count) int {
	possible := 0
	for i := n.start; i < len(a.prefix); i++ {
		if !c.isEmpty(c.both(a.prefix[i], n.term)) {
			possible++
		}
	}
	if a.max >= 0 && a.max <= len(a.prefix) || c.isEmpty(c.both(a.rest, n.term)) {
		return possible
	}
	if a.max >= 0 {
		return possible + a.max - max(len(a.prefix), n.start)
	}
	return 1 << 40
}

// othersOfArray is the complement among arrays.
func (c *compiler) othersOfArray(a *array) []*array {
	var out []*array
	add := func(b *array) {
		if c.tidyArray(b) {
			out = append(out, b)
		}
	}
	anyPrefix := func(n int) []*term {
		p := make([]*term, n)
		for i := range p {
			p[i] = anyTerm
		}
		return p
	}
	if a.min > 0 {
		add(&array{rest: anyTerm, max: a.min - 1})
	}
	if a.max >= 0 {
		add(&array{rest: anyTerm, min: a.max + 1, max: -1})
	}
	for i, t := range a.prefix {
		for _, u := range c.opposites(t) {
			p := anyPrefix(i + 1)
			p[i] = u
			add(&array{prefix: p, rest: anyTerm, min: i + 1, max: -1})
		}
	}
	for _, u := range c.opposites(a.rest) {
		add(&array{rest: anyTerm, max: -1, counts: []count{{term: u, start: len(a.prefix), min: 1, max: -1}}})
	}
	for _, n := range a.counts {
		if n.min > 0 {
			m := n
			m.min, m.max = 0, n.min-1
			add(&array{rest: anyTerm, max: -1, counts: []count{m}})
		}
		if n.max >= 0 {
			m := n
			m.min, m.max = n.max+1, -1
			add(&array{rest: anyTerm, max: -1, counts: []count{m}})
		}
	}
	if a.unique {
		c.refuse(a.from.v, a.from.keyword, "the arrays with equal items cannot be written as a set", "keep uniqueItems out of not, oneOf and if")
	}
	return out
}

// opposites is the complement of a term as a union of terms.
func (c *compiler) opposites(t *term) []*term {
	if t.none {
		return []*term{anyTerm}
	}
	out := make([]*term, 0, len(t.literals))
	for _, l := range t.literals {
		out = append(out, c.term(l.v, l.scope, l.mode.opposite()))
	}
	return out
}
