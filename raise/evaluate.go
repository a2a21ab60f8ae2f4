package raise

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/eval/compress"
	"github.com/foundling-lm/foundling/eval/ngram"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/prepare"
)

// Evaluation is what was measured on held-out text.
type Evaluation struct {
	Documents int            `json:"documents"` // of held-out text measured
	Bytes     int64          `json:"bytes"`
	Tokens    int64          `json:"tokens"`
	Context   int            `json:"context"`
	Stride    int            `json:"stride"`
	Bits      []Bits         `json:"bits_per_byte"`
	Functions []Functions    `json:"functions,omitempty"`
	BestOf    *BestOf        `json:"best_of,omitempty"`
	Samples   []Sample       `json:"samples"`
	Overlap   corpus.Overlap `json:"overlap"` // of both sides
	Kinds     []Kind         `json:"bytes_per_token"`
}

// Bits is the cost of a held-out byte under one model or baseline.
type Bits struct {
	Name  string        `json:"name"`
	Value eval.Interval `json:"value"` // interval: 95 %, bootstrap over batches; baselines have none
	Note  string        `json:"note"`  // what it was trained or primed on
	Ours  bool          `json:"ours"`
}

// Kind is the tokenizer's yield on one kind of text.
type Kind struct {
	Name          string  `json:"name"`
	Bytes         int64   `json:"bytes"`
	BytesPerToken float64 `json:"bytes_per_token"`
}

// ByteFiveGram is the name of the baseline that a model must beat.
const ByteFiveGram = "Kneser-Ney, bytes, order 5"

// The same, counted on no more text than the model has read.
const (
	sameText         = "Kneser-Ney, bytes, on as much text as the model read"
	sameTextFiveGram = sameText + ", order 5"
)

// Evaluate measures base and final model and the baselines on held-out text.
func (r *Run) Evaluate(ctx context.Context) error {
	return r.stage("evaluation", r.Plan.Shares.Evaluate, func() (string, error) {
		var e Evaluation
		if _, err := atomicfile.ReadJSON(r.path(evalFile), &e); err != nil {
			return "", err
		}
		if e.Bytes == 0 {
			if err := r.evaluate(ctx, &e); err != nil {
				return "", err
			}
			if err := atomicfile.WriteJSON(r.path(evalFile), &e); err != nil {
				return "", err
			}
		}
		r.eval = &e
		what := fmt.Sprintf("%.3f bits per byte on held-out text; the byte 5-gram has %.3f", e.Find("base model").Value.Value, e.Find(ByteFiveGram).Value.Value)
		if same := e.Find(sameTextFiveGram); same.Name != "" {
			what += fmt.Sprintf(" (%.3f on as much text as the model read)", same.Value.Value)
		}
		return what, nil
	})
}

// Find is the figure of that name.
func (e *Evaluation) Find(name string) Bits {
	for _, b := range e.Bits {
		if b.Name == name {
			return b
		}
	}
	return Bits{}
}

