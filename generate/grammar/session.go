package grammar

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// ErrEnded reports a session used behind its end token.
var ErrEnded = errors.New("the text has ended: nothing follows the end token")

// Session is one text being written. It has the methods of a constraint of
// generate. Sessions of one grammar may be used by several goroutines, each session
// by one at a time.
type Session struct {
	g     *Grammar
	at    machine.State
	ended bool
	// gate is the id that the language begins behind, -1 once it has come.
	gate int32
	// before is what the text before the gate must begin with yet.
	before []byte
	// way is ids that finish the text from at; nil: not worked out.
	way   []int32
	words []uint64 // for masks that are made here
}

// Session begins a text.
func (g *Grammar) Session() *Session { return &Session{g: g, at: g.start, gate: -1} }

// SessionBehind begins a text in which the language comes behind a marker that is
// one id, such as the special token that ends reasoning. Before it any text is
// allowed that begins with prefix, but not its end. A marker in letters is the matter
// of After.
func (g *Grammar) SessionBehind(marker int32, prefix []byte) (*Session, error) {
	if marker < 0 || int(marker) >= g.v.Size() || slices.Contains(g.v.end, marker) {
		return nil, fmt.Errorf("grammar: marker %d is no token that text can go on behind", marker)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fewest(prefix) >= never {
		return nil, fmt.Errorf("grammar: the vocabulary cannot spell %s, which the text must begin with", quoted(prefix))
	}
	return &Session{g: g, at: g.start, gate: marker, before: slices.Clone(prefix)}, nil
}

// Ended says whether the end token was read.
func (s *Session) Ended() bool { return s.ended }

// Complete says whether the text may end here.
func (s *Session) Complete() bool { return s.ended || s.gate < 0 && s.at.Accepting() }

// Fork is an independent session at the same point.
func (s *Session) Fork() *Session {
	f := *s
	f.words = nil
	f.way = slices.Clip(s.way)
	return &f
}

// Mask is the set of allowed ids as bits, (V+63)/64 words, valid until the next call
// of the session and not to be changed. Remaining counts the tokens that may still
// be drawn, this one and the end token included; 0: no bound. Too few to finish the
// text is a *BudgetError; it cannot happen to who begins with Grammar.Minimum and
// follows the masks.
func (s *Session) Mask(remaining int) ([]uint64, error) {
	if s.ended {
		return nil, ErrEnded
	}
	if remaining < 0 {
		return nil, fmt.Errorf("grammar: %d tokens remain: the number cannot be negative", remaining)
	}
	g := s.g
	if s.gate >= 0 {
		return s.open(remaining)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.allowed(g.outline(s.at))
	doubt := m.doubt
	var mask []uint64
	switch {
	case remaining > 0 && remaining-1 < m.worst:
		var err error
		if doubt, err = s.tight(m, remaining); err != nil {
			return nil, err
		}
		mask = s.words
	case m.words != nil:
		mask = m.words
	default:
		mask = s.own()
		m.put(mask, g.v.Size())
	}
	if len(doubt) == 0 {
		return mask, nil
	}
	return s.settle(mask, doubt, remaining), nil
}

// settle adds the ids that the sketch of the state said nothing about, as far as the
// state allows them.
func (s *Session) settle(mask []uint64, doubt []int32, remaining int) []uint64 {
	g := s.g
	c := &scan{g: g, limit: remaining - 1}
	if remaining == 0 {
		c.limit = noLimit
	}
	stack := g.stack // states behind the bytes of last, as far as they are live
	stack[0] = s.at
	live := 0
	var last []byte
	for _, id := range doubt {
		text := g.v.text[id]
		same := commonPrefix(last, text)
		last = text
		if same > live {
			continue // the byte that was refused is in it
		}
		for live = same; live < len(text); live++ {
			to := stack[live].Next(text[live])
			if to == nil {
				break
			}
			stack[live+1] = to
		}
		if live == len(text) {
			c.take([]int32{id}, stack[live])
		}
	}
	if words := s.own(); &words[0] != &mask[0] {
		copy(words, mask)
		mask = words
	}
	for _, id := range c.ids {
		set(mask, id)
	}
	if len(c.ids) == 0 && countBits(mask) == 0 {
		set(mask, g.ending(s.at)[0])
	}
	return mask
}

// tight finds the mask where some ids of m lead too far from the end. It returns the
// ids in doubt.
func (s *Session) tight(m *idSet, remaining int) (doubt []int32, err error) {
	g := s.g
	if err := s.hold(remaining); err != nil {
		return nil, err
	}
	if remaining == 1 {
		clear(s.own())
		for _, id := range g.v.end {
			set(s.words, id)
		}
		return nil, nil
	}
	c := &scan{g: g, limit: remaining - 1}
	near := g.find(c, sketch(s.at))
	near.put(s.own(), g.v.Size())
	set(s.words, s.way[0])
	return near.doubt, nil
}

// outline is the state from which tokens are tried. Where the vocabulary lacks bytes
// each is judged by its cost, which takes a sketch.
func (g *Grammar) outline(s machine.State) machine.State {
	if k, ok := s.(machine.Sketched); ok && !g.v.lacks {
		return k.Outline()
	}
	return sketch(s)
}

// sketch is the state from which tokens are tried where their cost matters.
func sketch(s machine.State) machine.State {
	if k, ok := s.(machine.Sketched); ok {
		return k.Sketch()
	}
	return s
}

// own is the buffer for a mask.
func (s *Session) own() []uint64 {
	if s.words == nil {
		s.words = make([]uint64, s.g.v.words)
	}
	return s.words
}

// hold makes sure that the session has a way to the end within remaining tokens.
func (s *Session) hold(remaining int) error {
	if s.way == nil || len(s.way) > remaining {
		if s.at == s.g.start {
			s.way = s.g.minimum
		} else {
			s.way = s.g.ending(s.at)
		}
	}
	if len(s.way) > remaining {
		return &BudgetError{len(s.way), remaining}
	}
	return nil
}

// open is the mask before the marker: any text while there is room for the marker
// and what the language needs.
func (s *Session) open(remaining int) ([]uint64, error) {
	need := 1 + s.g.Minimum()
	if len(s.before) > 0 {
		return s.begin(remaining, need)
	}
	if remaining > 0 && remaining < need {
		return nil, &BudgetError{need, remaining}
	}
	if remaining == 0 || remaining > need {
		copy(s.own(), s.g.v.open)
	} else {
		clear(s.own())
	}
	set(s.words, s.gate)
	return s.words, nil
}

// begin is the mask while the text before the marker must begin with some bytes: tokens
// that are a beginning of these or go on behind them, from which need more tokens are
// enough.
func (s *Session) begin(remaining, need int) ([]uint64, error) {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	if n := need + s.g.fewest(s.before); remaining > 0 && remaining < n {
		return nil, &BudgetError{n, remaining}
	}
	clear(s.own())
	t, i := s.g.v.all, int32(0)
	for k, b := range s.before {
		if i = t.child(i, b); i < 0 {
			break
		}
		rest := s.before[k+1:]
		ids := t.own(i)
		if len(rest) == 0 {
			ids = t.ids[t.nodes[i].first:t.nodes[t.nodes[i].end].first]
		}
		if n := s.g.fewest(rest); n < never && (remaining == 0 || 1+n+need <= remaining) {
			for _, id := range ids {
				set(s.words, id)
			}
		}
	}
	return s.words, nil
}

// Accept reads the id that was chosen. An id that does not fit is an error and
// leaves the session where it was.
func (s *Session) Accept(id int32) error {
	g := s.g
	switch {
	case s.ended:
		return ErrEnded
	case id < 0 || int(id) >= g.v.Size():
		return fmt.Errorf("grammar: id %d is outside of the vocabulary of %d", id, g.v.Size())
	case s.gate >= 0 && len(s.before) > 0:
		text := g.v.text[id]
		n := min(len(text), len(s.before))
		if n == 0 || !bytes.Equal(text[:n], s.before[:n]) {
			return fmt.Errorf("grammar: id %d (%s) is no beginning of %s", id, quoted(text), quoted(s.before))
		}
		s.before = s.before[n:]
		return nil
	case s.gate >= 0 && id == s.gate:
		s.gate = -1
		s.spend(id)
		return nil
	case s.gate >= 0 && has(g.v.open, id):
		s.spend(id)
		return nil
	case s.gate >= 0:
		return fmt.Errorf("grammar: id %d is no text, and the marker %d has not come", id, s.gate)
	}
	_, end := slices.BinarySearch(g.v.end, id)
	g.mu.Lock()
	defer g.mu.Unlock()
	if end {
		if !s.at.Accepting() {
			return fmt.Errorf("grammar: the text cannot end here: %s is missing", quoted(s.at.Shortest()))
		}
		s.ended = true
		s.spend(id)
		return nil
	}
	text := g.v.text[id]
	if len(text) == 0 {
		return fmt.Errorf("grammar: id %d stands for no text", id)
	}
	at := s.at
	for i, b := range text {
		if at = at.Next(b); at == nil {
			return fmt.Errorf("grammar: id %d (%s) does not fit at its byte %d", id, quoted(text), i)
		}
	}
	s.at = at
	s.spend(id)
	return nil
}

// spend moves along the way to the end, or leaves it.
func (s *Session) spend(id int32) {
	if len(s.way) > 0 && s.way[0] == id {
		s.way = s.way[1:]
	} else {
		s.way = nil
	}
}
