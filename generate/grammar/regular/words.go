package regular

// Count is the number of texts, at most limit, and whether it is finite. Where the
// lengths of the texts take too much work it is 0 and false, and Err says so.
func (l *Language) Count(limit int) (n int, finite bool) {
	s := l.a.lengths(l.root)
	switch {
	case s == nil:
		l.a.tooLong()
		return 0, false
	case len(s.cycle) > 0:
		return limit, false
	}
	return l.count(l.Start(), limit, map[int32]int{}), true
}

// count counts the rests of a state of a finite language up to limit.
func (l *Language) count(state int32, limit int, known map[int32]int) int {
	if state < 0 || limit <= 0 {
		return 0
	}
	if n, ok := known[state]; ok {
		return min(n, limit)
	}
	n := 0
	if l.Accepting(state) {
		n = 1
	}
	s := l.a.explored(l.a.nodes[state])
	if s == nil {
		return n
	}
	sizes := make([]int, len(s.to))
	for _, p := range s.part.Spans() {
		sizes[p.Class] += int(p.Hi-p.Lo) + 1
	}
	for i, to := range s.to {
		if n >= limit {
			return limit
		}
		each := l.count(to, (limit-n+sizes[i]-1)/sizes[i], known)
		n += min(each*sizes[i], limit-n)
	}
	if n < limit {
		known[state] = n
	}
	return n
}

// Words are the texts in order of length (in characters), then of characters, at
// most limit. Where the lengths are too many to list it is nil and Err says so.
func (l *Language) Words(limit int) []string {
	s := l.a.lengths(l.root)
	if s == nil {
		l.a.tooLong()
		return nil
	}
	if l.Start() == Dead {
		return nil
	}
	var out []string
	for n := 0; len(out) < limit && (len(s.cycle) > 0 || n < s.end()); n++ {
		if s.meets(n, n) {
			out = l.wordsOf(l.Start(), n, nil, limit, out)
		}
	}
	return out
}

// wordsOf appends the texts that go on from a state by n characters.
func (l *Language) wordsOf(state int32, n int, text []rune, limit int, out []string) []string {
	if n == 0 {
		return append(out, string(text))
	}
	for _, e := range l.Edges(state) {
		if !l.CanEnd(e.To, n-1, n-1) {
			continue
		}
		for r := e.Lo; r <= e.Hi && len(out) < limit; r++ {
			out = l.wordsOf(e.To, n-1, append(text, r), limit, out)
		}
	}
	return out
}
