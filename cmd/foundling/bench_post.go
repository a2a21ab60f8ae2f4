package main

import (
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
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

// dpoTrainee is a model on pairs of random tokens as long as the demonstrations, in
// one micro-batch, against a second copy: DPO's sigmoid loss. Its operations are
// those that the method needs: three passes of the policy, one of the reference, and
// the unembedding over answers.
func dpoTrainee(b tensor.Backend, s plan.Shape, pairs int) (*trainee, error) {
	e, err := pretrainee(b, s, 1)
	if err != nil {
		return nil, err
	}
	frozen, err := pretrain.NewModel(b, s, -1)
	if err != nil {
		return nil, err
	}
	fillWeights(b, frozen)
	loss, err := objective.NewPreference("sigmoid", objective.PreferenceOptions{})
	if err != nil {
		return nil, err
	}
	p := &posttrain.Preferences{
		Losses: []posttrain.WeightedLoss{{Preference: loss, Weight: 1}}, Policy: e.m, Row: trainTokens, Places: 1 << 20,
		Scorer: posttrain.NewScorer(b, e.m, nil), Reference: posttrain.NewScorer(b, frozen, nil),
	}
	batches := func(step int) []posttrain.Preferred {
		ps := make([]posttrain.Preferred, pairs)
		for i := range ps {
			at := uint64(i)
			prompt := 16 + rng.Intn(5, 1, at, 64)
			side := func(k uint64) *posttrain.Completion {
				n := prompt + 16 + rng.Intn(5, 2+k, at, 64)
				x := batch.Example{IDs: make([]int32, n), Train: make([]bool, n)}
				for j := range x.IDs {
					seed := k
					if j < prompt {
						seed = 0
					}
					x.IDs[j], x.Train[j] = int32(rng.Intn(uint64(step), 7+seed, at<<16|uint64(j), s.Vocab)), j >= prompt
				}
				return &posttrain.Completion{Example: x}
			}
			ps[i] = posttrain.Preferred{Chosen: side(0), Rejected: side(1)}
		}
		return ps
	}
	e.places = 0
	for _, x := range batches(0) {
		e.places += x.Size()
	}
	e.flop = p.FLOP(s, batches(0), 3)
	e.micro = func(n int) []train.Micro { return p.Micro(batches(n)) }
	e.close = func() {
		p.Scorer.Close()
		p.Reference.Close()
		model.Release(b, frozen.Params())
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
