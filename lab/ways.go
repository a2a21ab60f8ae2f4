package lab

import (
	"fmt"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate/search"
)

// way is one way to choose among the candidates of a problem.
type way struct {
	name string
	// score grades a sample for ways that choose the greatest; nil for votes.
	score func(s *Sample) float64
	// at is the probability that the choice among k candidates is right, for each k.
	at func(p *Problem, ks []int, stream uint64) []float64
}

// byScore chooses the greatest score.
func byScore(name string, score func(s *Sample) float64) way {
	return way{name, score, func(p *Problem, ks []int, _ uint64) []float64 {
		scores, right := make([]float64, len(p.Candidates)), rights(p)
		for i := range scores {
			scores[i] = score(&p.Candidates[i])
		}
		return eval.BestAtK(scores, right, ks)
	}}
}

func rights(p *Problem) []bool {
	right := make([]bool, len(p.Candidates))
	for i, s := range p.Candidates {
		right[i] = s.Right
	}
	return right
}

// byVote chooses the answer of the greatest weight.
func byVote(name string, o TestTimeOptions, weight func(s *Sample) float64) way {
	return way{name, nil, func(p *Problem, ks []int, stream uint64) []float64 {
		return eval.VoteAtK(votes(p, weight), ks, o.Orders, o.Seed, stream)
	}}
}

// votes are those of a problem's candidates; samples without an answer do not vote.
func votes(p *Problem, weight func(s *Sample) float64) []eval.Vote {
	out := make([]eval.Vote, len(p.Candidates))
	for i := range out {
		s := &p.Candidates[i]
		out[i] = eval.Vote{Answer: s.Answer, Right: s.Right, Tokens: s.Tokens}
		if s.Answer != "" {
			out[i].Weight = weight(s)
		}
	}
	return out
}

func one(*Sample) float64 { return 1 }

// waysFor are the ways that the pool has data for, the coverage first.
func waysFor(problems []Problem, o TestTimeOptions) []way {
	norm := func(n search.LengthNorm) func(*Sample) float64 {
		return func(s *Sample) float64 { return n(*s.SumLogP, s.Tokens) }
	}
	likely, answers, written := true, false, false
	for i := range problems {
		for j := range problems[i].Candidates {
			s := &problems[i].Candidates[j]
			likely = likely && s.SumLogP != nil
			answers = answers || s.Answer != ""
			written = written || s.Text != ""
		}
	}
	ways := []way{
		{coverage, nil, func(p *Problem, ks []int, _ uint64) []float64 {
			c := 0
			for _, r := range rights(p) {
				if r {
					c++
				}
			}
			out := make([]float64, len(ks))
			for i, k := range ks {
				out[i] = eval.PassAtK(len(p.Candidates), c, k)
			}
			return out
		}},
		byScore("first", func(*Sample) float64 { return 0 }),
	}
	if likely {
		ways = append(ways, byScore("sumlogp", norm(search.SumNorm)), byScore("meanlogp", norm(search.MeanNorm)), byScore("gnmt", norm(search.GNMTNorm(o.Alpha))))
	}
	if written {
		ways = append(ways, byScore("least repetition", func(s *Sample) float64 { return -search.Repetition(s.Text) }))
	}
	if answers {
		ways = append(ways, byVote("majority", o, one))
	}
	if answers && likely {
		ways = append(ways, byVote("weighted", o, func(s *Sample) float64 { return math.Exp(norm(search.MeanNorm)(s)) }))
	}
	for _, name := range scoreNames(problems) {
		ways = append(ways, byScore(name, func(s *Sample) float64 { return s.Scores[name] }))
	}
	return ways
}

// disagreements compares the choices of all ways by score on whole pools.
func disagreements(problems []Problem, ways []way) []Disagreement {
	ways = slices.DeleteFunc(slices.Clone(ways), func(w way) bool { return w.score == nil || w.name == "first" })
	choice := make([][]int, len(ways))
	for w := range ways {
		for i := range problems {
			c, best := problems[i].Candidates, 0
			for j := range c {
				if ways[w].score(&c[j]) > ways[w].score(&c[best]) {
					best = j
				}
			}
			choice[w] = append(choice[w], best)
		}
	}
	var out []Disagreement
	for a := range ways {
		for b := a + 1; b < len(ways); b++ {
			n := 0
			for i := range problems {
				if choice[a][i] != choice[b][i] {
					n++
				}
			}
			out = append(out, Disagreement{ways[a].name, ways[b].name, float64(n) / float64(len(problems))})
		}
	}
	return out
}

// stopRule is a rule of early stopping with its name.
type stopRule struct {
	name string
	stop search.StopRule
}

func stopRules() []stopRule {
	rules := []stopRule{{"certain", search.CannotBeOvertaken}}
	for _, c := range []float64{0.99, search.DefaultConfidence, 0.9, 0.8} {
		rules = append(rules, stopRule{fmt.Sprintf("beta %g", c), search.BetaStop(c)})
	}
	return rules
}

// earlySum adds up over problems.
type earlySum struct {
	eval.Stopped
	whole, prompt float64
}

func (e *earlySum) add(p *Problem, rule stopRule, k int, o TestTimeOptions, stream uint64) {
	v := votes(p, one)
	s := eval.VoteUntil(v, k, rule.stop, o.Orders, o.Seed, stream)
	e.Accuracy += s.Accuracy
	e.Samples += s.Samples
	e.Tokens += s.Tokens
	e.Agrees += s.Agrees
	e.prompt += float64(p.PromptTokens)
	e.whole += eval.VoteAtK(v, []int{k}, o.Orders, o.Seed, stream)[0]
}

func (e *earlySum) mean(rule string, k, problems int) EarlyStop {
	n := float64(problems)
	return EarlyStop{
		Rule: rule, Limit: k, Samples: e.Samples / n, Tokens: (e.prompt + e.Tokens) / n,
		Accuracy: e.Accuracy / n, Whole: e.whole / n, Agrees: e.Agrees / n,
	}
}
