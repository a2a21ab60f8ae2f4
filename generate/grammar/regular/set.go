package regular

import (
	"slices"
	"unicode/utf8"
)

// runes is a set of code points as pairs lo, hi: sorted, disjoint, not touching,
// without surrogates.
type runes []rune

// anyRune is the alphabet: every code point that UTF-8 can write.
var anyRune = runes{0, 0xD7FF, 0xE000, utf8.MaxRune}

// makeRunes brings pairs in any order, which may overlap, into the form of runes.
func makeRunes(pairs []rune) runes {
	type span struct{ lo, hi rune }
	spans := make([]span, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] <= pairs[i+1] {
			spans = append(spans, span{pairs[i], pairs[i+1]})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.lo) - int(b.lo) })
	var out runes
	for _, s := range spans {
		if n := len(out); n > 0 && s.lo <= out[n-1]+1 {
			out[n-1] = max(out[n-1], s.hi)
		} else {
			out = append(out, s.lo, s.hi)
		}
	}
	return out.and(anyRune)
}

// and is the intersection.
func (a runes) and(b runes) runes {
	var out runes
	for i, j := 0, 0; i < len(a) && j < len(b); {
		lo, hi := max(a[i], b[j]), min(a[i+1], b[j+1])
		if lo <= hi {
			out = append(out, lo, hi)
		}
		if a[i+1] < b[j+1] {
			i += 2
		} else {
			j += 2
		}
	}
	return out
}

// not is the complement within the alphabet.
func (a runes) not() runes {
	var out runes
	from := rune(0)
	for i := 0; i < len(a); i += 2 {
		if from < a[i] {
			out = append(out, from, a[i]-1)
		}
		from = a[i+1] + 1
	}
	if from <= utf8.MaxRune {
		out = append(out, from, utf8.MaxRune)
	}
	return out.and(anyRune)
}

// minus is the difference. Other than the complement it leaves marks as they are.
func (a runes) minus(b runes) runes {
	var out runes
	for i, j := 0, 0; i < len(a); i += 2 {
		lo, hi := a[i], a[i+1]
		for j < len(b) && b[j+1] < lo {
			j += 2
		}
		for k := j; k < len(b) && b[k] <= hi; k += 2 {
			if lo < b[k] {
				out = append(out, lo, b[k]-1)
			}
			lo = max(lo, b[k+1]+1)
		}
		if lo <= hi {
			out = append(out, lo, hi)
		}
	}
	return out
}

// or is the union.
func (a runes) or(b runes) runes { return makeRunes(slices.Concat(a, b)) }

// has says whether the set has r.
func (a runes) has(r rune) bool {
	lo, hi := 0, len(a)/2
	for lo < hi {
		mid := (lo + hi) / 2
		if a[2*mid+1] < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return 2*lo < len(a) && a[2*lo] <= r
}

// niceOrder is the order in which a character is chosen where any of a set will do
// and all are equally long in UTF-8.
var niceOrder = []runes{{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {' ', '!', '#', '[', ']', '~'}, {' ', '~'}, {0, 0x7F}, {0xA1, 0x7FF}, {0, 0x7FF}, {0x3041, 0xD7FF}, {0, 0xFFFF}, {0, utf8.MaxRune}}

// nicest is the code point of the set that takes the fewest bytes, a plain printable
// one where there is a choice. The set is not empty.
func (a runes) nicest() rune {
	for _, want := range niceOrder {
		if both := a.and(want); len(both) > 0 {
			return both[0]
		}
	}
	return a[0]
}

// A set is an interned runes: in one arena, equal sets are the same pointer.
type set struct {
	id     int32
	runes  runes
	best   rune  // the nicest
	length int32 // the bytes of best
}
