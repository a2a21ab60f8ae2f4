package grammar

import (
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// Places of text where some characters lead nowhere else, as in a string of the pattern
// ^[a-z0-9-]+$: the tokens of these characters alone are one set, found once for a
// vocabulary.

// letters is a set of ASCII characters.
type letters [2]uint64

func (s *letters) add(b byte) { s[b>>6] |= 1 << (b & 63) }

func (s letters) has(b byte) bool { return b < 0x80 && s[b>>6]>>(b&63)&1 != 0 }

// within says whether all of s are in t.
func (s letters) within(t letters) bool { return s[0]&^t[0]|s[1]&^t[1] == 0 }

// meets says whether some of s are in t.
func (s letters) meets(t letters) bool { return s[0]&t[0]|s[1]&t[1] != 0 }

// wide stands for the characters beyond ASCII in sets of letters: no token has U+0000
// among its ordinary characters.
const wide = 0

// loop is the tokens whose ordinary characters are all in a set of letters.
type loop struct {
	plain []uint64 // they have nothing else
	begun []uint64 // they go on by others, or begin with them
}

const (
	loopsKept   = 128 // sets of letters of which the tokens are kept
	loopLetters = 8   // fewer letters are walked
)

// prepare finds the letters of the tokens and of the subtrees of all.
func (v *Vocabulary) prepare() {
	v.lettersOf = make([]letters, len(v.text))
	for id, text := range v.text {
		_, n := ordinary(text)
		for _, b := range text[:n] {
			if b >= 0x80 {
				b = wide
			}
			v.lettersOf[id].add(b)
		}
	}
	v.below = make([]letters, len(v.all.nodes))
	for i := len(v.all.nodes) - 2; i >= 0; i-- {
		for _, kid := range v.all.kids[v.all.from[i]:v.all.from[i+1]] {
			for w, x := range v.below[kid] {
				v.below[i][w] |= x
			}
			if b := v.all.nodes[kid].b; b < 0x80 {
				v.below[i].add(b)
			}
		}
	}
	v.loops = map[letters]*loop{}
}

// loop is the loop of a set of letters.
func (v *Vocabulary) loop(set letters) *loop {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.loops[set]
	if l == nil {
		l = &loop{plain: make([]uint64, v.words), begun: make([]uint64, v.words)}
		for id, text := range v.text {
			if len(text) == 0 || !v.lettersOf[id].within(set) {
				continue
			}
			into := l.begun
			if _, n := ordinary(text); n == len(text) {
				into = l.plain
			}
			into[id>>6] |= 1 << (id & 63)
		}
		if len(v.loops) >= loopsKept {
			clear(v.loops)
		}
		v.loops[set] = l
	}
	return l
}

// around scans the tokens from a state from which only ordinary characters that begin
// with bytes of only lead on, and says whether it did: enough of them must lead to the
// state itself.
func (c *scan) around(s machine.State, only machine.Bytes) bool {
	if only[2]|only[3] != 0 || c.unknown(s) {
		return false
	}
	var same, out letters
	n := 0
	for b := byte(' '); b < 0x80; b++ {
		switch {
		case !only.Has(b):
		case s.Next(b) == s:
			same.add(b)
			n++
		default:
			out.add(b)
		}
	}
	if n < loopLetters {
		return false
	}
	v := c.g.v
	l := v.loop(same)
	if c.judge(s) {
		c.words = slices.Clone(l.plain)
	}
	walk(v.strict.tail, c.g.stack, 0, s, -1, func(ids []int32, behind machine.State) {
		var some []int32
		for _, id := range ids {
			if has(l.begun, id) {
				some = append(some, id)
			}
		}
		if len(some) > 0 {
			c.take(some, behind)
		}
	})
	if out != (letters{}) {
		c.leaving(0, s, same, out)
	}
	return true
}

// leaving scans the tokens of the subtree of node i, without its own, that leave s by
// one of the letters of out, behind letters that lead to s itself.
func (c *scan) leaving(i int32, s machine.State, same, out letters) {
	t := c.g.v.all
	for k := t.from[i]; k < t.from[i+1]; k++ {
		b, kid := t.kidBytes[k], t.kids[k]
		switch {
		case same.has(b):
			if c.g.v.below[kid].meets(out) {
				c.leaving(kid, s, same, out)
			}
		case out.has(b):
			behind := s.Next(b)
			if behind == nil {
				continue
			}
			if own := t.own(kid); len(own) > 0 {
				c.take(own, behind)
			}
			if behind != machine.Doubt {
				walk(t, c.g.stack, kid, behind, -1, c.take)
			} else if t.extended(kid) {
				c.take(t.ids[t.nodes[kid+1].first:t.nodes[t.nodes[kid].end].first], behind)
			}
		}
	}
}
