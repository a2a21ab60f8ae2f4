package shape

import (
	"encoding/binary"
	"fmt"
	"slices"
)

type arrayPlan struct {
	*Array
	height int32
	prefix [][]option
	rest   []option
	least  map[tallyKey]int32 // what costs found
}

// An option is a Choice prepared.
type option struct {
	plan   *plan
	counts uint64
}

// tallyKey is a place in an array with counts; the bytes of tally are the counts, two
// each, no higher than matters.
type tallyKey struct {
	index int32
	tally string
	room  int32 // of the items, see costs.room
}

// Bounds on the work for arrays with counts.
const (
	maxCounts = 64
	maxTally  = 1000 // sum of the least numbers of items, and most items where they are bounded
)

func (m *Machine) array(a *Array) (*arrayPlan, error) {
	if len(a.Counts) > 0 {
		sum := a.Min
		for _, c := range a.Counts {
			sum += c.Min
			if c.Max != nil {
				sum += *c.Max
			}
		}
		switch {
		case len(a.Counts) > maxCounts:
			return nil, &UnsupportedError{a, fmt.Sprintf("more than %d bounds on contained items", maxCounts)}
		case sum > maxTally || a.Max != nil && *a.Max > maxTally:
			return nil, &UnsupportedError{a, fmt.Sprintf("bounds above %d beside bounds on contained items", maxTally)}
		}
	}
	p := &arrayPlan{Array: a, height: tooHigh, rest: m.options(a.Rest), least: map[tallyKey]int32{}}
	for _, item := range a.Prefix {
		p.prefix = append(p.prefix, m.options(item))
	}
	return p, nil
}

func (m *Machine) options(item Item) (out []option) {
	for _, c := range item {
		if c.Value != nil {
			out = append(out, option{m.planFor(c.Value), c.Counts})
		}
	}
	return out
}

// place is what item i may be.
func (p *arrayPlan) place(i int) []option {
	if p.Max != nil && i >= *p.Max {
		return nil
	}
	if i < len(p.prefix) {
		return p.prefix[i]
	}
	return p.rest
}

// never is the cost of what cannot be.
const never = int32(1) << 29

// fits says whether an array of items that open at most h containers exists.
func (p *arrayPlan) fits(h int32) bool {
	return p.closing(map[tallyKey]int32{}, costs{room: h}, 0, "") < never
}

// add is a tally with an item of the counts; false where a count goes beyond its bound.
func (p *arrayPlan) add(tally string, counts uint64) (string, bool) {
	if counts == 0 {
		return tally, true
	}
	b := make([]byte, 2*len(p.Counts))
	copy(b, tally)
	for i, c := range p.Counts {
		if counts>>i&1 == 0 {
			continue
		}
		n := int(binary.LittleEndian.Uint16(b[2*i:])) + 1
		if c.Max != nil && n > *c.Max {
			return "", false
		}
		if c.Max == nil {
			n = min(n, c.Min)
		}
		binary.LittleEndian.PutUint16(b[2*i:], uint16(n))
	}
	if slices.Max(b) == 0 {
		return "", true
	}
	return string(b), true
}

// enough says whether the counts reach their lower bounds.
func (p *arrayPlan) enough(tally string) bool {
	for i, c := range p.Counts {
		n := 0
		if tally != "" {
			n = int(binary.LittleEndian.Uint16([]byte(tally[2*i:])))
		}
		if n < c.Min {
			return false
		}
	}
	return true
}

// mayClose says whether the array may end behind index items.
func (p *arrayPlan) mayClose(index int, tally string) bool {
	return index >= p.Min && (p.Max == nil || index <= *p.Max) && p.enough(tally)
}

// closing is the cost of going on behind index items, each with a comma before it, up
// to the end of the array: never, if it cannot be. A plan's cost comes from c.
func (p *arrayPlan) closing(memo map[tallyKey]int32, c costs, index int, tally string) int32 {
	if p.mayClose(index, tally) {
		return 1
	}
	if p.Max != nil && p.Min > *p.Max {
		return never
	}
	if len(p.Counts) == 0 {
		total := int32(1)
		for ; index < p.Min && index < len(p.prefix); index++ {
			total = plus(total, 1+c.best(p.prefix[index]))
		}
		if index < p.Min {
			each := int64(1 + c.best(p.rest))
			total = plus(total, int32(min(each*int64(p.Min-index), int64(never))))
		}
		return total
	}
	if p.Max == nil { // indexes are alike where only the counts are open
		index = int(p.counted(index))
	}
	k := tallyKey{int32(index), tally, c.room}
	if known, ok := memo[k]; ok {
		return known
	}
	memo[k] = never // coming back here is no way to end
	best := never
	for _, o := range p.place(index) {
		if to, ok := p.add(tally, o.counts); ok {
			if cost := c.of(o.plan); cost < never {
				best = min(best, plus(cost, 1+p.closing(memo, c, index+1, to)))
			}
		}
	}
	memo[k] = best
	return best
}

// plus adds costs.
func plus(a, b int32) int32 { return min(a+b, never) }

// counted is a number of items, no higher than matters.
func (p *arrayPlan) counted(items int) int32 {
	if p.Max == nil {
		items = min(items, max(p.Min, len(p.prefix)))
	}
	return int32(items)
}
