package shape

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// A naming is the names of an object as letters. A name is declared or of one of the
// classes, which are apart: names for the first pattern, and so on, and the rest. A
// point is the run of declared names that begin with what was read, and the states of
// the classes. Which of them may still come depends on the object's frame.
type naming struct {
	speller
	declared []string // in order
	classes  []*class
	points   []namePoint
	known    map[string]int32
}

type namePoint struct {
	lo, hi int32   // declared[lo:hi] begin with what was read
	depth  int32   // bytes read; -1 where lo == hi
	states []int32 // of the classes; -1: no name of the class begins so
	edges  []edge
	done   bool
	fall   *fallback // nil: not computed
}

// A class is names that share a value and are not declared.
type class struct {
	names *regular.Language // nil: all names
	value *plan
	words map[int32]int      // number of words from a state
	short map[[2]int32]int32 // what shortEnd found
	// phrase is the names as strings, for finding short ones.
	phrase *phrase
}

func newNaming(declared []string, classes []*class, ids *ids) *naming {
	g := &naming{declared: declared, classes: classes, known: map[string]int32{}}
	g.speller = speller{letters: g, known: map[letterKey]*local{}, kind: inName, ids: ids}
	states := make([]int32, len(classes))
	for i, c := range classes {
		states[i] = c.start()
	}
	g.point(0, int32(len(declared)), 0, states)
	return g
}

func (g *naming) point(lo, hi, depth int32, states []int32) int32 {
	if lo == hi {
		lo, hi, depth = 0, 0, -1
	}
	key := make([]byte, 0, 12+4*len(states))
	for _, x := range []int32{lo, hi, depth} {
		key = binary.LittleEndian.AppendUint32(key, uint32(x))
	}
	for _, x := range states {
		key = binary.LittleEndian.AppendUint32(key, uint32(x))
	}
	id, ok := g.known[string(key)]
	if !ok {
		id = int32(len(g.points))
		g.points = append(g.points, namePoint{lo: lo, hi: hi, depth: depth, states: slices.Clone(states)})
		g.known[string(key)] = id
	}
	return id
}

func (g *naming) edges(point int32) []edge {
	if g.points[point].done {
		return g.points[point].edges
	}
	at := g.points[point]
	lists := make([][]edge, 1+len(g.classes))
	lists[0] = g.branches(at)
	for i, q := range at.states {
		if q >= 0 {
			lists[i+1] = clipped(g.classes[i].names, q)
		}
	}
	edges := merge(lists, func(to []int32) int32 {
		lo, hi, depth := int32(0), int32(0), int32(-1)
		if to[0] >= 0 {
			// The branch is named by its first word; its end is found again.
			lo = to[0]
			_, size := utf8.DecodeRuneInString(g.declared[lo][at.depth:])
			depth = at.depth + int32(size)
			for hi = lo + 1; hi < at.hi && strings.HasPrefix(g.declared[hi], g.declared[lo][:depth]); hi++ {
			}
		}
		return g.point(lo, hi, depth, to[1:])
	})
	g.points[point].edges, g.points[point].done = edges, true
	return edges
}

// branches are the characters that declared names go on with, each leading to the
// first name that does.
func (g *naming) branches(at namePoint) (out []edge) {
	for i := at.lo; i < at.hi; i++ {
		rest := g.declared[i][at.depth:]
		if rest == "" {
			continue
		}
		r, _ := utf8.DecodeRuneInString(rest)
		if n := len(out); n == 0 || out[n-1].lo != r {
			out = append(out, edge{r, r, i})
		}
	}
	return out
}

// ending is the declared name that ends at a point, or -1.
func (g *naming) ending(point int32) int32 {
	if at := &g.points[point]; at.lo < at.hi && len(g.declared[at.lo]) == int(at.depth) {
		return at.lo
	}
	return -1
}

// start is the state before a name.
func (c *class) start() int32 {
	if c.names == nil {
		return 0
	}
	return c.names.Start()
}

// accepts says whether a name of the class ends in state q.
func (c *class) accepts(q int32) bool { return q >= 0 && (c.names == nil || c.names.Accepting(q)) }

// manyWords is what counts of words stop at: more names than any object will hold.
const manyWords = 1 << 20

// count is the number of words from a state on, at most manyWords.
func (c *class) count(q int32) int {
	if q < 0 {
		return 0
	}
	if c.names == nil {
		return manyWords
	}
	if n, ok := c.words[q]; ok {
		if n < 0 {
			return manyWords // a state that leads to itself
		}
		return n
	}
	if len(c.words) > manyWords {
		return manyWords
	}
	c.words[q] = -1
	total := 0
	if c.names.Accepting(q) {
		total = 1
	}
	for _, e := range clipped(c.names, q) {
		if n := c.count(e.to); n > 0 {
			total += int(e.hi-e.lo+1) * n
		}
		if total >= manyWords {
			total = manyWords
			break
		}
	}
	c.words[q] = total
	return total
}

// A word is a text read so far, one node a character, interned. Within a character,
// nodes of negative r stand for the bytes of its spelling.
type word struct {
	before *word
	r      rune
	id     int32
	size   int32 // nodes
	// escaped: a backslash is in it.
	escaped bool
}

type wordKey struct {
	before *word
	r      rune
}

// text is the characters of the word.
func (w *word) text() string {
	var runes []rune
	for ; w.before != nil; w = w.before {
		runes = append(runes, w.r)
	}
	slices.Reverse(runes)
	return string(runes)
}

// is says whether two words are the same text. Where the machine forgot between the two
// they may be so without being one.
func (w *word) is(v *word) bool {
	for w != v {
		if w == nil || v == nil || w.size != v.size || w.r != v.r {
			return false
		}
		w, v = w.before, v.before
	}
	return true
}

// used are the names of an object that are of a class.
type used struct {
	before *used
	name   *word
	class  int32
	id     int32
}

type usedKey struct {
	before *used
	name   *word
	class  int32
}

// has says whether the name is among the used ones.
func (u *used) has(name *word) bool {
	for ; u != nil; u = u.before {
		if u.name.is(name) {
			return true
		}
	}
	return false
}

// count is the number of used names of a class that begin with the word and, if there
// are ranges, go on with a character in them.
func (u *used) count(class int32, begin *word, ranges []edge) (n int) {
	if begin.size < 0 {
		return 0 // an unknown word
	}
	for ; u != nil; u = u.before {
		if u.class != class || u.name.size < begin.size {
			continue
		}
		w, next := u.name, rune(-1)
		for w.size > begin.size {
			w, next = w.before, w.r
		}
		in := func(g edge) bool { return next >= g.lo && next <= g.hi }
		if w.is(begin) && (ranges == nil || slices.ContainsFunc(ranges, in)) {
			n++
		}
	}
	return n
}
