package regular

// derive returns the derivatives of a term: disjoint sets of characters, each with
// what may follow them; characters in none of the sets are followed by nothing
// (Brzozowski 1964; with classes of characters, Owens, Reppy & Turon 2009). Past the
// limit of memory it returns nil and a.err is set.
func (a *arena) derive(n *node) []arc {
	if n.arcs != nil {
		return n.arcs
	}
	if n.op == opSwitch {
		n.arcs = n.cases
		if n.arcs == nil {
			n.arcs = []arc{}
		}
		return n.arcs
	}
	if a.closed {
		return nil
	}
	before := a.refused
	arcs := a.joined(a.derivatives(n))
	if a.refused != before || !a.spend(16*len(arcs)) {
		return nil
	}
	n.arcs = arcs
	return arcs
}

func (a *arena) derivatives(n *node) []arc {
	switch n.op {
	case opConcat:
		first := a.follow(a.derive(n.kids[0]), n.kids[1])
		if !n.kids[0].nullable {
			return first
		}
		return a.overlay([][]arc{first, a.derive(n.kids[1])})
	case opRepeat:
		rest := n.max
		if rest > 0 {
			rest--
		}
		return a.follow(a.derive(n.kids[0]), a.repeat(n.kids[0], max(n.min-1, 0), rest))
	case opUnion:
		parts := make([][]arc, len(n.kids))
		for i, k := range n.kids {
			parts[i] = a.derive(k)
		}
		return a.overlay(parts)
	case opNot:
		return a.invert(a.derive(n.kids[0]))
	default:
		arcs := a.derive(n.kids[0])
		for _, k := range n.kids[1:] {
			arcs = a.cross(arcs, a.derive(k))
		}
		return arcs
	}
}

// follow puts a tail behind each term.
func (a *arena) follow(arcs []arc, tail *node) []arc {
	out := make([]arc, len(arcs))
	for i, c := range arcs {
		out[i] = arc{c.set, a.concat(c.to, tail)}
	}
	return out
}

// invert is the derivative of a complement.
func (a *arena) invert(arcs []arc) []arc {
	var out []arc
	rest := a.set(anyRune)
	for _, c := range arcs {
		out = append(out, arc{c.set, a.not(c.to)})
		if rest != nil {
			rest = a.sub(rest, c.set)
		}
	}
	if rest != nil {
		out = append(out, arc{rest, a.all})
	}
	return out
}

// cross is the derivative of an intersection of two.
func (a *arena) cross(x, y []arc) []arc {
	var out []arc
	for _, c := range x {
		for _, d := range y {
			if both := a.and(c.set, d.set); both != nil {
				if to := a.inter([]*node{c.to, d.to}); to != a.none {
					out = append(out, arc{both, to})
				}
			}
		}
	}
	return out
}
