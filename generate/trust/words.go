package trust

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Span is bytes Start to End of a text.
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// word is a word in lower case and where it stands.
type word struct {
	text string
	Span
}

// alone are scripts that put no blanks between words: each character is a word.
var alone = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Khmer, unicode.Lao, unicode.Myanmar}

// words are the runs of letters, digits and marks; a point, a comma or an apostrophe
// between two of them belongs to the word.
func words(text string) []word {
	var out []word
	start := -1
	end := func(at int) {
		if start >= 0 {
			out = append(out, word{strings.ToLower(text[start:at]), Span{start, at}})
			start = -1
		}
	}
	for i, r := range text {
		size := utf8.RuneLen(r)
		switch {
		case r == utf8.RuneError:
			end(i)
		case unicode.In(r, alone...) && !unicode.IsMark(r):
			end(i)
			start = i
			end(i + size)
		case letter(r):
			if start < 0 {
				start = i
			}
		case start >= 0 && strings.ContainsRune(".,'’", r) && joins(text[i+size:], r, text[start:i]):
		default:
			end(i)
		}
	}
	end(len(text))
	return out
}

func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// joins says whether mark r between before and after is inside a word: an apostrophe
// between letters, a point or comma between digits.
func joins(after string, r rune, before string) bool {
	next, _ := utf8.DecodeRuneInString(after)
	last, _ := utf8.DecodeLastRuneInString(before)
	if r == '.' || r == ',' {
		return unicode.IsDigit(last) && unicode.IsDigit(next)
	}
	return unicode.IsLetter(last) && unicode.IsLetter(next)
}

// titles stand before names with a point that ends no sentence.
var titles = map[string]bool{"mr": true, "mrs": true, "ms": true, "dr": true, "st": true, "prof": true, "vs": true, "jr": true, "sr": true, "no": true, "e.g": true, "i.e": true}

// Sentences are the spans of the sentences of a text that have words, without the
// white space around them. A line is the end of one; so is a mark . ! or ? before
// white space, but not after one letter, a title, or the number of a list.
func Sentences(text string) []Span {
	var out []Span
	start := 0
	end := func(at int) {
		part := text[start:at]
		s := Span{start + len(part) - len(strings.TrimLeftFunc(part, unicode.IsSpace)), start + len(strings.TrimRightFunc(part, unicode.IsSpace))}
		if s.Start < s.End && strings.ContainsFunc(text[s.Start:s.End], letter) {
			out = append(out, s)
		}
		start = at
	}
	for i, r := range text {
		after := i + utf8.RuneLen(r)
		switch r {
		case '\n':
			end(i)
		case '。', '！', '？':
			end(after)
		case '.', '!', '?':
			rest := strings.TrimLeft(text[after:], `"'”’)]`)
			next, _ := utf8.DecodeRuneInString(rest)
			if (rest == "" || unicode.IsSpace(next)) && !(r == '.' && abbreviated(text[start:i])) {
				end(len(text) - len(rest))
			}
		}
	}
	end(len(text))
	return out
}

// abbreviated says whether the point behind text belongs to its last word.
func abbreviated(text string) bool {
	f := strings.Fields(text)
	if len(f) == 0 {
		return false
	}
	last := strings.ToLower(strings.TrimLeft(f[len(f)-1], `"'“‘([`))
	if len(f) == 1 && strings.Trim(last, "0123456789") == "" {
		return true
	}
	return titles[last] || utf8.RuneCountInString(last) == 1 && last != "i" && strings.ContainsFunc(last, unicode.IsLetter)
}

// Bag is a multiset of words or of pairs of them.
type Bag map[string]int

// WordPairs counts the pairs of words that follow each other, words being what blanks
// divide, in lower case. The beginning and the end count as words.
func WordPairs(text string) Bag {
	pairs := Bag{}
	before := ""
	for _, w := range append(strings.Fields(strings.ToLower(text)), "") {
		pairs[before+" "+w]++
		before = w
	}
	return pairs
}

// ngrams counts the runs of n words; a text with fewer is one run.
func ngrams(text string, n int) Bag {
	w, bag := words(text), Bag{}
	if len(w) == 0 {
		return bag
	}
	n = min(n, len(w))
	for i := range len(w) - n + 1 {
		var b strings.Builder
		for _, x := range w[i : i+n] {
			b.WriteString(x.text)
			b.WriteByte(' ')
		}
		bag[b.String()]++
	}
	return bag
}

func (a Bag) common(b Bag) (both int) {
	for w, n := range a {
		both += min(n, b[w])
	}
	return both
}

func (a Bag) size() (n int) {
	for _, k := range a {
		n += k
	}
	return n
}

// Dice is Dice's coefficient (Dice 1945): 1 for equal bags, 0 for nothing in common.
// Two empty bags are equal.
func (a Bag) Dice(b Bag) float64 {
	all := a.size() + b.size()
	if all == 0 {
		return 1
	}
	return 2 * float64(a.common(b)) / float64(all)
}

// Within is the share of a that b has too; of an empty a, 1.
func (a Bag) Within(b Bag) float64 {
	n := a.size()
	if n == 0 {
		return 1
	}
	return float64(a.common(b)) / float64(n)
}

// Similarity is Dice's coefficient of the pairs of words that follow each other in
// two texts, without regard to case: 1 for the same words in the same order.
func Similarity(a, b string) float64 { return WordPairs(a).Dice(WordPairs(b)) }
