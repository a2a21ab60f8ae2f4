package regular

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A listed set has its numbers below a bound written out beside it.
type listed struct {
	set  *lengths
	bits []bool
}

const listedTo = 80

// listedSets draws sets made by all operations.
func listedSets(depth int) *rapid.Generator[listed] {
	return rapid.Custom(func(t *rapid.T) listed {
		most := 5
		if depth == 0 {
			most = 1
		}
		sub := func() listed { return listedSets(depth-1).Draw(t, "part") }
		out := listed{bits: make([]bool, listedTo)}
		switch rapid.IntRange(0, most).Draw(t, "kind") {
		case 0:
			lo := rapid.IntRange(0, 9).Draw(t, "lo")
			hi := lo + rapid.IntRange(0, 3).Draw(t, "more")
			out.set = only(lo, hi)
			for n := lo; n <= hi; n++ {
				out.bits[n] = true
			}
		case 1:
			lo := rapid.IntRange(0, 9).Draw(t, "lo")
			out.set = from(lo)
			for n := lo; n < listedTo; n++ {
				out.bits[n] = true
			}
		case 2:
			x, y := sub(), sub()
			out.set = x.set.or(y.set)
			for n := range out.bits {
				out.bits[n] = x.bits[n] || y.bits[n]
			}
		case 3:
			x, y := sub(), sub()
			out.set = x.set.plus(y.set)
			out.bits = sums(x.bits, y.bits)
		default:
			x := sub()
			least := rapid.IntRange(0, 3).Draw(t, "least")
			last := rapid.IntRange(-1, 5).Draw(t, "most")
			if last >= 0 {
				last += least
			}
			out.set = x.set.times(least, last)
			power := make([]bool, listedTo)
			power[0] = true
			for k := 0; last < 0 && k <= listedTo+least || k <= last; k++ {
				if k >= least {
					for n := range power {
						out.bits[n] = out.bits[n] || power[n]
					}
				}
				power = sums(power, x.bits)
			}
		}
		return out
	})
}

func sums(x, y []bool) []bool {
	out := make([]bool, listedTo)
	for i := range x {
		for j := 0; i+j < listedTo && x[i]; j++ {
			out[i+j] = out[i+j] || y[j]
		}
	}
	return out
}

func TestLengths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := listedSets(3).Draw(t, "set")
		if x.set == nil {
			t.Fatal("a small set is not computed")
		}
		for n := range listedTo {
			if x.set.meets(n, n) != x.bits[n] {
				t.Fatalf("%+v: %d is in it: %v, want %v", x.set, n, !x.bits[n], x.bits[n])
			}
		}
		lo, hi := rapid.IntRange(0, listedTo-1).Draw(t, "lo"), rapid.IntRange(0, listedTo-1).Draw(t, "hi")
		if want := lo <= hi && slices.Contains(x.bits[lo:hi+1], true); x.set.meets(lo, hi) != want {
			t.Fatalf("%+v: a number from %d to %d: %v, want %v", x.set, lo, hi, !want, want)
		}
	})
}

// Sets of large bounds are intervals and cycles, not lists.
func TestLargeLengths(t *testing.T) {
	// (x{3}|x{5}){0,1000000}
	s := only(3, 3).or(only(5, 5)).times(0, 1000000)
	for _, c := range []struct {
		n    int
		want bool
	}{{0, true}, {4, false}, {7, false}, {8, true}, {4999992, true}, {4999999, false}, {5000000, true}, {5000001, false}} {
		if got := s.meets(c.n, c.n); got != c.want {
			t.Errorf("%d is in it: %v, want %v", c.n, got, c.want)
		}
	}
	if s = only(65536, 65536).times(0, 1000).plus(from(3)); s == nil || s.meets(0, 2) || !s.meets(1<<40, 1<<40) {
		t.Error("a sum of a list and a ray")
	}
	if s = only(1, 65536).times(65536, 65536); !s.meets(1<<32, 1<<32) || s.meets(1<<32+1, -1) || s.meets(0, 65535) {
		t.Error("a counter of counters")
	}
}

// States of known lengths that a walk leaves in each of its rounds: one of a, two of a,
// any number, then an end.
func TestLengthsOfRounds(t *testing.T) {
	parse := func(pattern string) *Language {
		l, err := Parse(pattern, RE2)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	minus := func(x, y string) *Language { return Difference(parse(x), parse(y)) }
	for name, c := range map[string]struct {
		l       *Language
		lengths []int // those below 12
	}{
		"a+b":          {Concat(minus(`a*`, ``), parse(`b`)), []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		"(aaa)+b":      {Concat(minus(`(?:aaa)*`, ``), parse(`b`)), []int{4, 7, 10}},
		"(aaa)*b|bbb":  {minus(`(?:aaa)*(?:b|bbb)`, `aaab`), []int{1, 3, 6, 7, 9, 10}},
		"(aa)*b|c{7}":  {minus(`(?:aa)*b|c{7}`, `aab`), []int{1, 5, 7, 9, 11}},
		"a(ab)*c|a*bb": {minus(`a(?:ab)*c|a*bb`, `aabb`), []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
	} {
		l := Intersect(parse(`.*`), c.l)
		for n := range 12 {
			if got, want := l.CanEnd(l.Start(), n, n), slices.Contains(c.lengths, n); got != want {
				t.Errorf("%s has a text of %d characters: %v, want %v", name, n, got, want)
			}
		}
	}
}
