package regular

import (
	"cmp"
	"slices"
)

// The functions of this file make terms in a normal form. It is what keeps the number
// of derivatives finite (Brzozowski 1964: similarity), and small: unions of counters
// of the same part become one counter.

// class is the language of one character of a set; a nil set is empty.
func (a *arena) class(s *set) *node {
	if s == nil {
		return a.none
	}
	return a.choose(false, []arc{{s, a.empty}})
}

// choose is a switch. Its cases are disjoint.
func (a *arena) choose(eps bool, cases []arc) *node {
	cases = a.joined(cases)
	n := &node{op: opSwitch, eps: eps, nullable: eps, pure: true, cases: cases, floor: infinite}
	for _, c := range cases {
		n.floor = min(n.floor, c.set.length+c.to.floor)
	}
	if eps {
		n.floor = 0
	}
	return a.intern(n)
}

// joined drops arcs to nothing, joins those to the same term (but marks stay alone) and
// sorts by the first character.
func (a *arena) joined(arcs []arc) []arc {
	if len(arcs) == 1 && arcs[0].to != a.none && arcs[0].set != nil {
		return arcs
	}
	out := make([]arc, 0, len(arcs))
	at := make(map[*node]int, min(len(arcs), 64))
	for _, c := range arcs {
		if c.to == a.none || c.set == nil {
			continue
		}
		if c.set.isMark() {
			out = append(out, c)
		} else if i, ok := at[c.to]; ok {
			out[i].set = a.or(out[i].set, c.set)
		} else {
			at[c.to] = len(out)
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(x, y arc) int { return cmp.Compare(x.set.runes[0], y.set.runes[0]) })
	return out
}

func (a *arena) concat(x, y *node) *node {
	switch {
	case x == a.none || y == a.none:
		return a.none
	case x == a.empty:
		return y
	case y == a.empty:
		return x
	case x == a.all && y.nullable, y == a.all && x.nullable:
		return a.all
	case x.op == opConcat:
		return a.concat(x.kids[0], a.concat(x.kids[1], y))
	case x.isStar() && (y == x || y.op == opConcat && y.kids[0] == x):
		return y
	}
	return a.intern(&node{op: opConcat, kids: []*node{x, y}, nullable: x.nullable && y.nullable, pure: x.pure && y.pure, floor: add(x.floor, y.floor)})
}

// add adds costs.
func add(x, y int32) int32 { return min(x+y, infinite) }

// times multiplies a cost.
func times(n, x int32) int32 { return int32(min(int64(n)*int64(x), infinite)) }

func (a *arena) not(x *node) *node {
	switch {
	case x == a.none:
		return a.all
	case x == a.all:
		return a.none
	case x.op == opNot:
		return x.kids[0]
	}
	n := &node{op: opNot, kids: []*node{x}, nullable: !x.nullable}
	if x.nullable {
		n.floor = 1
	}
	return a.intern(n)
}

func (a *arena) repeat(x *node, least, most int32) *node {
	if x.nullable {
		least = 0
		if x.op == opSwitch {
			x = a.choose(false, x.cases)
		}
	}
	switch {
	case most == 0 || x == a.empty || x == a.none && least == 0:
		return a.empty
	case x == a.none:
		return a.none
	case least == 1 && most == 1 || x.isStar():
		return x
	case least == 0 && most == 1 && x.nullable:
		return x
	case least == 0 && most == 1 && x.op == opSwitch:
		return a.choose(true, x.cases)
	case most < 0 && x.op == opRepeat && x.min <= 1:
		return a.repeat(x.kids[0], x.min*least, -1)
	}
	return a.intern(&node{op: opRepeat, kids: []*node{x}, min: least, max: most, nullable: least == 0, pure: x.pure, floor: times(least, x.floor)})
}

func (a *arena) union(list []*node) *node {
	kids := flat(list, opUnion, nil)
	sortNodes(&kids)
	var switches []*node
	nullable := false
	others := kids[:0:0]
	for _, k := range kids {
		switch {
		case k == a.all:
			return a.all
		case k == a.none:
		case k.op == opSwitch:
			switches = append(switches, k)
		default:
			nullable = nullable || k.nullable
			others = append(others, k)
		}
	}
	if len(switches) > 0 {
		s := a.mergeSwitches(switches)
		if nullable && s.eps {
			s = a.choose(false, s.cases)
		}
		if s != a.none {
			others = append(others, s)
		}
	}
	others = a.mergeCounters(others)
	switch {
	case len(others) == 0:
		return a.none
	case len(others) == 1:
		return others[0]
	case slices.Contains(others, a.all):
		return a.all
	}
	sortNodes(&others)
	n := &node{op: opUnion, kids: others, pure: true, floor: infinite}
	for _, k := range others {
		n.nullable = n.nullable || k.nullable
		n.pure = n.pure && k.pure
		n.floor = min(n.floor, k.floor)
	}
	return a.intern(n)
}

// flat opens nested operations of one kind.
func flat(list []*node, o op, dst []*node) []*node {
	for _, n := range list {
		if n.op == o {
			dst = append(dst, n.kids...)
		} else {
			dst = append(dst, n)
		}
	}
	return dst
}

// sortNodes sorts by id and drops what is there twice.
func sortNodes(list *[]*node) {
	slices.SortFunc(*list, func(x, y *node) int { return cmp.Compare(x.id, y.id) })
	*list = slices.Compact(*list)
}

// mergeSwitches is the union of tries as one trie.
func (a *arena) mergeSwitches(list []*node) *node {
	if len(list) == 1 {
		return list[0]
	}
	eps := false
	var all [][]arc
	for _, n := range list {
		eps = eps || n.eps
		all = append(all, n.cases)
	}
	return a.choose(eps, a.overlay(all))
}

// overlay is the derivative of a union from those of its parts.
func (a *arena) overlay(parts [][]arc) []arc {
	type piece struct {
		set *set
		to  []*node
	}
	var out []piece
	for _, arcs := range parts {
		for _, c := range arcs {
			rest := c.set
			for i := 0; i < len(out) && rest != nil; i++ {
				both := a.and(out[i].set, rest)
				if both == nil {
					continue
				}
				if both != out[i].set {
					out = append(out, piece{a.sub(out[i].set, both), out[i].to})
					out[i].set = both
				}
				out[i].to = append(out[i].to[:len(out[i].to):len(out[i].to)], c.to)
				rest = a.sub(rest, both)
			}
			if rest != nil {
				out = append(out, piece{rest, []*node{c.to}})
			}
		}
	}
	arcs := make([]arc, len(out))
	for i, p := range out {
		if len(p.to) == 1 {
			arcs[i] = arc{p.set, p.to[0]}
		} else {
			arcs[i] = arc{p.set, a.union(p.to)}
		}
	}
	return arcs
}

// A run is a member of a union that is part{lo,hi} followed by tail.
type run struct {
	part, tail *node
	lo, hi     int32 // hi < 0: no bound
	n          *node
}

func (a *arena) runOf(n *node) (run, bool) {
	if n.op == opRepeat {
		return run{n.kids[0], a.empty, n.min, n.max, n}, true
	}
	if n.op == opConcat && n.kids[0].op == opRepeat {
		r := n.kids[0]
		return run{r.kids[0], n.kids[1], r.min, r.max, n}, true
	}
	return run{}, false
}

// like says whether n is tail, which is part{0,0} tail, or part and tail, once.
func (a *arena) like(r run, n *node) (times int32, ok bool) {
	switch {
	case n == r.tail:
		return 0, true
	case n == r.part && r.tail == a.empty, n.op == opConcat && n.kids[0] == r.part && n.kids[1] == r.tail:
		return 1, true
	}
	return 0, false
}

// mergeCounters joins members of a union that repeat the same part before the same
// tail where their bounds touch: x{2,5}t | x{4,9}t is x{2,9}t.
func (a *arena) mergeCounters(list []*node) []*node {
	var runs []run
	for _, n := range list {
		if r, ok := a.runOf(n); ok {
			runs = append(runs, r)
		}
	}
	if len(runs) == 0 || len(list) < 2 {
		return list
	}
	slices.SortFunc(runs, compareRuns)
	for i, known := 0, len(runs); i < known; i++ {
		if r := runs[i]; i == 0 || runs[i-1].part != r.part || runs[i-1].tail != r.tail {
			for _, n := range list {
				if k, ok := a.like(r, n); ok {
					runs = append(runs, run{r.part, r.tail, k, k, n})
				}
			}
		}
	}
	slices.SortFunc(runs, compareRuns)
	var gone, made []*node
	for i := 0; i < len(runs); {
		r, j := runs[i], i+1
		for ; j < len(runs) && runs[j].part == r.part && runs[j].tail == r.tail && (r.hi < 0 || runs[j].lo <= r.hi+1); j++ {
			if hi := runs[j].hi; hi < 0 || r.hi >= 0 && hi > r.hi {
				r.hi = hi
			}
		}
		if j > i+1 {
			made = append(made, a.concat(a.repeat(r.part, r.lo, r.hi), r.tail))
			for _, r := range runs[i:j] {
				gone = append(gone, r.n)
			}
		}
		i = j
	}
	if len(made) == 0 {
		return list
	}
	out := slices.DeleteFunc(slices.Clone(list), func(n *node) bool { return slices.Contains(gone, n) })
	return append(out, made...) // the caller sorts
}

func compareRuns(x, y run) int {
	return cmp.Or(cmp.Compare(x.part.id, y.part.id), cmp.Compare(x.tail.id, y.tail.id), cmp.Compare(x.lo, y.lo), cmp.Compare(x.hi, y.hi))
}

func (a *arena) inter(list []*node) *node {
	kids := flat(list, opInter, nil)
	sortNodes(&kids)
	others := kids[:0:0]
	for _, k := range kids {
		switch {
		case k == a.none:
			return a.none
		case k == a.all:
		case k.op == opNot && slices.Contains(kids, k.kids[0]):
			return a.none
		default:
			others = append(others, k)
		}
	}
	switch len(others) {
	case 0:
		return a.all
	case 1:
		return others[0]
	}
	for i, k := range others { // a finite language is looked up word by word
		if k.op == opSwitch {
			return a.filter(k, a.inter(slices.Delete(others, i, i+1)))
		}
	}
	n := &node{op: opInter, kids: others, nullable: true}
	for _, k := range others {
		n.nullable = n.nullable && k.nullable
		n.floor = max(n.floor, k.floor)
	}
	return a.intern(n)
}

// filter is what a trie and a term have in common, as a trie.
func (a *arena) filter(trie, x *node) *node {
	if trie == a.none || x == a.none {
		return a.none
	}
	if x == a.all {
		return trie
	}
	var cases []arc
	if len(trie.cases) > 0 {
		for _, d := range a.derive(x) {
			for _, c := range trie.cases {
				if both := a.and(c.set, d.set); both != nil {
					cases = append(cases, arc{both, a.filter(c.to, d.to)})
				}
			}
		}
	}
	return a.choose(trie.eps && x.nullable, cases)
}
