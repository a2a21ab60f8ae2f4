package trust

import (
	"math"
	"strings"
)

// Check is how one sentence of an answer stands to other answers to the same
// question. All figures grow with the suspicion that it was made up.
type Check struct {
	Span
	// Overlap is 1 less the mean over the others of Dice's coefficient with the
	// sentence of theirs that is most alike, by words: equation 2 of the paper, which
	// has BERTScore there.
	Overlap float64 `json:"overlap"`
	// NGram and NGramMax are the mean and the greatest negative log-probability of
	// its words, nats, in a model of runs of words of the others and the answer.
	NGram    float64 `json:"ngram"`
	NGramMax float64 `json:"ngram_max"`
}

// SelfCheck compares the sentences of an answer with other answers (Manakul et al.
// 2023, arXiv 2303.08896, sections 5.1 and 5.3), in the forms that need no other
// model. Runs are of n words, 1 for the paper's best; counts are smoothed by one more
// for each word that the texts have. Without others there is nothing to check.
func SelfCheck(answer string, others []string, n int) []Check {
	if len(others) == 0 {
		return nil
	}
	m := newWordModel(max(1, n))
	m.learn(answer)
	sentences := make([][]Bag, len(others))
	for i, o := range others {
		m.learn(o)
		for _, s := range Sentences(o) {
			sentences[i] = append(sentences[i], ngrams(o[s.Start:s.End], 1))
		}
	}
	var out []Check
	for _, s := range Sentences(answer) {
		c := Check{Span: s, Overlap: 1}
		text := answer[s.Start:s.End]
		bag := ngrams(text, 1)
		for _, other := range sentences {
			most := 0.0
			for _, b := range other {
				most = max(most, bag.Dice(b))
			}
			c.Overlap -= most / float64(len(others))
		}
		c.Overlap = max(0, c.Overlap)
		c.NGram, c.NGramMax = m.surprise(text)
		out = append(out, c)
	}
	return out
}

// wordModel counts runs of words, within sentences.
type wordModel struct {
	n        int
	runs     map[string]int // of n words
	before   map[string]int // of the n-1 words before
	distinct map[string]bool
}

func newWordModel(n int) *wordModel {
	return &wordModel{n: n, runs: map[string]int{}, before: map[string]int{}, distinct: map[string]bool{}}
}

// each calls f with every word of a sentence and the n-1 before it.
func (m *wordModel) each(sentence string, f func(before, word string)) {
	window := make([]string, m.n-1)
	for _, w := range words(sentence) {
		f(strings.Join(window, " "), w.text)
		window = append(window, w.text)[1:]
	}
}

func (m *wordModel) learn(text string) {
	for _, s := range Sentences(text) {
		m.each(text[s.Start:s.End], func(before, word string) {
			m.before[before]++
			m.runs[before+"\n"+word]++
			m.distinct[word] = true
		})
	}
}

// surprise is the mean and the greatest negative log-probability of a sentence's
// words.
func (m *wordModel) surprise(sentence string) (average, most float64) {
	n := 0
	m.each(sentence, func(before, word string) {
		s := math.Log(float64(m.before[before]+len(m.distinct))) - math.Log(float64(m.runs[before+"\n"+word]+1))
		average, most = average+s, max(most, s)
		n++
	})
	return average / float64(max(1, n)), most
}
