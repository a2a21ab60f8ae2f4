package shape

import "math/big"

// leastNumber is the cost of ending a number.
func leastNumber(l *local) int32 {
	if l.shortest < 0 {
		l.shortest = never
		for _, d := range l.set {
			l.shortest = min(l.shortest, int32(d.leastRest()))
		}
	}
	return l.shortest
}

// leastRest is the length of a shortest rest of a number.
func (d *digits) leastRest() int {
	if d.least < 0 {
		switch {
		case d.accepting:
			d.least = 0
		case d.of.scientific:
			d.least = d.searchRest()
		default:
			d.least = d.of.plainRest(d)
		}
	}
	return d.least
}

// searchRest goes through the states behind d, the nearest first.
func (d *digits) searchRest() int {
	level, seen := []*digits{d}, map[*digits]bool{d: true}
	for length := 1; len(level) > 0; length++ {
		var next []*digits
		for _, from := range level {
			for char := range 14 {
				to := from.step(char)
				if to == nil || seen[to] {
					continue
				}
				if to.accepting {
					return length
				}
				seen[to] = true
				next = append(next, to)
			}
		}
		level = next
	}
	return int(never)
}

// plainRest asks for each number of digits before the point how many must be behind.
func (n *numeral) plainRest(d *digits) int {
	best := int(never)
	switch d.phase {
	case atPoint, inFrac:
		v := d.value()
		s := span{v, new(big.Rat).Add(v, scale(-len(d.frac)))}
		for more := 0; more <= 2*maxScale; more++ {
			if n.exists(s, scale(-len(d.frac)-more)) && (more > 0 || d.phase == inFrac) {
				return more
			}
		}
		return best
	case atSign, atStart:
		sign := 0
		if d.phase == atSign {
			sign = 1
		}
		for whole := 1; whole < best && whole <= len(n.lo.whole)+n.places+20; whole++ {
			s := span{scale(whole - 1), scale(whole)}
			if whole == 1 {
				s.lo = new(big.Rat)
			}
			best = min(best, n.withFraction(s, whole, best))
		}
		return sign + best
	}
	for more := 0; more < best; more++ {
		s, ok := n.longer(d, more)
		if !ok {
			break
		}
		best = min(best, n.withFraction(s, more, best))
	}
	return best
}

// withFraction is the least length of numbers of the span: length, and a fraction of
// some digits. It gives up at most.
func (n *numeral) withFraction(s span, length, most int) int {
	if !n.exists(s, nil) {
		return most
	}
	for digits := 0; digits <= maxScale; digits++ {
		total := length + digits
		if digits > 0 {
			total++
		}
		if total >= most {
			return most
		}
		if n.exists(s, scale(-digits)) {
			return total
		}
	}
	return most
}
