package shape

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// A phrase is the set of strings of a Value as letters: the union of its parts. A
// point is the set of the parts' states that are still possible; how many characters
// were read is kept outside, one number for all parts.
type phrase struct {
	speller
	parts   []*String
	counted bool // some part bounds the length
	most    int  // lengths beyond it are alike
	// languageless: no part has a Language.
	languageless bool
	points       []*phrasePoint
	known        map[string]int32
	dist         map[place]finish
}

type phrasePoint struct {
	set   []part // in order
	edges []edge
	done  bool      // edges are computed
	fall  *fallback // nil: not computed
}

// A part is a part of the union, in one of its states.
type part struct{ index, state int32 }

// place is a point of a text and how many characters were read.
type place struct {
	point int32
	n     int32
}

// newPhrase makes the letters of a union; false if it has no strings. They begin at
// point 0.
func newPhrase(parts []*String, ids *ids) (*phrase, bool) {
	p := &phrase{known: map[string]int32{}, dist: map[place]finish{}}
	p.speller = speller{letters: p, known: map[letterKey]*local{}, kind: inString, ids: ids}
	var set []part
	for _, s := range parts {
		state := int32(0)
		if s.Language != nil {
			state = s.Language.Start()
		}
		i := int32(len(p.parts))
		p.parts = append(p.parts, s)
		if !p.canEnd(part{i, state}, 0) {
			p.parts = p.parts[:i]
			continue
		}
		set = append(set, part{i, state})
		p.counted = p.counted || s.Min > 0 || s.Max != nil
		p.most = max(p.most, s.Min)
		if s.Max != nil {
			p.most = max(p.most, *s.Max+1)
		}
	}
	p.languageless = !slices.ContainsFunc(p.parts, func(s *String) bool { return s.Language != nil })
	p.point(set)
	return p, len(set) > 0
}

// canEnd says whether the part has a string that goes on from here after n characters.
func (p *phrase) canEnd(x part, n int) bool {
	s := p.parts[x.index]
	if x.state == regular.Dead {
		return false
	}
	hi := -1
	if s.Max != nil {
		if hi = *s.Max - n; hi < 0 || *s.Max < s.Min {
			return false
		}
	}
	if s.Language == nil || n >= s.Min && hi < 0 { // states that are not dead are live
		return true
	}
	return s.Language.CanEnd(x.state, max(0, s.Min-n), hi)
}

// ends says whether the string may end at a point after n characters.
func (p *phrase) ends(point int32, n int) bool {
	return slices.ContainsFunc(p.points[point].set, func(x part) bool {
		s := p.parts[x.index]
		return n >= s.Min && (s.Max == nil || n <= *s.Max) && (s.Language == nil || s.Language.Accepting(x.state))
	})
}

// live says whether a string goes on from a point after n characters.
func (p *phrase) live(point int32, n int) bool {
	if !p.counted {
		return true
	}
	return slices.ContainsFunc(p.points[point].set, func(x part) bool { return p.canEnd(x, n) })
}

// liveAt is live for any position: some character that it may become leads on.
func (p *phrase) liveAt(l *local, n int) bool {
	switch {
	case !p.counted:
		return true
	case l.part.form == whole:
		return p.live(l.point, n)
	case l.to >= 0:
		return p.live(l.to, n+1)
	}
	ranges, count := l.part.runes()
	for _, e := range p.edges(l.point) {
		for _, g := range ranges[:count] {
			if max(e.lo, g.lo) <= min(e.hi, g.hi) && p.live(e.to, n+1) {
				return true
			}
		}
	}
	return false
}

// point interns a set of parts.
func (p *phrase) point(set []part) int32 {
	key := make([]byte, 0, 8*len(set))
	for _, x := range set {
		key = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(key, uint32(x.index)), uint32(x.state))
	}
	id, ok := p.known[string(key)]
	if !ok {
		id = int32(len(p.points))
		p.points = append(p.points, &phrasePoint{set: set})
		p.known[string(key)] = id
	}
	return id
}

func (p *phrase) edges(point int32) []edge {
	at := p.points[point]
	if !at.done {
		at.done = true
		lists := make([][]edge, len(at.set))
		for i, x := range at.set {
			lists[i] = clipped(p.parts[x.index].Language, x.state)
		}
		at.edges = merge(lists, func(to []int32) int32 {
			var set []part
			for i, state := range to {
				if state >= 0 {
					set = append(set, part{at.set[i].index, state})
				}
			}
			return p.point(set)
		})
	}
	return at.edges
}

// merge lays lists of edges over each other. Where any of them has an edge, so has the
// result, to the point that target makes of the points they lead to, -1 being none;
// its argument is valid for the call.
func merge(lists [][]edge, target func(to []int32) int32) []edge {
	if len(lists) == 1 {
		out := make([]edge, len(lists[0]))
		for i, e := range lists[0] {
			out[i] = edge{e.lo, e.hi, target([]int32{e.to})}
		}
		return out
	}
	// An event is the beginning of an edge of a list, or the place behind its end.
	type event struct {
		at    rune
		list  int
		to    int32
		opens int // ends before beginnings
	}
	var events []event
	for i, list := range lists {
		for _, e := range list {
			events = append(events, event{e.lo, i, e.to, 1}, event{e.hi + 1, i, -1, 0})
		}
	}
	slices.SortFunc(events, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.opens, b.opens)) })
	to := make([]int32, len(lists))
	for i := range to {
		to[i] = -1
	}
	var out []edge
	open := 0
	for i, e := range events {
		to[e.list] = e.to
		open += 2*e.opens - 1
		if open == 0 || i+1 < len(events) && events[i+1].at == e.at {
			continue
		}
		next := edge{e.at, events[i+1].at - 1, target(to)}
		if last := len(out) - 1; last >= 0 && out[last].to == next.to && out[last].hi == next.lo-1 && next.lo != 0xE000 {
			out[last].hi = next.hi
			continue
		}
		out = append(out, next)
	}
	return out
}

// free is a number of plain characters that may follow at a point after n characters,
// whatever they are. Behind them the string ends in at most so many bytes.
func (p *phrase) free(point int32, n int) (most int, end int32) {
	for _, x := range p.points[point].set {
		s := p.parts[x.index]
		k, cost := unbounded, max(0, s.Min-n)
		if s.Language != nil {
			if s.Min > n || s.Max != nil {
				continue // a run that the language allows may miss the length
			}
			k, cost = s.Language.FreeRunes(x.state)
			cost *= longestSpelling
		} else if s.Max != nil {
			k = *s.Max - n
		}
		if k > most {
			most, end = k, int32(min(cost, int(never)))
		}
	}
	return most, end
}
