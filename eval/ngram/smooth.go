package ngram

// level is what is known of the n-grams of one length below the top order:
// how often each was seen, and what followed it.
type level struct {
	index   shards // n-gram -> 1 + its place in entries
	entries []entry
}

// entry is one n-gram g. Raw and cont are g's own counts: occurrences, and
// distinct symbols before it. The others are about g as a context: the sums of
// c(g.) and the discounts g(g) taken from them, once in raw and once in
// continuation counts.
type entry struct {
	raw, cont           uint32
	rawTotal, contTotal uint32
	rawGamma, contGamma float64
}

// intern returns the entry of an n-gram, made if need be. The pointer is valid
// until the next call.
func (l *level) intern(k key) *entry {
	h := k.hash()
	t := l.index.shard(h)
	t.reserve()
	s := t.at(k, h)
	if s.val == 0 {
		l.entries = append(l.entries, entry{})
		t.used++
		s.key, s.val = k, uint32(len(l.entries))
	}
	return &l.entries[s.val-1]
}

// find returns the entry of an n-gram, nil if it was never seen.
func (l *level) find(k key) *entry {
	if id := l.index.get(k); id != 0 {
		return &l.entries[id-1]
	}
	return nil
}

// discount is D1, D2, D3+ of one order, indexed by min(count, 3); D[0] is 0.
type discount [4]float64

func (d *discount) of(count uint32) float64 { return d[min(count, 3)] }

// tally is the number of n-grams of one order seen exactly 1, 2, 3 and 4 times.
type tally [5]int64

func (t *tally) add(count uint32) {
	if count < uint32(len(t)) {
		t[count]++
	}
}

// discounts are equation 26 of Chen & Goodman 1998. Where the tally cannot
// give them (few symbols, all of them frequent), D = 0.5, 1, 1.5, KenLM's
// fallback: what is taken must be positive, and less than the count.
func (t *tally) discounts() discount {
	fallback := discount{0, 0.5, 1, 1.5}
	for _, n := range t[1:] {
		if n == 0 {
			return fallback
		}
	}
	n1, n2, n3, n4 := float64(t[1]), float64(t[2]), float64(t[3]), float64(t[4])
	y := n1 / (n1 + 2*n2)
	d := discount{0, 1 - 2*y*n2/n1, 2 - 3*y*n3/n2, 3 - 4*y*n4/n3}
	for i, x := range d[1:] {
		if x <= 0 || x >= float64(i+1) {
			return fallback
		}
	}
	return d
}

// derive fills the levels from the n-grams of the top order. Each n-gram, with
// raw count r and continuation count c, adds to the n-gram without its first
// symbol (r occurrences, one symbol before it), and to the context without its
// last one.
func (c *counts) derive() {
	c.levels = make([]level, c.top) // levels[n] holds n-grams of n symbols
	c.rawD, c.contD = make([]discount, c.top+1), make([]discount, c.top+1)
	for n := c.top; n >= 1; n-- {
		var raw, cont tally
		grams := func(visit func(k key, raw, cont uint32)) {
			if n == c.top {
				for k, r := range c.grams.all {
					visit(k, r, 0)
				}
				return
			}
			l := &c.levels[n]
			for k, id := range l.index.all {
				// Pads alone are contexts, not occurrences.
				if e := &l.entries[id-1]; e.raw > 0 {
					visit(k, e.raw, e.cont)
				}
			}
		}
		grams(func(_ key, r, t uint32) {
			raw.add(r)
			cont.add(t)
			c.counted.NGrams[n-1]++
		})
		rawD, contD := raw.discounts(), cont.discounts()
		c.rawD[n], c.contD[n] = rawD, contD
		below := &c.levels[n-1]
		below.entries = make([]entry, 0, c.counted.NGrams[n-1]/2) // most often enough
		below.intern(c.padding(n - 1))                            // a sequence that is only its padding
		grams(func(k key, r, t uint32) {
			s := below.intern(k.suffix(uint(n-1) * c.bits))
			s.raw += r
			s.cont++
			h := below.intern(k.prefix(c.bits))
			h.rawTotal += r
			h.rawGamma += rawD.of(r)
			h.contTotal += t
			h.contGamma += contD.of(t)
		})
	}
}
