package objective

// ScoreLosses has one value a pair of scored completions.
type ScoreLosses struct {
	Loss                     []float64
	GradChosen, GradRejected []float64 // by the scores
}

// BradleyTerry is -log sigmoid(c - r - margin) + centring (c + r)^2: the
// likelihood of the choice (Bradley & Terry 1952; Ouyang et al. 2022, arXiv
// 2203.02155, eq. 1), with a margin by how clear the choice was (Touvron et al.
// 2023, arXiv 2307.09288, eq. 2; nil: none) and a pull of the mean score to 0,
// which the likelihood leaves open (Eisenstein et al. 2023, arXiv 2312.09244,
// eq. 2).
func BradleyTerry(chosen, rejected, margin []float64, centring float64) ScoreLosses {
	n := len(chosen)
	equal("scores", n, len(rejected))
	if margin != nil {
		equal("margins", n, len(margin))
	}
	l := ScoreLosses{make([]float64, n), make([]float64, n), make([]float64, n)}
	for i := range n {
		x, sum := chosen[i]-rejected[i], chosen[i]+rejected[i]
		if margin != nil {
			x -= margin[i]
		}
		d := sigmoid(-x)
		l.Loss[i] = -logSigmoid(x) + centring*sum*sum
		l.GradChosen[i] = -d + 2*centring*sum
		l.GradRejected[i] = d + 2*centring*sum
	}
	return l
}

// Regression is the squared error of each score.
func Regression(score, target []float64) (loss, grad []float64) {
	equal("scores and targets", len(score), len(target))
	loss, grad = make([]float64, len(score)), make([]float64, len(score))
	for i := range score {
		d := score[i] - target[i]
		loss[i], grad[i] = d*d, 2*d
	}
	return loss, grad
}

// Process is the cross-entropy of steps judged one by one: score is the log odds
// that a step is right (Lightman et al. 2023, arXiv 2305.20050, section 2.6;
// Uesato et al. 2022, arXiv 2211.14275).
func Process(score []float64, right []bool) (loss, grad []float64) {
	equal("scores and labels of steps", len(score), len(right))
	loss, grad = make([]float64, len(score)), make([]float64, len(score))
	for i, s := range score {
		if right[i] {
			loss[i], grad[i] = -logSigmoid(s), -sigmoid(-s)
		} else {
			loss[i], grad[i] = -logSigmoid(-s), sigmoid(s)
		}
	}
	return loss, grad
}
