package grammar

import (
	"bytes"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

const (
	maxForced  = 4096    // bytes that one run of forced text has at most
	forcedKept = 1 << 14 // states whose forced text is kept
	// borderTokens is how many tokens at the end of a forced run may be taken back.
	borderTokens = 8
)

// Forced appends the ids that are the only way on, at most max and only so many that
// max tokens in all still finish the text, the end token included; 0: no bound. They
// are not accepted yet. Text is forced where the language has one way on; its ids are
// those of Options.Encode. Ids at the end of it that a longer token might replace are
// left to the model, so that the text is cut as the tokenizer would.
func (s *Session) Forced(dst []int32, max int) []int32 {
	if s.ended || s.gate >= 0 {
		return dst
	}
	g := s.g
	g.mu.Lock()
	defer g.mu.Unlock()
	text, behind := g.forcedText(s.at)
	if len(text) == 0 {
		return dst
	}
	at := s.at
	for i, id := range g.withoutBorder(g.tokens(text), text, behind) {
		for _, b := range g.v.text[id] {
			at = at.Next(b)
		}
		if at == nil || max > 0 && g.cost(at) > max-i-1 || g.v.lacks && g.cost(at) >= never {
			break
		}
		dst = append(dst, id)
	}
	return dst
}

// forcedText is the text that must follow a state, and the state behind it.
func (g *Grammar) forcedText(s machine.State) (text []byte, behind machine.State) {
	text, ok := g.forced[s]
	if ok {
		for _, b := range text {
			s = s.Next(b)
		}
		return text, s
	}
	from := s
	// Where there is one way on, the shortest rest behind it is what is left of this one.
	for rest := s.Shortest(); len(text) < min(maxForced, len(rest)) && only(s, rest[len(text)]); {
		s = s.Next(rest[len(text)])
		text = rest[:len(text)+1]
	}
	text = slices.Clone(text)
	if len(g.forced) >= forcedKept {
		clear(g.forced)
	}
	g.forced[from] = text
	return text, s
}

// likely are bytes that refute quickly that a state has one way on.
var likely = []byte{' ', '"', ',', '}', ']', 'a', '0', '\n'}

// only says whether a byte that may follow a state is the only way on from it.
func only(s machine.State, b byte) bool {
	if s.Accepting() {
		return false
	}
	for _, c := range likely {
		if c != b && s.Next(c) != nil {
			return false
		}
	}
	for c := range 256 {
		if byte(c) != b && s.Next(byte(c)) != nil {
			return false
		}
	}
	return true
}

// tokens are the ids of a text: the tokenizer's, or the fewest where it has none
// that give the same bytes.
func (g *Grammar) tokens(text []byte) []int32 {
	if g.encode != nil {
		ids := g.encode(text)
		rest := text
		for _, id := range ids {
			t := g.v.Text(id)
			if len(t) == 0 || !bytes.HasPrefix(rest, t) {
				rest = text
				break
			}
			rest = rest[len(t):]
		}
		if len(rest) == 0 {
			return ids
		}
	}
	if g.fewest(text) >= never {
		return nil
	}
	return g.appendSpelled(nil, text, chunk)
}

// withoutBorder leaves out the last ids of a forced text if a token that reaches
// beyond the text begins with them: the model may want that one.
func (g *Grammar) withoutBorder(ids []int32, text []byte, behind machine.State) []int32 {
	kept, size := len(ids), 0
	for j := len(ids) - 1; j >= max(0, len(ids)-borderTokens); j-- {
		size += len(g.v.text[ids[j]])
		if i := g.v.all.find(text[len(text)-size:]); i >= 0 && g.goesOn(i, behind) {
			kept = j
		}
	}
	return ids[:kept]
}

// goesOn says whether a token of the subtree of node i, without its own, continues
// from a state.
func (g *Grammar) goesOn(i int32, s machine.State) bool {
	t, stack := g.v.all, g.stack
	base := t.nodes[i].depth
	stack[0] = s
	for end := t.nodes[i].end; i+1 < end; {
		n := &t.nodes[i+1]
		behind := stack[n.depth-base-1].Next(n.b)
		if behind == nil {
			i = n.end - 1
			continue
		}
		i++
		if len(t.own(i)) > 0 {
			return true
		}
		stack[n.depth-base] = behind
	}
	return false
}
