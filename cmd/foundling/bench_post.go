package main

import (
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/posttrain"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// randomExample is a demonstration of random tokens: a prompt of 16 to 79 of them
// and an answer as long.
func randomExample(i, vocab int) batch.Example {
	prompt, answer := 16+rng.Intn(5, 1, uint64(i), 64), 16+rng.Intn(5, 2, uint64(i), 64)
	x := batch.Example{IDs: make([]int32, prompt+answer), Train: make([]bool, prompt+answer)}
	for j := range x.IDs {
		x.IDs[j], x.Train[j] = int32(rng.Intn(5, 3, uint64(i)<<16|uint64(j), vocab)), j >= prompt
	}
	return x
}

// dpoTrainee is a model on so many pairs of random answers, whose log-probabilities
// under the reference are known.
func dpoTrainee(b tensor.Backend, s plan.Shape, pairs int) (*trainee, error) {
	e, err := pretrainee(b, s, 1)
	if err != nil {
		return nil, err
	}
	loss, err := objective.NewPreference("sigmoid", objective.PreferenceOptions{Beta: 0.1})
	if err != nil {
		return nil, err
	}
	p := &posttrain.Preferences{
		Losses: []posttrain.WeightedLoss{{Preference: loss, Weight: 1}}, Policy: e.m, Scorer: posttrain.NewScorer(b, e.m, nil),
		Row: trainTokens, Places: microTokens,
	}
	data := make([]posttrain.Preferred, pairs)
	e.places = 0
	for i := range data {
		answers := [2]*posttrain.Completion{}
		for k := range answers {
			x := randomExample(2*i+k, s.Vocab)
			known := -8 * float64(len(x.IDs))
			answers[k] = &posttrain.Completion{Example: x, Reference: &known}
			e.places += len(x.IDs) - 1
		}
		data[i] = posttrain.Preferred{Chosen: answers[0], Rejected: answers[1]}
	}
	e.flop = p.FLOP(s, data, 3)
	e.micro = func(int) []train.Micro { return p.Micro(data) }
	e.close = p.Scorer.Close
	return e, nil
}

// sftTrainee is a model on demonstrations of random tokens, packed.
func sftTrainee(b tensor.Backend, s plan.Shape, rows int) (*trainee, error) {
	e, err := pretrainee(b, s, rows)
	if err != nil {
		return nil, err
	}
	examples := make([]batch.Example, 1000)
	for i := range examples {
		examples[i] = randomExample(i, s.Vocab)
	}
	packed, err := batch.PackExamples(examples, trainTokens, batch.PackOptions{})
	if err != nil {
		return nil, err
	}
	f, p := s.FLOP(trainTokens), packed.Stats()
	e.flop = 3 * (f.Layers + f.Attention + f.Head*float64(p.Trained)/float64(p.Rows*trainTokens))
	source := posttrain.Demonstrations(e.m, packed.Loader(rows, 1), 1)
	e.micro = func(n int) []train.Micro {
		micro, err := source(n)
		if err != nil {
			panic(err) // it reads nothing
		}
		return micro
	}
	return e, nil
}

// loraTrainee is an adapter of rank 16 in all layers of a model in bf16, on random
// tokens that are all trained.
func loraTrainee(b tensor.Backend, s plan.Shape, rows, tokens int) (*trainee, error) {
	m, err := pretrain.NewModel(b, s, -1)
	if err != nil {
		return nil, err
	}
	for _, w := range m.Params() {
		if err := fillStored(b, w, dtype.BF16); err != nil {
			return nil, err
		}
	}
	a, err := lora.Attach(b, m, lora.Options{Rank: 16, Seed: 1})
	if err != nil {
		return nil, err
	}
	return &trainee{
		m: m, params: a.Params(), places: rows * tokens, flop: posttrain.FLOP(m, a, tokens),
		micro: func(n int) []train.Micro { return train.Language(m, randomBatch(n, rows, tokens, s.Vocab)) },
	}, nil
}
