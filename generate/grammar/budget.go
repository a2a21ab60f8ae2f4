package grammar

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// never is the cost of a text that the vocabulary cannot finish.
const never = math.MaxInt32

// The closing budget. The cost of a state is the tokens that write its shortest rest
// and end the text. A session may go to a state if its cost is within what remains
// behind the id, or along a way to the end that it holds already, so it can always
// be finished. Costs are found by dynamic programming over the rest, memoised by
// state and by rest.
//
// Where the vocabulary lacks bytes it may have no tokens for the shortest rest: then
// a search over its tokens looks for another one (search).

const (
	// chunk is the length from which a rest is spelled in pieces, cut at multiples of
	// it from the end: one token more a piece than the fewest at most, in linear time.
	chunk = 512
	// wholeBytes is the length up to which Minimum is counted in one piece.
	wholeBytes = 1 << 16
	// costsKept bounds the memory of costs.
	costsKept = 1 << 16
	// searchVisits bounds the work of one search, in tokens tried.
	searchVisits = 1 << 18
)

// costs is what is known of ways to the end.
type costs struct {
	states map[machine.State]int32
	texts  map[string]int32 // tokens that spell a text
	ways   map[machine.State]way
}

// way is the first step to the end from a state whose shortest rest cannot be
// spelled.
type way struct {
	id     int32
	behind machine.State
}

func (c *costs) clear() {
	c.states, c.texts, c.ways = map[machine.State]int32{}, map[string]int32{}, map[machine.State]way{}
}

// cost is the number of tokens, the end token included, that finish the text from s;
// never where the vocabulary cannot.
func (g *Grammar) cost(s machine.State) int {
	if n, ok := g.costs.states[s]; ok {
		return int(n)
	}
	if len(g.costs.states) >= costsKept || len(g.costs.texts) >= 2*costsKept {
		g.costs.clear()
	}
	n := g.fewest(s.Shortest())
	if n < never {
		n++
	} else {
		n = g.search(s)
	}
	g.costs.states[s] = int32(n)
	return n
}

// fewest is the number of tokens that spell a text, the fewest of up to chunk bytes.
func (g *Grammar) fewest(text []byte) int {
	if g.v.lacks { // a cut might part what only one token spells
		return int(g.v.spell(text, nil, nil)[0])
	}
	n := 0
	for len(text) > 0 {
		piece := text[:(len(text)-1)%chunk+1]
		text = text[len(piece):]
		if c, ok := g.costs.texts[string(piece)]; ok {
			n += int(c)
			continue
		}
		n += int(g.v.spell(piece, g.costs.texts, nil)[0])
	}
	return n
}

// spell returns, for each position of a text, the fewest tokens that spell it from
// there on. Known holds those of other texts and is added to; nil: none are known.
func (v *Vocabulary) spell(text []byte, known map[string]int32, dst []int32) []int32 {
	if cap(dst) < len(text)+1 {
		dst = make([]int32, len(text)+1)
	}
	dst = dst[:len(text)+1]
	dst[len(text)] = 0
	key := ""
	if known != nil {
		key = string(text)
	}
	for at := len(text) - 1; at >= 0; at-- {
		if known != nil {
			if n, ok := known[key[at:]]; ok {
				dst[at] = n
				continue
			}
		}
		best := int32(never)
		i := int32(0)
		for to := at; to < len(text); {
			if i = v.all.child(i, text[to]); i < 0 {
				break
			}
			to++
			if len(v.all.own(i)) > 0 && dst[to] < never {
				best = min(best, dst[to]+1)
			}
		}
		dst[at] = best
		if known != nil {
			known[key[at:]] = best
		}
	}
	return dst
}

