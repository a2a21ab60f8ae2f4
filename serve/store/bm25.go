package store

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// Constants of BM25 as its authors recommend them (Robertson and Zaragoza 2009, "The
// Probabilistic Relevance Framework: BM25 and Beyond").
const (
	bm25K = 1.2
	bm25B = 0.75
)

// BM25 is how well each text answers a query by the words they share; 0: they share
// none. It is computed here and not by the database, so that all databases agree and
// none has an index of words that are to be forgotten. The weight of a word is Lucene's,
// which is never negative.
func BM25(query string, texts []string) []float64 {
	documents := make([]map[string]int, len(texts))
	lengths := make([]int, len(texts))
	in := map[string]int{} // texts with a word
	total := 0
	for i, t := range texts {
		documents[i] = map[string]int{}
		for _, w := range words(t) {
			documents[i][w]++
			lengths[i]++
		}
		total += lengths[i]
		for w := range documents[i] {
			in[w]++
		}
	}
	scores := make([]float64, len(texts))
	asked := words(query)
	slices.Sort(asked)
	for _, w := range slices.Compact(asked) {
		idf := math.Log1p((float64(len(texts)-in[w]) + 0.5) / (float64(in[w]) + 0.5))
		for i, d := range documents {
			if n := float64(d[w]); n > 0 {
				scores[i] += idf * n * (bm25K + 1) / (n + bm25K*(1-bm25B+bm25B*float64(lengths[i])*float64(len(texts))/float64(total)))
			}
		}
	}
	return scores
}

// words are those of a text, in lower case, without the commonest: they say nothing of
// what it is about.
func words(text string) []string {
	all := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
	return slices.DeleteFunc(all, func(w string) bool { _, is := slices.BinarySearch(common, w); return is })
}

// common are function words of English, in order.
var common = strings.Fields("a about am an and are as at be but by can could did do does for from had has have he her his how i if in is it its me my of on or our she should so that the their them they this to us was we were what when where which who why will with would you your")

// Relevant are the facts that a question is about, the most relevant first, at most n of
// them: those that share words with it, and those whose likeness, one each, reaches
// least. Both orders count alike (reciprocal rank fusion, Cormack et al. 2009).
func Relevant(facts []Fact, question string, likeness []float64, least float64, n int) []Fact {
	texts := make([]string, len(facts))
	for i, f := range facts {
		texts[i] = f.Text
	}
	shared := BM25(question, texts)
	fused := make([]float64, len(facts))
	for _, order := range [][]float64{shared, likeness} {
		at := make([]int, len(order))
		for i := range at {
			at[i] = i
		}
		slices.SortStableFunc(at, func(i, j int) int { return cmp.Compare(order[j], order[i]) })
		for rank, i := range at {
			fused[i] += 1 / float64(60+rank+1)
		}
	}
	var found []int
	for i := range facts {
		if shared[i] > 0 || i < len(likeness) && likeness[i] >= least {
			found = append(found, i)
		}
	}
	slices.SortStableFunc(found, func(i, j int) int { return cmp.Compare(fused[j], fused[i]) })
	var out []Fact
	for _, i := range found[:min(n, len(found))] {
		out = append(out, facts[i])
	}
	return out
}
