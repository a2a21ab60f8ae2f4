package regular

import (
	"math"
	"slices"
)

// lengths is a set of lengths: those of the spans, and from the number tail on those
// for which (n-tail) mod len(cycle) is set in cycle. The set of the lengths of a
// regular language always has this form.
type lengths struct {
	spans []lengthSpan // sorted, disjoint, not touching, below tail if there is a cycle
	tail  int
	cycle []bool // empty: the set is finite
}

type lengthSpan struct{ lo, hi int }

// Bounds of a set of lengths; past them it is not computed.
const (
	maxLength = 1 << 40
	maxSpans  = 1 << 14
	maxCycle  = 1 << 12
	maxWindow = 1 << 22 // numbers written out to find a cycle
)

// only is the set of the numbers from lo to hi.
func only(lo, hi int) *lengths { return &lengths{spans: []lengthSpan{{lo, hi}}} }

// from is the set of all numbers from lo on.
func from(lo int) *lengths { return &lengths{tail: lo, cycle: []bool{true}} }

// multiples is the set of 0, n, 2n, ...
func multiples(n int) *lengths {
	cycle := make([]bool, n)
	cycle[0] = true
	return &lengths{cycle: cycle}
}

var noLengths = &lengths{}

func (s *lengths) isEmpty() bool { return len(s.spans) == 0 && len(s.cycle) == 0 }

// meets says whether the set has a number between lo and hi; hi < 0 is no bound.
func (s *lengths) meets(lo, hi int) bool {
	if hi < 0 {
		hi = math.MaxInt
	}
	if hi < lo {
		return false
	}
	i, _ := slices.BinarySearchFunc(s.spans, lo, func(a lengthSpan, lo int) int { return a.hi - lo })
	if i < len(s.spans) && s.spans[i].lo <= hi {
		return true
	}
	for n, k := max(lo, s.tail), 0; k < len(s.cycle) && n <= hi; n, k = n+1, k+1 {
		if s.cycle[(n-s.tail)%len(s.cycle)] {
			return true
		}
	}
	return false
}

// or is the union, nil past the bounds.
func (s *lengths) or(t *lengths) *lengths {
	if s == nil || t == nil {
		return nil
	}
	if len(s.cycle) <= 1 && len(t.cycle) <= 1 {
		return spanned(slices.Concat(s.spans, t.spans), min(s.ray(), t.ray()))
	}
	period := lcm(max(len(s.cycle), 1), max(len(t.cycle), 1))
	tail := max(s.end(), t.end())
	if period > maxCycle || tail > maxWindow {
		return nil
	}
	if tail == 0 {
		tail = 1
	}
	a, b := s.bits(tail+period), t.bits(tail+period)
	for i := range a {
		a[i] = a[i] || b[i]
	}
	return cycled(a, tail, period)
}

// anyOf is the union of sets, nil past the bounds.
func anyOf(sets []*lengths) *lengths {
	out := noLengths
	for _, s := range sets {
		if s != noLengths {
			out = out.or(s)
		}
	}
	return out
}

// end is a number from which on the set follows its cycle, if any.
func (s *lengths) end() int {
	if len(s.cycle) > 0 {
		return s.tail
	}
	if len(s.spans) == 0 {
		return 0
	}
	return s.spans[len(s.spans)-1].hi + 1
}

// bits writes the set out for the numbers below n.
func (s *lengths) bits(n int) []bool {
	out := make([]bool, n)
	for _, p := range s.spans {
		for i := p.lo; i <= p.hi && i < n; i++ {
			out[i] = true
		}
	}
	if len(s.cycle) > 0 {
		for i := s.tail; i < n; i++ {
			out[i] = s.cycle[(i-s.tail)%len(s.cycle)]
		}
	}
	return out
}

// ray is the number from which on the set has all, math.MaxInt for none; its cycle has
// at most one member.
func (s *lengths) ray() int {
	if len(s.cycle) == 0 {
		return math.MaxInt
	}
	return s.tail
}

