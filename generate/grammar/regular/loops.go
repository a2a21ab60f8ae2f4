package regular

// repeated resolves a repetition with assertions inside.
func (r *resolver) repeated(e *expr, k view) view {
	a, x := r.a, e.kids[0]
	if e.min == 0 && k.uniform() && k[begin] == a.all {
		return k
	}
	if k.uniform() && k[begin] == a.empty {
		if v, ok := r.guarded(e); ok {
			return v
		}
	}
	if e.min > maxTimes || e.max > maxTimes {
		return r.fail("assertions repeated more than %d times are not supported", maxTimes)
	}
	if e.max < 0 {
		k = r.star(x, k)
	} else {
		done := k
		for i := e.min; i < e.max && r.problem == nil; i++ {
			k = r.join(done, r.rest(x, k))
		}
	}
	for i := int32(0); i < e.min && r.problem == nil; i++ {
		k = r.rest(x, k)
	}
	return k
}

// guarded resolves (?:(?!x)c){m,n} before the end of the text, c a class: none of the
// rests that begin with one of its characters may be such that x forbids.
func (r *resolver) guarded(e *expr) (view, bool) {
	x := e.kids[0]
	if x.kind != isSeq || len(x.kids) != 2 || x.kids[0].kind != isAhead || x.kids[1].kind != isSet {
		return view{}, false
	}
	a, ahead := r.a, x.kids[0]
	v := r.rest(ahead.kids[0], same(a.all))
	if !v.uniform() || r.problem != nil {
		return view{}, false
	}
	bad := v[begin]
	if !ahead.negated {
		bad = a.not(bad)
	}
	bad = a.inter([]*node{bad, a.repeat(a.char, 1, -1)})
	whole := a.repeat(r.term(x.kids[1]), e.min, e.max)
	return same(a.inter([]*node{whole, a.not(a.concat(a.all, bad))})), true
}

// star resolves x* before a view, where x has assertions. An iteration that reads
// nothing can be left out. So ^ holds in the first one only, and behind one in which $
// holds nothing is read any more.
func (r *resolver) star(x *expr, k view) view {
	if !onlyAsserts(x, textBegin, textEnd) {
		return r.fail("look-ahead, \\b or line borders within a repetition are not supported")
	}
	a := r.a
	later := without(x, textBegin)
	loop := r.term(&expr{kind: isRepeat, kids: []*expr{without(later, textEnd)}, min: 0, max: -1})
	end := k
	for i := range end {
		end[i] = a.inter([]*node{k[i], a.empty})
	}
	out := r.behind(loop, r.join(k, r.rest(later, end)))
	first := out
	first[begin] = k[begin]
	out[begin] = a.union([]*node{out[begin], r.rest(x, first)[begin]})
	return out
}

// onlyAsserts says whether an expression has no assertions but these two.
func onlyAsserts(e *expr, x, y assert) bool {
	if e.kind == isAhead || e.kind == isAssert && e.assert != x && e.assert != y {
		return false
	}
	for _, kid := range e.kids {
		if !onlyAsserts(kid, x, y) {
			return false
		}
	}
	return true
}

// without replaces an assertion by what never matches.
func without(e *expr, x assert) *expr {
	switch {
	case e.free:
		return e
	case e.kind == isAssert:
		if e.assert == x {
			return setExpr(nil)
		}
		return e
	}
	out := *e
	out.free = true
	out.kids = make([]*expr, len(e.kids))
	for i, kid := range e.kids {
		out.kids[i] = without(kid, x)
		out.free = out.free && out.kids[i].free
	}
	return &out
}
