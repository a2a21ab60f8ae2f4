package regular

import "fmt"

// Parse is the language of the texts that a pattern matches as a whole.
func Parse(pattern string, d Dialect) (*Language, error) {
	return compile(pattern, d, false)
}

// Search is the language of the texts in which a pattern matches somewhere, as JSON
// Schema's "pattern" asks. ^ and $ hold wherever they stand.
func Search(pattern string, d Dialect) (*Language, error) {
	return compile(pattern, d, true)
}

// MaxShortest bounds the bytes of the shortest text of a pattern.
const MaxShortest = 1 << 20

func compile(pattern string, d Dialect, anywhere bool) (*Language, error) {
	e, err := parsePattern(pattern, d)
	if err != nil {
		return nil, err
	}
	a := newArena(fmt.Sprintf("pattern %q", pattern))
	r := &resolver{a: a}
	r.before[word] = a.set(wordRunes)
	r.before[newline] = a.set(runes{'\n', '\n'})
	r.before[other] = a.set(wordRunes.or(runes{'\n', '\n'}).not())
	var root *node
	if anywhere {
		root = r.anywhere(e)
	} else {
		root = r.rest(e, same(a.empty))[begin]
	}
	if r.problem != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, r.problem)
	}
	if root.floor > MaxShortest && root.floor < infinite {
		return nil, fmt.Errorf("pattern %q: its shortest text has more than %d bytes", pattern, MaxShortest)
	}
	if a.err != nil {
		return nil, a.err
	}
	return a.made(root), nil
}

// What stands before a position: nothing, or a character of one of three kinds. It is
// all that ^, $, \b and their relatives ask of what is on the left.
const (
	begin = iota
	word
	newline
	other
)

// A view is a language for each of what may stand before a position.
type view [4]*node

func same(n *node) view { return view{n, n, n, n} }

func (v view) uniform() bool { return v[0] == v[1] && v[1] == v[2] && v[2] == v[3] }

// A resolver turns a pattern with assertions into a term without. Assertions are
// resolved from the right: rest says which texts may follow a position so that the
// expression matches there and one of a given view follows it. Look-ahead is then
// an intersection, the end of the text the intersection with the empty one.
type resolver struct {
	a       *arena
	before  [4]*set // the characters of each kind; nil for begin
	work    int
	problem error
}

// Bounds of the work on the assertions of one pattern.
const (
	maxResolve = 1 << 13 // expressions
	maxTimes   = 1000    // of a counter with assertions inside
)

func (r *resolver) fail(format string, args ...any) view {
	if r.problem == nil {
		r.problem = fmt.Errorf(format, args...)
	}
	return same(r.a.none)
}

// anywhere is the texts with a match at any position.
func (r *resolver) anywhere(e *expr) *node {
	a := r.a
	v := r.rest(e, same(a.all))
	if v.uniform() {
		return a.concat(a.all, v[begin])
	}
	list := []*node{v[begin]}
	for d := word; d <= other; d++ {
		list = append(list, a.concat(a.all, a.concat(a.class(r.before[d]), v[d])))
	}
	return a.union(list)
}

func (r *resolver) rest(e *expr, k view) view {
	if r.work++; r.work > maxResolve || r.a.closed || r.problem != nil {
		return r.fail("its assertions within repetitions take too much work")
	}
	a := r.a
	if e.free {
		return r.behind(r.term(e), k)
	}
	switch e.kind {
	case isSeq:
		for i := len(e.kids) - 1; i >= 0; i-- {
			j := i // a run without assertions is one term
			for j > 0 && e.kids[i].free && e.kids[j-1].free {
				j--
			}
			k = r.rest(group(isSeq, e.kids[j:i+1]), k)
			i = j
		}
		return k
	case isAlt:
		return r.alternatives(e, k)
	case isRepeat:
		return r.repeated(e, k)
	case isAhead:
		v := r.rest(e.kids[0], same(a.all))
		for i := range k {
			if e.negated {
				v[i] = a.not(v[i])
			}
			k[i] = a.inter([]*node{k[i], v[i]})
		}
		return k
	}
	return r.asserted(e.assert, k)
}

// alternatives resolves a union. The branches without assertions are one term.
func (r *resolver) alternatives(e *expr, k view) view {
	var free []*expr
	out := same(r.a.none)
	for _, x := range e.kids {
		if x.free {
			free = append(free, x)
		} else {
			out = r.join(out, r.rest(x, k))
		}
	}
	if len(free) > 0 {
		out = r.join(out, r.rest(group(isAlt, free), k))
	}
	return out
}

func (r *resolver) join(v, w view) view {
	for i := range v {
		v[i] = r.a.union([]*node{v[i], w[i]})
	}
	return v
}

// asserted is the part of a view that fits an assertion.
func (r *resolver) asserted(x assert, k view) view {
	a := r.a
	startsWith := func(s *set) *node { return a.concat(a.class(s), a.all) }
	keep := func(i int, l *node) { k[i] = a.inter([]*node{k[i], l}) }
	switch x {
	case textBegin:
		return view{begin: k[begin], word: a.none, newline: a.none, other: a.none}
	case lineBegin:
		k[word], k[other] = a.none, a.none
	case textEnd:
		for i := range k {
			keep(i, a.empty)
		}
	case lineEnd:
		for i := range k {
			keep(i, a.union([]*node{a.empty, startsWith(r.before[newline])}))
		}
	default:
		toWord := startsWith(r.before[word])
		toOther := a.union([]*node{a.empty, startsWith(a.set(wordRunes.not()))})
		for i := range k {
			if (x == wordEdge) == (i == word) {
				keep(i, toOther)
			} else {
				keep(i, toWord)
			}
		}
	}
	return k
}

// behind puts a term without assertions before a view: which language of the view
// follows is said by the last character of the term.
func (r *resolver) behind(t *node, k view) view {
	a := r.a
	if k.uniform() {
		return same(a.concat(t, k[begin]))
	}
	list := []*node{}
	for d := word; d <= other; d++ {
		if k[d] != a.none {
			list = append(list, a.concat(r.ending(t, d), k[d]))
		}
	}
	read := a.union(list)
	if !t.nullable {
		return same(read)
	}
	for i := range k {
		k[i] = a.union([]*node{k[i], read})
	}
	return k
}

// ending is the texts of a term that end in a character of a kind.
func (r *resolver) ending(t *node, d int) *node {
	a := r.a
	switch {
	case t.op == opConcat && !t.kids[1].nullable:
		return a.concat(t.kids[0], r.ending(t.kids[1], d))
	case t.op == opRepeat && t.max < 0 && t.kids[0].op == opSwitch:
		if x := t.kids[0]; len(x.cases) == 1 && x.cases[0].to == a.empty { // a class
			return a.concat(a.repeat(x, max(t.min-1, 0), -1), a.class(a.and(x.cases[0].set, r.before[d])))
		}
	}
	return a.inter([]*node{t, a.concat(a.all, a.class(r.before[d]))})
}

// term is the language of an expression without assertions.
func (r *resolver) term(e *expr) *node {
	a := r.a
	switch e.kind {
	case isSet:
		return a.class(a.set(e.set))
	case isSeq:
		out := a.empty
		for i := len(e.kids) - 1; i >= 0; i-- {
			out = a.concat(r.term(e.kids[i]), out)
		}
		return out
	case isAlt:
		kids := make([]*node, len(e.kids))
		for i, x := range e.kids {
			kids[i] = r.term(x)
		}
		return a.union(kids)
	default:
		return a.repeat(r.term(e.kids[0]), e.min, e.max)
	}
}