// least is the smallest number of a set that is not empty.
func (s *lengths) least() int {
	if len(s.spans) > 0 {
		return s.spans[0].lo
	}
	return s.tail + slices.Index(s.cycle, true)
}

// spanned makes a set of spans in any order and of all numbers from ray on; a ray of
// math.MaxInt is none.
func spanned(spans []lengthSpan, ray int) *lengths {
	slices.SortFunc(spans, func(a, b lengthSpan) int { return a.lo - b.lo })
	var out []lengthSpan
	for _, p := range spans {
		if n := len(out); n > 0 && p.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, p.hi)
		} else {
			out = append(out, p)
		}
	}
	for n := len(out); n > 0 && ray < math.MaxInt && out[n-1].hi >= ray-1; n-- {
		ray, out = min(ray, out[n-1].lo), out[:n-1]
	}
	if len(out) > maxSpans || len(out) > 0 && out[len(out)-1].hi > maxLength {
		return nil
	}
	if ray == math.MaxInt {
		return &lengths{spans: out}
	}
	return &lengths{spans: out, tail: ray, cycle: []bool{true}}
}

// cycled makes a set of its numbers below tail+period and a period from tail on, in
// the form with the shortest cycle and the earliest tail.
func cycled(bits []bool, tail, period int) *lengths {
	cycle := bits[tail : tail+period]
	for p := 1; p <= period; p++ {
		if period%p == 0 && hasPeriod(cycle, p) {
			cycle = cycle[:p]
			break
		}
	}
	p := len(cycle)
	for tail > 0 && bits[tail-1] == bits[tail-1+p] {
		tail--
	}
	s := &lengths{}
	if cycle = bits[tail : tail+p]; slices.Contains(cycle, true) {
		s.tail, s.cycle = tail, slices.Clone(cycle)
	}
	for i := 0; i < tail; i++ {
		if !bits[i] {
			continue
		}
		j := i
		for j+1 < tail && bits[j+1] {
			j++
		}
		s.spans = append(s.spans, lengthSpan{i, j})
		i = j
	}
	if len(s.spans) > maxSpans {
		return nil
	}
	return s
}

