package schema

// member says whether a value belongs to a term: the meaning of sets, without machines.
func (c *compiler) member(t *term, v *value) bool {
	s := c.set(t)
	switch v.kind {
	case 'n':
		return s.null
	case 't':
		return s.yes
	case 'f':
		return s.no
	case '0':
		x := v.rat()
		for _, n := range s.numbers {
			if n.has(x) {
				return true
			}
		}
	case '"':
		for _, t := range s.texts {
			if t.has(v.text) {
				return true
			}
		}
	case '[':
		for _, a := range s.arrays {
			if c.memberOfArray(a, v) {
				return true
			}
		}
	case '{':
		for _, o := range s.objects {
			if c.memberOfObject(o, v) {
				return true
			}
		}
	}
	return false
}

func (c *compiler) memberOfArray(a *array, v *value) bool {
	n := len(v.vals)
	if n < a.min || a.max >= 0 && n > a.max {
		return false
	}
	for i, w := range v.vals {
		if !c.member(a.of(i), w) {
			return false
		}
		for _, x := range v.vals[:i] {
			if a.unique && equal(w, x) {
				return false
			}
		}
	}
	for _, k := range a.counts {
		found := 0
		for i, w := range v.vals {
			if i >= k.start && c.member(k.term, w) {
				found++
			}
		}
		if found < k.min || k.max >= 0 && found > k.max {
			return false
		}
	}
	return true
}

func (c *compiler) memberOfObject(o *object, v *value) bool {
	n := len(v.vals)
	if n < o.min || o.max >= 0 && n > o.max {
		return false
	}
	for _, p := range o.props {
		if p.required && v.get(p.name) == nil {
			return false
		}
	}
	for i, w := range v.vals {
		if t, _ := o.of(v.keys[i]); !c.member(t, w) {
			return false
		}
	}
	for _, n := range o.needs {
		if v.get(n[0]) != nil && v.get(n[1]) == nil {
			return false
		}
	}
	for _, s := range o.some {
		found := false
		for i, w := range v.vals {
			found = found || s.names.has(v.keys[i]) && !contains(s.except, v.keys[i]) && c.member(s.term, w)
		}
		if !found {
			return false
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