func (r *Run) evaluate(ctx context.Context, e *Evaluation) error {
	held, err := r.heldOut()
	if err != nil {
		return err
	}
	e.Documents, e.Context, e.Stride = len(held), r.Plan.Pretrain.Context, r.Plan.Pretrain.Context/2
	for _, d := range held {
		e.Bytes += int64(len(d.Text))
	}
	names, zs, err := r.models()
	if err != nil {
		return err
	}
	defer func() {
		for _, z := range zs {
			z.Release(r.b)
		}
	}()
	for i, z := range zs {
		bits, tokens, err := r.bits(z, held, e)
		if err != nil {
			return err
		}
		e.Tokens = tokens
		e.Bits = append(e.Bits, Bits{names[i], bits, fmt.Sprintf("%d parameters", model.Count(z.Model)), true})
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.baselines(e, held); err != nil {
		return err
	}
	if e.Overlap, err = corpus.MeasureOverlap(r.data.Sides.Documents(corpus.Train), r.data.Sides.Documents(corpus.Validation), corpus.OverlapOptions{}); err != nil {
		return err
	}
	e.Kinds = r.kinds(held)
	if err := r.functions(ctx, e, names, zs); err != nil {
		return err
	}
	return r.samples(ctx, e, zs[len(zs)-1])
}

// heldOut is held-out documents in the order of a hash, as many bytes as the
// plan asks for; the last one may be cut.
func (r *Run) heldOut() ([]text.Document, error) {
	var all []text.Document
	for d, err := range r.data.Sides.Documents(corpus.Validation) {
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	slices.SortStableFunc(all, func(a, b text.Document) int {
		return cmp.Compare(xxh3.HashStringSeed(a.Text, r.Plan.Seed), xxh3.HashStringSeed(b.Text, r.Plan.Seed))
	})
	left := r.Plan.Eval.HeldOutBytes
	for i := range all {
		if int64(len(all[i].Text)) >= left {
			all[i].Text = all[i].Text[:left]
			return all[:i+1], nil
		}
		left -= int64(len(all[i].Text))
	}
	return all, nil
}

// bits measures a model: every byte of every document is counted once.
func (r *Run) bits(z *bundle.Bundle, held []text.Document, e *Evaluation) (eval.Interval, int64, error) {
	s, err := batch.InMemory(func(yield func([]int32, error) bool) {
		var ids []int32
		for _, d := range held {
			ids = append(z.Tokenizer.EncodeAppend(ids[:0], d.Text), r.end())
			if !yield(ids, nil) {
				return
			}
		}
	}, batch.ShardOptions{Vocab: z.Tokenizer.VocabSize(), End: r.end(), TokenBytes: prepare.TokenLengths(z.Tokenizer)})
	if err != nil {
		return eval.Interval{}, 0, err
	}
	defer s.Close()
	ev, err := batch.NewEval(s, batch.EvalOptions{B: max(1, 4096/e.Context), T: e.Context, Stride: e.Stride})
	if err != nil {
		return eval.Interval{}, 0, err
	}
	p := op.NewPass(r.b, op.Options{CachePacks: true})
	defer p.Close()
	lengths := prepare.TokenLengths(z.Tokenizer)
	var nats, bytes []float64
	for i := range ev.Batches() {
		b := ev.At(i)
		n, _ := eval.Loss(p, z.Model, one(b))
		nats, bytes = append(nats, n/math.Ln2), append(bytes, float64(b.Bytes(lengths)))
		r.w.Bytes("measuring", i+1, ev.Batches())
	}
	return eval.BootstrapRatio(nats, bytes, 1000, 0.95, r.Plan.Seed), s.Tokens(), nil
}

func one(b *batch.Batch) iter.Seq[*batch.Batch] {
	return func(yield func(*batch.Batch) bool) { yield(b) }
}

// baselines measures n-grams over bytes and over the model's tokens, and xz.
func (r *Run) baselines(e *Evaluation, held []text.Document) error {
	pool := parallel.New(r.b.Threads())
	defer pool.Close()
	var readErr error
	texts := r.data.Texts(corpus.Train, &readErr)
	total := r.data.Sides.Count(corpus.Train).Bytes
	o := ngram.Options{MaxSymbols: r.Plan.Eval.NGramBytes, TotalSymbols: total, Seed: r.Plan.Seed, Pool: pool}
	if err := r.grams(e, "Kneser-Ney, bytes", 1, ngram.Bytes(texts), 256, o, asBytes, held); err != nil {
		return err
	}
	m := r.set.Train.Manifest()
	read := int64(float64(r.Plan.Pretrain.Steps()*r.Plan.Pretrain.BatchTokens()) * float64(m.Bytes) / float64(m.Tokens))
	if read < min(total, o.MaxSymbols) {
		o.MaxSymbols = read
		if err := r.grams(e, sameText, gramOrders, ngram.Bytes(texts), 256, o, asBytes, held); err != nil {
			return err
		}
	}
	tokens := r.set.Train.Tokens()
	o.MaxSymbols, o.TotalSymbols = min(16<<20, r.Plan.Eval.NGramBytes/3), tokens
	if err := r.grams(e, "Kneser-Ney, the model's tokens", 1, shardSequences(r.set.Train), r.tok.VocabSize(), o, func(d text.Document, dst []int32) []int32 {
		return append(r.tok.EncodeAppend(dst, d.Text), r.end())
	}, held); err != nil {
		return err
	}
	var prime, x []byte
	for s := range texts {
		if prime = append(prime, s...); len(prime) >= r.Plan.Eval.XZBytes*4 {
			break
		}
	}
	for _, d := range held {
		x = append(x, d.Text...)
	}
	z, err := compress.Bits(prime, x, compress.Options{MaxPrime: r.Plan.Eval.XZBytes, MaxHeldOut: len(x), Pool: pool})
	if err != nil {
		return err
	}
	e.Bits = append(e.Bits, Bits{"xz", eval.Interval{Value: z.BitsPerByte}, fmt.Sprintf("ulikunitz/xz, primed with %.1f MB of training text, dictionary %d MiB; %.3f unprimed", float64(z.Prime)/1e6, z.Dictionary>>20, z.Alone), false})
	return readErr
}

func shardSequences(s *batch.Shards) iter.Seq[[]int32] {
	return func(yield func([]int32) bool) {
		for i := range s.Documents() {
			if !yield(s.Document(i)) {
				return
			}
		}
	}
}

// gramOrders is the highest order that is counted.
const gramOrders = 5

func asBytes(d text.Document, dst []int32) []int32 {
	for i := range len(d.Text) {
		dst = append(dst, int32(d.Text[i]))
	}
	return dst
}

// grams counts and measures orders from the given one up.
func (r *Run) grams(e *Evaluation, name string, from int, seqs iter.Seq[[]int32], vocab int, o ngram.Options, encode func(text.Document, []int32) []int32, held []text.Document) error {
	m, err := ngram.Train(gramOrders, seqs, vocab, o)
	if err != nil {
		return err
	}
	nats, _ := m.ScoreAll(o.Pool, func(yield func([]int32) bool) {
		for _, d := range held {
			if !yield(encode(d, nil)) {
				return
			}
		}
	})
	for k := from; k <= gramOrders; k++ {
		e.Bits = append(e.Bits, Bits{
			Name:  fmt.Sprintf("%s, order %d", name, k),
			Value: eval.Interval{Value: eval.BitsPerByte(-nats[k-1], e.Bytes)},
			Note:  fmt.Sprintf("counted on %.1f M symbols of the training text", float64(m.Counted().Symbols)/1e6),
		})
	}
	return nil
}

// kinds is the tokenizer's bytes a token by kind of held-out text.
func (r *Run) kinds(held []text.Document) []Kind {
	bytes, tokens := map[string]int64{}, map[string]int64{}
	var ids []int32
	for _, d := range held {
		ids = r.tok.EncodeAppend(ids[:0], d.Text)
		bytes[d.Kind] += int64(len(d.Text))
		tokens[d.Kind] += int64(len(ids))
	}
	var out []Kind
	for k := range bytes {
		out = append(out, Kind{k, bytes[k], float64(bytes[k]) / float64(max(1, tokens[k]))})
	}
	slices.SortFunc(out, func(a, b Kind) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name)) })
	return out
}