func hasPeriod(cycle []bool, p int) bool {
	for i := p; i < len(cycle); i++ {
		if cycle[i] != cycle[i-p] {
			return false
		}
	}
	return true
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func lcm(a, b int) int { return a / gcd(a, b) * b }

// plus is the set of the sums of a number of each, nil past the bounds.
func (s *lengths) plus(t *lengths) *lengths {
	if s == nil || t == nil {
		return nil
	}
	if s.isEmpty() || t.isEmpty() {
		return noLengths
	}
	if len(s.cycle) <= 1 && len(t.cycle) <= 1 {
		if len(s.spans)*len(t.spans) > maxSpans*16 {
			return nil
		}
		sums := make([]lengthSpan, 0, len(s.spans)*len(t.spans))
		for _, p := range s.spans {
			for _, q := range t.spans {
				sums = append(sums, lengthSpan{p.lo + q.lo, p.hi + q.hi})
			}
		}
		ray := math.MaxInt
		if len(s.cycle) > 0 {
			ray = s.tail + t.least()
		}
		if len(t.cycle) > 0 {
			ray = min(ray, t.tail+s.least())
		}
		return spanned(sums, ray)
	}
	// A sum of two sets with periods p and q has the period lcm(p, q) from the sum of
	// their ends and that period on: a number beyond has a summand that may lose or
	// gain a period.
	period := lcm(max(len(s.cycle), 1), max(len(t.cycle), 1))
	if period > maxCycle {
		return nil
	}
	tail := s.end() + t.end() + 2*period
	if tail > maxWindow {
		return nil
	}
	a, b := s.bits(tail+period), t.bits(tail+period)
	return cycled(sumBits(a, b), tail, period)
}

// sumBits is the set of sums of two sets written out, below their common length. The
// second is taken run by run, so that intervals are cheap.
func sumBits(a, b []bool) []bool {
	n := len(a)
	diff := make([]int32, n+1)
	runsOf := func(x []bool) (out []lengthSpan) {
		for i := 0; i < n; i++ {
			if x[i] {
				j := i
				for j+1 < n && x[j+1] {
					j++
				}
				out = append(out, lengthSpan{i, j})
				i = j
			}
		}
		return out
	}
	second := runsOf(b)
	for _, p := range runsOf(a) {
		for _, q := range second {
			if p.lo+q.lo >= n {
				break
			}
			diff[p.lo+q.lo]++
			diff[min(p.hi+q.hi+1, n)]--
		}
	}
	out := make([]bool, n)
	depth := int32(0)
	for i := range out {
		depth += diff[i]
		out[i] = depth > 0
	}
	return out
}

// times is the set of the sums of least to most numbers of the set (most < 0: no
// bound), nil past the bounds.
func (s *lengths) times(least, most int) *lengths {
	if s == nil {
		return nil
	}
	if s.isEmpty() {
		if least == 0 {
			return only(0, 0)
		}
		return noLengths
	}
	if len(s.spans) == 1 && len(s.cycle) == 0 && s.spans[0] == (lengthSpan{1, 1}) {
		if most < 0 {
			return from(least)
		}
		return only(least, most)
	}
	out := s.power(least)
	if most < 0 {
		return out.plus(s.star())
	}
	return out.plus(s.or(only(0, 0)).power(most - least))
}

func (s *lengths) power(n int) *lengths {
	out := only(0, 0)
	for square := s; n > 0; n >>= 1 {
		if n&1 == 1 {
			out = out.plus(square)
		}
		if n > 1 {
			square = square.plus(square)
		}
	}
	return out
}

// star is the set of the sums of any number of numbers of the set. Modulo its
// smallest positive number m, the smallest sum of each class is a shortest path
// (Brauer & Shockley 1962); all numbers of the class from there on, in steps of m, are
// sums as well.
func (s *lengths) star() *lengths {
	m := 0
	for _, p := range s.spans {
		if p.hi > 0 {
			m = max(p.lo, 1)
			break
		}
	}
	for i := 0; m == 0 && i < 2*len(s.cycle); i++ {
		if s.cycle[i%len(s.cycle)] {
			m = s.tail + i
		}
	}
	if m == 0 {
		return only(0, 0)
	}
	if m > maxCycle {
		return nil
	}
	least := s.residues(m) // the smallest number of the set in each class, -1: none
	dist := make([]int, m)
	for i := range dist {
		dist[i] = math.MaxInt
	}
	dist[0] = 0
	for done := make([]bool, m); ; {
		at := -1
		for r := range dist {
			if !done[r] && dist[r] < math.MaxInt && (at < 0 || dist[r] < dist[at]) {
				at = r
			}
		}
		if at < 0 {
			break
		}
		done[at] = true
		for _, n := range least {
			if n > 0 {
				to := (at + n) % m
				dist[to] = min(dist[to], dist[at]+n)
			}
		}
	}
	tail := 0
	for _, d := range dist {
		if d < math.MaxInt {
			tail = max(tail, d)
		}
	}
	if tail += 1; tail+m > maxWindow {
		return nil
	}
	bits := make([]bool, tail+m)
	for _, d := range dist {
		for n := d; n < len(bits); n += m {
			bits[n] = true
		}
	}
	return cycled(bits, tail, m)
}

// residues returns the smallest number of the set for each class modulo m, or -1.
func (s *lengths) residues(m int) []int {
	least := make([]int, m)
	for i := range least {
		least[i] = -1
	}
	note := func(n int) {
		if r := n % m; n > 0 && least[r] < 0 {
			least[r] = n
		}
	}
	for _, p := range s.spans {
		for n := p.lo; n <= p.hi && n < p.lo+m; n++ {
			note(n)
		}
	}
	if len(s.cycle) > 0 {
		for i := 0; i < m*len(s.cycle); i++ {
			if s.cycle[i%len(s.cycle)] {
				note(s.tail + i)
			}
		}
	}
	return least
}