// appendSpelled appends the ids of fewest for a text, cut at multiples of step from
// its end; of equally few the longest tokens come first. The text can be spelled.
func (g *Grammar) appendSpelled(dst []int32, text []byte, step int) []int32 {
	if g.v.lacks {
		step = len(text)
	}
	for len(text) > 0 {
		piece := text[:(len(text)-1)%step+1]
		text = text[len(piece):]
		left := g.v.spell(piece, nil, nil)
		for at := 0; at < len(piece); {
			i, next, id := int32(0), at, int32(-1)
			for to := at; to < len(piece); {
				if i = g.v.all.child(i, piece[to]); i < 0 {
					break
				}
				to++
				if own := g.v.all.own(i); len(own) > 0 && left[to] == left[at]-1 {
					next, id = to, own[0]
				}
			}
			if id < 0 {
				panic(fmt.Sprintf("grammar: no tokens spell %s", quoted(piece)))
			}
			dst, at = append(dst, id), next
		}
	}
	return dst
}

// ending is a way to the end from s in cost(s) tokens, which must be below never.
func (g *Grammar) ending(s machine.State) []int32 {
	var ids []int32
	for {
		w, ok := g.costs.ways[s]
		if !ok {
			if ids == nil && g.fewest(s.Shortest()) >= never && g.search(s) < never {
				continue // forgotten meanwhile
			}
			break
		}
		ids, s = append(ids, w.id), w.behind
	}
	return append(g.appendSpelled(ids, s.Shortest(), chunk), g.v.end[0])
}

// search looks for tokens that lead from s to a state whose shortest rest can be
// spelled: breadth first, up to searchVisits tokens. It returns the cost of s.
func (g *Grammar) search(s machine.State) int {
	type stop struct {
		at   machine.State
		from int // in queue
		id   int32
		far  int // tokens from s
	}
	queue := []stop{{at: s, from: -1}}
	seen := map[machine.State]bool{s: true}
	stack := make([]machine.State, g.v.all.deep+1)
	best, goal, visits := never, 0, 0
	for i := 0; i < len(queue) && visits < searchVisits; i++ {
		here := queue[i]
		if here.far+1 >= best {
			break
		}
		walk(g.v.all, stack, 0, here.at, -1, func(ids []int32, behind machine.State) {
			visits++
			if seen[behind] || visits > searchVisits {
				return
			}
			seen[behind] = true
			queue = append(queue, stop{behind, i, ids[0], here.far + 1})
			if n := g.fewest(behind.Shortest()); n < never && here.far+1+n+1 < best {
				best, goal = here.far+1+n+1, len(queue)-1
			}
		})
	}
	if best == never {
		return never
	}
	for i := goal; queue[i].from >= 0; i = queue[i].from {
		from := queue[queue[i].from].at
		g.costs.ways[from] = way{queue[i].id, queue[i].at}
		g.costs.states[from] = int32(best - queue[queue[i].from].far)
	}
	return best
}

// unspellable says which character of the language the vocabulary lacks.
func (g *Grammar) unspellable() error {
	rest := g.start.Shortest()
	reached := make([]bool, len(rest)+1)
	reached[0] = true
	last := 0
	for at := range rest {
		if !reached[at] {
			continue
		}
		last = at
		i := int32(0)
		for to := at; to < len(rest); {
			if i = g.v.all.child(i, rest[to]); i < 0 {
				break
			}
			to++
			reached[to] = reached[to] || len(g.v.all.own(i)) > 0
		}
	}
	_, n := utf8.DecodeRune(rest[last:])
	what := fmt.Sprintf("%q", rest[last:last+n])
	if n == 1 {
		what += fmt.Sprintf(" (byte 0x%02X)", rest[last])
	}
	return fmt.Errorf("the vocabulary cannot spell the grammar: its shortest text is %s, and no token goes on with %s at byte %d; use a vocabulary with a token for each byte",
		quoted(rest), what, last)
}

// quoted is a text for an error, cut where it is long.
func quoted(text []byte) string {
	if len(text) > 60 {
		return fmt.Sprintf("%q...", text[:60])
	}
	return fmt.Sprintf("%q", text)
}
