package serve

import (
	"context"
	"math"

	"github.com/foundling-lm/foundling/generate"
)

// echo is prompts that are shown before their texts.
type echo struct {
	model   *served
	prompts []echoed
	top     int
	scored  bool // their probabilities are asked for
}

type echoed struct {
	ids    []int32
	before int // ids that are no part of the text: where texts start
	text   string
	score  *generate.Score
}

// echo makes ready to show prompts; text says that they were given as text.
func (m *served) echo(prompts [][]int32, text bool, top int, scored bool) *echo {
	e := &echo{model: m, top: top, scored: scored}
	for _, ids := range prompts {
		p := echoed{ids: ids, text: m.Bundle.Tokenizer.Decode(ids)}
		if text {
			p.before = min(len(m.Bundle.Start()), len(ids))
			if p.text == "" {
				p.before = len(ids) // what stands for no text
			}
		}
		e.prompts = append(e.prompts, p)
	}
	return e
}

// text is prompt p; a nil echo shows none.
func (e *echo) text(p int) string {
	if e == nil {
		return ""
	}
	return e.prompts[p].text
}

// score finds the probabilities.
func (e *echo) score(ctx context.Context) error {
	if e == nil || !e.scored {
		return nil
	}
	texts := make([][]int32, len(e.prompts))
	for i, p := range e.prompts {
		texts[i] = p.ids
	}
	scores, err := e.model.Engine.ScoreEach(ctx, texts, e.top)
	if err != nil {
		return asError(err, false)
	}
	for i := range e.prompts {
		e.prompts[i].score = scores[i]
	}
	return nil
}

// tell puts the tokens of prompt p in, from the beginning of the text on.
func (e *echo) tell(l *textLogProbs, p int) {
	if e == nil {
		return
	}
	x := &e.prompts[p]
	if l.at = 0; e.model.Bundle.Tokenizer.BlankAfter(x.ids[:x.before]) {
		l.at = -1 // the tokenizer's own blank is not shown
	}
	for i := x.before; i < len(x.ids); i++ {
		if i == 0 {
			l.put(e.model, x.ids[i], nil, nil)
			continue
		}
		d := &generate.Detail{}
		if e.top > 0 {
			d.Top = x.score.Each[i-1]
		}
		l.add(e.model, x.ids[i], math.Max(x.score.LogProbs[i-1], unlikely), d)
	}
}
