package shape

import (
	"container/heap"
)

// finish is the cheapest way to end a string: its length without the quotation mark,
// and the first character of it.
type finish struct {
	cost int32
	r    rune
	to   place
}

// finish finds the cheapest end of a string from a place.
func (p *phrase) finish(from place) finish {
	if known, ok := p.dist[from]; ok {
		return known
	}
	if p.languageless {
		return p.padding(from)
	}
	// A*, up to the first end: where lengths are counted, most ways lead nowhere soon.
	// What the path crosses is remembered.
	type came struct {
		from place
		r    rune
		cost int32
		done bool
	}
	reached := map[place]*came{from: {}}
	queue := &visits{{at: from, least: p.least(from)}}
	for queue.Len() > 0 {
		v := heap.Pop(queue).(visit)
		here := reached[v.at]
		known, ok := p.dist[v.at]
		switch {
		case v.final || p.ends(v.at.point, int(v.at.n)):
			// Walk back, filling in the distances.
			next := v.at
			if _, ok := p.dist[next]; !ok {
				p.dist[next] = finish{}
			}
			for next != from {
				c := reached[next]
				step := p.dist[next].cost + c.cost - reached[c.from].cost
				p.dist[c.from] = finish{cost: step, r: c.r, to: next}
				next = c.from
			}
			return p.dist[from]
		case here.done:
			continue
		case ok:
			here.done = true
			heap.Push(queue, visit{at: v.at, least: here.cost + known.cost, final: true})
			continue
		}
		here.done = true
		for _, e := range p.edges(v.at.point) {
			to := place{point: e.to}
			if p.counted {
				if to.n = min(v.at.n+1, int32(p.most)); !p.live(to.point, int(to.n)) {
					continue
				}
			}
			r := cheapRunes(e.lo, e.hi, 1)[0]
			cost := here.cost + spelledSize(r)
			if old := reached[to]; old == nil || cost < old.cost {
				reached[to] = &came{from: v.at, r: r, cost: cost}
				heap.Push(queue, visit{at: to, least: cost + p.least(to), ahead: cost})
			}
		}
	}
	return finish{cost: never}
}

// least is no more than the cost of an end from a place: the characters that are missing
// and the shortest text of the language. No step lowers it by more than it costs.
func (p *phrase) least(at place) int32 {
	least := never
	for _, x := range p.points[at.point].set {
		s := p.parts[x.index]
		n := int32(max(0, s.Min-int(at.n)))
		if s.Language != nil {
			n = max(n, int32(min(s.Language.Cost(x.state), int(never))))
		}
		least = min(least, n)
	}
	return least
}

// padding is finish where nothing but lengths is asked for.
func (p *phrase) padding(from place) finish {
	short := -1
	for _, s := range p.parts {
		if s.Max != nil && int(from.n) > *s.Max {
			continue
		}
		if missing := max(0, s.Min-int(from.n)); short < 0 || missing < short {
			short = missing
		}
	}
	if short <= 0 {
		return finish{}
	}
	return finish{cost: int32(short), r: 'a', to: place{from.point, from.n + 1}}
}

// partial is the cheapest end of a string at any position; text is how the character at
// hand is ended, then finish goes on.
func (p *phrase) partial(l *local, n int32) (best struct {
	cost int32
	text string
	to   place
}) {
	best.to = place{l.point, n}
	if l.part.form == whole {
		best.cost = p.finish(best.to).cost
		return best
	}
	best.cost = never
	if p.counted {
		n = min(n+1, int32(p.most))
	}
	try := func(lo, hi rune, point int32) {
		if lo > hi || !p.live(point, int(n)) {
			return
		}
		rest := p.finish(place{point, n}).cost
		for _, r := range cheapRunes(lo, hi, cheapClasses) {
			if text := l.part.rest(r); int32(len(text))+rest < best.cost {
				best.cost, best.text, best.to = int32(len(text))+rest, text, place{point, n}
			}
		}
	}
	ranges, count := l.part.runes()
	for _, g := range ranges[:count] {
		if l.to >= 0 {
			try(g.lo, g.hi, l.to)
			continue
		}
		for _, e := range p.edges(l.point) {
			try(max(e.lo, g.lo), min(e.hi, g.hi), e.to)
		}
	}
	return best
}

type visit struct {
	at    place
	least int32 // of a whole end through the place
	ahead int32 // of it, up to the place
	final bool
}

type visits []visit

func (v visits) Len() int { return len(v) }
func (v visits) Less(i, j int) bool {
	return v[i].least < v[j].least || v[i].least == v[j].least && v[i].ahead > v[j].ahead
}
func (v visits) Swap(i, j int) { v[i], v[j] = v[j], v[i] }
func (v *visits) Push(x any)   { *v = append(*v, x.(visit)) }
func (v *visits) Pop() any {
	last := (*v)[len(*v)-1]
	*v = (*v)[:len(*v)-1]
	return last
}
