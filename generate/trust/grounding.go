package trust

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Claim is a sentence of an answer and where a context bears it out.
type Claim struct {
	Span           // in the answer
	Score  float64 `json:"score"`   // 0 to 1: how much of the claim the support has
	Source Span    `json:"support"` // in the context; empty where nothing fits
	// Missing are the words of the claim, in the answer, that the support lacks.
	Missing []Span `json:"missing,omitempty"`
}

// Ground looks for every sentence of an answer in a context. The support is the
// sentence, or the two in a row, that have most of its words, each counted once with
// the weight log((S+1)/(df+1/2)): S sentences of both texts, of which df have the word
// (after Spärck Jones 1972). So a name or a number that stands here only weighs most,
// and a word that all sentences have, least. Their order is not looked at, so who did it to whom goes unseen, and so
// does a "not" elsewhere. The time is linear in the texts, for words that are rare.
func Ground(answer, context string) []Claim {
	x := newIndex(context)
	var out []Claim
	sentences := Sentences(answer)
	for _, s := range sentences {
		seen := map[string]bool{}
		for _, w := range words(answer[s.Start:s.End]) {
			if !seen[w.text] {
				seen[w.text] = true
				x.claims[w.text]++
			}
		}
	}
	x.all = len(x.sentences) + len(sentences)
	for _, s := range sentences {
		if w := words(answer[s.Start:s.End]); len(w) > 0 {
			out = append(out, x.claim(s, w))
		}
	}
	return out
}

// GroundCut is Ground of an answer that was cut off at a limit: the rest of a sentence that
// it ends in is no claim where there are others.
func GroundCut(answer, context string) []Claim {
	claims := Ground(answer, context)
	if n := len(claims); n > 1 && !closed(answer[claims[n-1].Start:claims[n-1].End]) && !strings.Contains(answer[claims[n-1].End:], "\n") {
		return claims[:n-1]
	}
	return claims
}

// closed says that a mark ends a sentence.
func closed(sentence string) bool {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(sentence, "\"'”’)]"))
	return strings.ContainsRune(".!?。！？", last)
}

// index is where the words of a context are.
type index struct {
	sentences []Span
	words     [][]word         // of each sentence, with spans in the context
	where     map[string][]int // sentences, rising
	claims    map[string]int   // sentences of the answer with the word
	all       int              // sentences of both
}

func newIndex(context string) *index {
	x := &index{sentences: Sentences(context), where: map[string][]int{}, claims: map[string]int{}}
	for i, s := range x.sentences {
		list := words(context[s.Start:s.End])
		for k := range list {
			list[k].Start, list[k].End = list[k].Start+s.Start, list[k].End+s.Start
			at := x.where[list[k].text]
			if len(at) == 0 || at[len(at)-1] != i {
				x.where[list[k].text] = append(at, i)
			}
		}
		x.words = append(x.words, list)
	}
	return x
}

func (x *index) weight(w string) float64 {
	return math.Log((float64(x.all) + 1) / (float64(len(x.where[w])+x.claims[w]) + 0.5))
}

// claim finds the support of words at span s.
func (x *index) claim(s Span, list []word) Claim {
	c := Claim{Span: s}
	one, two := make([]float64, len(x.sentences)), make([]float64, len(x.sentences)) // two[i]: of i and i+1
	total, seen := 0.0, map[string]bool{}
	for _, w := range list {
		if seen[w.text] {
			continue
		}
		seen[w.text] = true
		weight := x.weight(w.text)
		total += weight
		last := -1
		for _, i := range x.where[w.text] {
			one[i] += weight
			for _, k := range []int{i - 1, i} {
				if k > last && k+1 < len(two) {
					two[k] += weight
					last = k
				}
			}
		}
	}
	best, n := -1, 1
	for i := range one {
		if one[i] > c.Score*total {
			c.Score, best = one[i]/total, i
		}
	}
	const rounding = 1e-9
	for i := range two {
		if two[i] > c.Score*total+rounding {
			c.Score, best, n = two[i]/total, i, 2
		}
	}
	c.Score = min(1, c.Score)
	there := map[string]bool{}
	if best >= 0 {
		c.Source = Span{math.MaxInt, 0}
		for _, sentence := range x.words[best : best+n] {
			for _, w := range sentence {
				if seen[w.text] {
					there[w.text] = true
					c.Source.Start, c.Source.End = min(c.Source.Start, w.Start), max(c.Source.End, w.End)
				}
			}
		}
	}
	for _, w := range list {
		if !there[w.text] {
			c.Missing = append(c.Missing, Span{w.Start + s.Start, w.End + s.Start})
		}
	}
	return c
}
