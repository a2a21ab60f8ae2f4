package schema

import "slices"

// A set is a set of JSON values: a union of typed parts. Parts of one type may
// overlap. Sets are not changed once they are made.
type set struct {
	null, yes, no bool
	numbers       []*number
	texts         []*text
	arrays        []*array
	objects       []*object
}

// The parts that have all values of a type.
var (
	anyNumber = &number{}
	anyText   = &text{max: -1}
	anyArray  = &array{rest: anyTerm, max: -1}
	anyObject = &object{rest: anyTerm, max: -1}
	anySet    = &set{true, true, true, []*number{anyNumber}, []*text{anyText}, []*array{anyArray}, []*object{anyObject}}
)

// none says that the set has no parts.
func (s *set) none() bool {
	return !s.null && !s.yes && !s.no && len(s.numbers)+len(s.texts)+len(s.arrays)+len(s.objects) == 0
}

// parts counts the typed parts.
func (s *set) parts() int { return len(s.numbers) + len(s.texts) + len(s.arrays) + len(s.objects) }

// and is the intersection: of each pair of parts of one type.
func (c *compiler) and(a, b *set) *set {
	if a == anySet || a == b {
		return b
	}
	if b == anySet {
		return a
	}
	s := &set{null: a.null && b.null, yes: a.yes && b.yes, no: a.no && b.no}
	s.numbers = pairs(c, a.numbers, b.numbers, anyNumber, func(x, y *number) []*number { return andNumbers(x, y) })
	s.texts = pairs(c, a.texts, b.texts, anyText, func(x, y *text) []*text { return c.andTexts(x, y) })
	s.arrays = pairs(c, a.arrays, b.arrays, anyArray, c.andArrays)
	s.objects = pairs(c, a.objects, b.objects, anyObject, c.andObjects)
	return s
}

// pairs intersects two unions part by part.
func pairs[T part](c *compiler, a, b []T, all T, and func(x, y T) []T) []T {
	if len(a) == 1 && a[0] == all {
		return b
	}
	if len(b) == 1 && b[0] == all {
		return a
	}
	var out []T
	for _, x := range a {
		for _, y := range b {
			if c.err != nil {
				return nil
			}
			if x == y {
				out = insert(out, x, all)
				continue
			}
			c.spend(1)
			for _, z := range and(x, y) {
				out = insert(out, z, all)
			}
		}
	}
	c.width(len(out))
	return out
}

// insert adds a part to a union, where it is not there yet.
func insert[T part](list []T, part, all T) []T {
	if part.marked() {
		return append(list, part)
	}
	if part == all && !slices.ContainsFunc(list, T.marked) {
		return []T{all}
	}
	if len(list) == 1 && list[0] == all {
		return list
	}
	for _, x := range list {
		if x == part {
			return list
		}
	}
	return append(list, part)
}

// or is the union.
func (c *compiler) or(a, b *set) *set {
	if a == b || b.none() {
		return a
	}
	if a.none() {
		return b
	}
	s := &set{null: a.null || b.null, yes: a.yes || b.yes, no: a.no || b.no}
	s.numbers = union(a.numbers, b.numbers, anyNumber)
	s.texts = union(a.texts, b.texts, anyText)
	s.arrays = union(a.arrays, b.arrays, anyArray)
	s.objects = c.absorb(union(a.objects, b.objects, anyObject))
	c.width(s.parts())
	return s
}

func union[T part](a, b []T, all T) []T {
	if len(b) == 0 {
		return a
	}
	out := a[:len(a):len(a)]
	for _, part := range b {
		out = insert(out, part, all)
	}
	return out
}

// A part is a set of values of one type. A marked part says what has been evaluated in
// it, so no other part can stand for it.
type part interface {
	comparable
	marked() bool
}

func (*number) marked() bool   { return false }
func (*text) marked() bool     { return false }
func (a *array) marked() bool  { return a.seen != nil }
func (o *object) marked() bool { return o.seen != nil }
