package posttrain

import (
	"context"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/text/dataset"
)

// AnswerLogProbs are the log-probabilities that a model gives each token of
// answers, of any model with the same vocabulary, in the order of the tries.
func AnswerLogProbs(ctx context.Context, e *generate.Engine, tries []*Tries) ([][]float64, error) {
	var texts [][]int32
	var from []int
	for _, t := range tries {
		for k := range t.Answers {
			c := t.Completion(k)
			if c == nil { // said nothing, not even its end
				texts, from = append(texts, t.IDs), append(from, len(t.IDs))
				continue
			}
			texts, from = append(texts, c.IDs), append(from, len(t.IDs))
		}
	}
	scores, err := e.ScoreAll(ctx, texts, 0)
	if err != nil {
		return nil, err
	}
	out := make([][]float64, len(texts))
	for i, s := range scores {
		out[i] = s.LogProbs[from[i]-1:]
	}
	return out, nil
}

// Longest is the most tokens that a prompt and an answer have together.
func Longest(tries []*Tries) (n int) {
	for _, t := range tries {
		for _, a := range t.Answers {
			n = max(n, len(t.IDs)+len(a.IDs))
		}
	}
	return n
}

// Match is the answers of several models to the same prompts: Sides[m][i] are those
// of model m to prompt i, as many of each.
type Match struct {
	Prompts []dataset.Record
	Sides   [][]*Tries
}

// each calls f with every two models' answers of one number to one prompt.
func (m *Match) each(f func(a, b, prompt, k int)) {
	for i := range m.Prompts {
		for a := range m.Sides {
			for b := a + 1; b < len(m.Sides); b++ {
				for k := range min(len(m.Sides[a][i].Answers), len(m.Sides[b][i].Answers)) {
					f(a, b, i, k)
				}
			}
		}
	}
}

// Rewarded is the games by scores: the larger wins. Answers without a score are
// left out and counted.
func (m *Match) Rewarded(ctx context.Context, grade Grade) (games []eval.Game, left int, err error) {
	for s := range m.Sides {
		if err := grade(ctx, m.Prompts, m.Sides[s]); err != nil {
			return nil, 0, err
		}
	}
	m.each(func(a, b, i, k int) {
		x, y := m.Sides[a][i].Answers[k].Score, m.Sides[b][i].Answers[k].Score
		if x == nil || y == nil {
			left++
			return
		}
		g := eval.Game{A: a, B: b, Score: 0.5, Group: i}
		if *x != *y {
			g.Score = is(*x > *y)
		}
		games = append(games, g)
	})
	return games, left, nil
}

// Judged is the games by a judge that is asked in both orders. What it does not
// decide is a draw; equal answers are one without being asked about. Comparisons
// without two verdicts are left out and counted.
func (m *Match) Judged(ctx context.Context, c *Court) (games []eval.Game, left int, report *JudgeReport, err error) {
	var cs []Comparison
	var asked []int // game of each
	m.each(func(a, b, i, k int) {
		x, y := m.Sides[a][i].Answers[k].Text, m.Sides[b][i].Answers[k].Text
		if x != y {
			asked = append(asked, len(games))
			cs = append(cs, Comparison{Prompt: m.Prompts[i].Prompt, Source: m.Prompts[i].Source, First: dataset.Text{Plain: x}, Second: dataset.Text{Plain: y}})
		}
		games = append(games, eval.Game{A: a, B: b, Score: 0.5, Group: i})
	})
	opinions, report, err := c.Compare(ctx, cs)
	if err != nil {
		return nil, 0, nil, err
	}
	gone := map[int]bool{}
	for k, o := range opinions {
		switch {
		case !o.whole():
			gone[asked[k]] = true
		case o.Decided():
			games[asked[k]].Score = is(o.First > 0.5)
		}
	}
	kept := games[:0]
	for k, g := range games {
		if !gone[k] {
			kept = append(kept, g)
		}
	}
	return kept, len(gone), report, nil
}

// Common are the numbers of the prompts that all models could answer.
func Common(sides [][]*Tries) (out []int) {
	for i := range sides[0] {
		all := true
		for _, s := range sides {
			all = all && s[i].Answers != nil
		}
		if all {
			out = append(out, i)
		}
	}
	return out
}

// Refusals are 1 where the first answer to a prompt is refused (eval.Refused), else
// 0; which are the numbers of the prompts, all answered.
func Refusals(tries []*Tries, which []int) []float64 {
	out := make([]float64, len(which))
	for k, i := range which {
		out[k] = is(eval.Refused(tries[i].Answers[0].Text))
	}
	return out
}
