package calls

import (
	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// node is a point in text that is known letter by letter.
type node struct {
	edges     []edge
	accepting bool
	rest      []byte
}

type edge struct {
	b  byte
	to machine.State
}

// Next is machine.State's.
func (n *node) Next(b byte) machine.State {
	for _, e := range n.edges {
		if e.b == b {
			return e.to
		}
	}
	return nil
}

// Accepting is machine.State's.
func (n *node) Accepting() bool { return n.accepting }

// Shortest is machine.State's.
func (n *node) Shortest() []byte { return n.rest }

// add puts in a text, behind which it goes on with then; false where another says so
// already.
func (n *node) add(text []byte, then machine.State) bool {
	rest := append(append([]byte(nil), text...), then.Shortest()...)
	for i, b := range text {
		if !n.accepting && (n.rest == nil || len(rest)-i < len(n.rest)) {
			n.rest = rest[i:]
		}
		to := n.Next(b)
		if i+1 == len(text) {
			if to != nil {
				return false
			}
			n.edges = append(n.edges, edge{b, then})
			return true
		}
		if to == nil {
			to = &node{}
			n.edges = append(n.edges, edge{b, to})
		}
		next, ok := to.(*node)
		if !ok {
			return false
		}
		n = next
	}
	return false
}

// chain is the states of a text that end at a node, whose shortest rest is known
// before its edges are.
func chain(text []byte, end *node, rest []byte) machine.State {
	end.rest = rest
	all := append(append([]byte(nil), text...), rest...)
	var then machine.State = end
	for i := len(text) - 1; i >= 0; i-- {
		then = &node{edges: []edge{{text[i], then}}, rest: all[i:]}
	}
	return then
}

// first is the beginning of an answer that is a call if its first byte is b.
type first struct {
	b    byte
	then machine.State
}

func (f first) Next(b byte) machine.State {
	if b == f.b {
		return f.then
	}
	return machine.Anything()
}
func (f first) Accepting() bool  { return true }
func (f first) Shortest() []byte { return nil }

// either is the beginning of a text of one of two languages, which its first byte tells.
type either struct{ a, b machine.State }

func (e either) Next(b byte) machine.State {
	if to := e.a.Next(b); to != nil {
		return to
	}
	return e.b.Next(b)
}
func (e either) Accepting() bool { return e.a.Accepting() || e.b.Accepting() }
func (e either) Shortest() []byte {
	a, b := e.a.Shortest(), e.b.Shortest()
	if len(b) < len(a) {
		return b
	}
	return a
}

// Then is the language of the texts of two languages one behind the other. No text of
// the first may begin with another of its texts: JSON objects do not.
func Then(in, then machine.State) machine.State {
	switch {
	case in == nil:
		return nil
	case in == machine.Doubt:
		return in
	case in.Accepting():
		return then
	}
	return joined{in, then}
}

// joined is a point in the first of two texts. It knows what that knows.
type joined struct {
	in, then machine.State
}

// Next is machine.State's.
func (j joined) Next(b byte) machine.State { return Then(j.in.Next(b), j.then) }

// Accepting is machine.State's.
func (j joined) Accepting() bool { return false }

// Shortest is machine.State's.
func (j joined) Shortest() []byte {
	rest := j.in.Shortest()
	return append(rest[:len(rest):len(rest)], j.then.Shortest()...)
}

// FreeRunes is machine.Free's.
func (j joined) FreeRunes() (n, bound int) {
	f, ok := j.in.(machine.Free)
	if !ok {
		return 0, 0
	}
	n, bound = f.FreeRunes()
	return n, bound + len(j.then.Shortest())
}

// AfterRune is machine.Uniform's.
func (j joined) AfterRune() (s machine.State, except machine.Bytes, ok bool) {
	u, is := j.in.(machine.Uniform)
	if !is {
		return nil, except, false
	}
	s, except, ok = u.AfterRune()
	return Then(s, j.then), except, ok
}

// Sketch is machine.Sketched's.
func (j joined) Sketch() machine.State {
	if k, ok := j.in.(machine.Sketched); ok {
		return joined{k.Sketch(), j.then}
	}
	return j
}

// Outline is machine.Sketched's.
func (j joined) Outline() machine.State {
	if k, ok := j.in.(machine.Sketched); ok {
		return joined{k.Outline(), j.then}
	}
	return j
}

// Exact is machine.Sketched's.
func (j joined) Exact() bool {
	k, ok := j.in.(machine.Sketched)
	return !ok || k.Exact()
}

// ShortestBound is machine.Bounded's.
func (j joined) ShortestBound() int {
	if k, ok := j.in.(machine.Bounded); ok {
		return k.ShortestBound() + len(j.then.Shortest())
	}
	return len(j.Shortest())
}

// Tails is machine.Bounded's.
func (j joined) Tails() []machine.Tail {
	k, ok := j.in.(machine.Bounded)
	if !ok {
		return nil
	}
	tails := k.Tails()
	for i := range tails {
		tails[i].Then = Then(tails[i].Then, j.then)
	}
	return tails
}
