package eval

import "math"

// Guess is the scores (log-odds, up to a constant) that a classifier gives to the
// classes of one text, and its true class.
type Guess struct {
	Class  int
	Scores []float64
}

// guessed is the class with the largest score, the first of equals, and its
// probability.
func (g Guess) guessed() (class int, p float64) {
	for i, x := range g.Scores {
		if x > g.Scores[class] {
			class = i
		}
	}
	return class, math.Exp(g.Scores[class] - g.logZ())
}

func (g Guess) logZ() float64 {
	top, z := math.Inf(-1), 0.0
	for _, x := range g.Scores {
		top = max(top, x)
	}
	for _, x := range g.Scores {
		z += math.Exp(x - top)
	}
	return top + math.Log(z)
}

// Right is 1 for each guess that is right, else 0.
func Right(guesses []Guess) []float64 {
	out := make([]float64, len(guesses))
	for i, g := range guesses {
		if class, _ := g.guessed(); class == g.Class {
			out[i] = 1
		}
	}
	return out
}

// ClassReport says how good a classifier is.
type ClassReport struct {
	Accuracy      Interval
	Majority      string  // the most frequent class
	MajorityShare float64 // the accuracy of always saying it
	MacroF1       float64 // mean over the classes
	LogLoss       float64 // nats
	ECE           float64 // of the probability of the guessed class
	Classes       []ClassFigures
	Confusion     [][]int // true class, guessed class
}

// ClassFigures are those of one class; where nothing was guessed or true they are 0.
type ClassFigures struct {
	Label                 string
	Texts                 int
	Precision, Recall, F1 float64
}

// NewClassReport measures; labels are the names of the classes.
func NewClassReport(labels []string, guesses []Guess) *ClassReport {
	r := &ClassReport{Confusion: make([][]int, len(labels))}
	for i := range labels {
		r.Confusion[i] = make([]int, len(labels))
	}
	var promised []promise
	right := 0
	for _, g := range guesses {
		class, p := g.guessed()
		r.Confusion[g.Class][class]++
		r.LogLoss += (g.logZ() - g.Scores[g.Class]) / float64(len(guesses))
		won := 0.0
		if class == g.Class {
			right++
			won = 1
		}
		promised = append(promised, promise{p, won})
	}
	_, r.ECE = calibrate(promised)
	r.Accuracy = Wilson(right, len(guesses), Z95)
	for i, label := range labels {
		f := ClassFigures{Label: label}
		said := 0
		for k := range labels {
			f.Texts += r.Confusion[i][k]
			said += r.Confusion[k][i]
		}
		hit := float64(r.Confusion[i][i])
		if said > 0 {
			f.Precision = hit / float64(said)
		}
		if f.Texts > 0 {
			f.Recall = hit / float64(f.Texts)
		}
		if hit > 0 {
			f.F1 = 2 * f.Precision * f.Recall / (f.Precision + f.Recall)
		}
		r.MacroF1 += f.F1 / float64(len(labels))
		if share := float64(f.Texts) / float64(max(1, len(guesses))); share > r.MajorityShare {
			r.Majority, r.MajorityShare = label, share
		}
		r.Classes = append(r.Classes, f)
	}
	return r
}
