package raise

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
	"github.com/foundling-lm/foundling/train/posttrain"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// What a plan starts from. Learning rates and batch sizes were found by the
// experiments in LOG.md.
const (
	family        = "llama"
	shortContext  = 256 // tokens, for budgets below longBudget
	longContext   = 512
	longBudget    = 240 // seconds
	smallVocab    = 4096
	largeVocab    = 8192
	largeBudget   = 1200  // seconds from which the larger vocabulary pays
	maxEpochs     = 4     // Muennighoff et al. 2023: up to here a repeat is worth nearly a first reading
	wantSteps     = 2500  // optimizer steps that a run should at least have
	minBatch      = 1024  // tokens
	maxBatch      = 32768 // tokens
	microBatch    = 8192  // tokens of a micro-batch, at most
	peakRate      = 7e-3  // learning rate at width rateWidth
	rateWidth     = 256
	sftRate       = 0.25   // of the pre-training peak
	sftEpochs     = 3      // at most
	bytesPerToken = 3.3    // guess, for the limit of maxEpochs only
	tokenizerRate = 2.5e6  // bytes/s that a tokenizer learns from, low
	readRate      = 0.45e6 // bytes of text per second of budget that are worth reading
)

// leastSteps is the length of the shortest training stage.
const leastSteps = 8

// leastRead is the bytes of text that even the shortest run reads.
const leastRead = 4e6

// sizes fills in what follows from the budget alone.
func (p *Plan) sizes(bytes int64) (context, vocab int) {
	context, vocab = shortContext, smallVocab
	if p.Budget >= longBudget {
		context = longContext
	}
	if p.Budget >= largeBudget {
		vocab = largeVocab
	}
	p.Tokenizer = TokenizerPlan{Vocab: vocab, Pattern: "gpt4", MaxBytes: max(1<<20, int64(p.seconds(p.Shares.Tokenizer)*tokenizerRate))}
	p.Answers = AnswerPlan{MaxPrompt: context, MaxResponse: int(1.6 * float64(context))}
	p.Eval = EvalPlan{
		NGramBytes:   clamp(int64(p.Budget*160e3), 256<<10, 256<<20),
		XZBytes:      int(clamp(int64(p.Budget*6e3), 64<<10, 8<<20)),
		AnswerTokens: context / 3,
	}
	return context, vocab
}

func clamp(x, lo, hi int64) int64 { return max(lo, min(hi, x)) }

// keepShare is the share of the documents that a budget has use for.
func keepShare(budget float64, bytes int64) float64 {
	return math.Min(1, math.Max(leastRead, budget*readRate)/float64(max(1, bytes)))
}

// trainOptions are the options of pre-training but for the number of steps.
func trainOptions(width int, seed uint64) train.Options {
	return train.Options{
		Optimizer: optim.Options{Name: "muon"},
		Schedule:  optim.Schedule{Kind: "wsd", Peak: peakRate * math.Sqrt(rateWidth/float64(width)), Steps: 1, Final: 0.02},
		Seed:      seed,
	}
}

// choose measures the machine at the widths in question, picks the shape that
// the law expects to end lowest, and turns the time into steps.
func (p *Plan) choose(b tensor.Backend, ladder []plan.Shape, trainBytes int64, memory int64) error {
	context, vocab := p.sizes(trainBytes)
	if ladder = slices.Clone(ladder); ladder == nil {
		ladder = plan.Ladder(family, vocab, context)
	}
	for i := range ladder {
		ladder[i].Vocab, ladder[i].Context = vocab, context
	}
	if err := p.measure(b, ladder, context); err != nil {
		return err
	}
	seconds := p.seconds(p.Shares.Pretrain)
	best, table, err := plan.Choose(plan.ChooseOptions{
		Candidates: ladder, Rates: p.Rates, Seconds: seconds,
		Unique: max(1, int64(float64(trainBytes)/bytesPerToken)), MaxEpochs: maxEpochs, Tokens: context, MaxMemory: memory,
	})
	if err != nil {
		return err
	}
	p.Chosen, p.Table, p.Law = best, table, plan.Muennighoff.Name
	return p.steps(b, best, context)
}

// measured are the widths of the usual ladder that are timed.
var measured = []int{64, 128, 256, 384, 640}

// measure times training at a few widths, from narrow to wide, as long as the
// time for it allows; wider shapes are taken to run like the widest measured.
// AdamW stands for the optimizer: Muon's products would weigh too much in the
// short steps that are measured.
func (p *Plan) measure(b tensor.Backend, ladder []plan.Shape, context int) error {
	start, limit := time.Now(), duration(p.seconds(p.Shares.Prepare)/2)
	o := trainOptions(rateWidth, p.Seed)
	o.Optimizer.Name = "adamw"
	for _, s := range ladder {
		if len(ladder) > len(measured) && !slices.Contains(measured, s.Width) {
			continue
		}
		s.Layers = min(s.Layers, 3) // speed depends on the width
		at := time.Now()
		_, flops, err := pretrain.Measure(b, s, max(1, 1024/context), context, o, 0)
		if err != nil {
			return err
		}
		p.Rates = append(p.Rates, plan.Rate{Width: s.Width, FLOPs: flops})
		if took := time.Since(at); time.Since(start)+3*took > limit { // the next one is about three times the work
			break
		}
	}
	return nil
}

// steps turns the time of the training stages into numbers of steps, from one
// more measurement at the very shape that was chosen.
func (p *Plan) steps(b tensor.Backend, c plan.Candidate, context int) error {
	tokens := int(clamp(powerOfTwo(c.Tokens/wantSteps), minBatch, maxBatch))
	micro := max(1, tokens/microBatch)
	rows := tokens / micro / context
	o := trainOptions(c.Shape.Width, p.Seed)
	per, _, err := pretrain.Measure(b, c.Shape, rows, context, o, duration(p.seconds(p.Shares.Prepare)/5))
	if err != nil {
		return err
	}
	per *= float64(micro) * overhead
	n := max(leastSteps, int(p.seconds(p.Shares.Pretrain)/per))
	if most := int(maxEpochs * float64(p.TrainMB) * 1e6 / bytesPerToken / float64(tokens)); n > most {
		n = max(leastSteps, most)
	}
	o.Schedule.Steps, o.Schedule.Warmup, o.Schedule.Cooldown = n, max(5, n/50), max(5, n*9/10)
	o.EvalEvery = max(leastSteps, n/validations)
	p.Pretrain = pretrain.Options{Shape: c.Shape, Rows: rows, Micro: micro, Context: context, Mode: batch.Packed, Train: o, Seed: p.Seed,
		Validate: clamp(int64(n*tokens)/(validations*4096*10), 1, 8)}

	sft := o
	n = max(leastSteps, int(p.seconds(p.Shares.SFT)*sftTraining/per))
	sft.Schedule.Peak *= sftRate
	sft.Schedule.Steps, sft.Schedule.Warmup, sft.Schedule.Cooldown = n, max(2, n/50), max(2, n*9/10)
	sft.EvalEvery = 0
	p.SFT = posttrain.SFTOptions{Rows: rows, Micro: micro, Context: context, Train: sft, Seed: p.Seed + 1}
	p.Answers.Most = max(64, n*tokens/60)
	if err := p.preferences(b, c, per/float64(tokens)); err != nil {
		return err
	}
	p.Eval.HeldOutBytes = clamp(int64(0.009*p.Budget/per*float64(tokens)*3*bytesPerToken), 16<<10, 4<<20)
	return nil
}

// bestOf is how many bodies of a function best-of-n chooses from, at most.
const bestOf = 16

// What learning from preferences starts from.
const (
	bodies      = 8    // of each function
	preferRate  = 3e-4 // learning rate of AdamW at rateWidth
	preferPairs = 8    // of a step
)

// preferences turns the time of comparing, of the reward model and of preference
// tuning into numbers of functions and steps: from the measured speed of decoding,
// and from that of training in seconds a token.
func (p *Plan) preferences(b tensor.Backend, c plan.Candidate, secondsPerToken float64) error {
	rate, err := measureDecoding(b, c.Shape)
	if err != nil {
		return err
	}
	p.DecodeRate = rate
	tokens := p.Eval.AnswerTokens
	functions := func(share float64, samples int) int64 {
		return int64(p.seconds(share) * rate * drawn / float64(samples*tokens))
	}
	o := func(share float64) train.Options {
		places := float64(2 * preferPairs * (p.Answers.MaxPrompt/3 + tokens)) // of a step, bytes of prompts taken as tokens of three
		n := max(leastSteps, int(p.seconds(share)*sftTraining/(places*secondsPerToken*1.2)))
		return train.Options{
			Optimizer: optim.Options{Name: "adamw"},
			Schedule:  optim.Schedule{Kind: "wsd", Peak: preferRate * math.Sqrt(rateWidth/float64(c.Shape.Width)), Steps: n, Final: 0.1},
			Seed:      p.Seed,
		}
	}
	p.Prefer = PreferPlan{
		Prompts: int(clamp(functions(p.Shares.Compare, bodies), 16, 20000)), Samples: bodies, Temperature: 0.8,
		Pairs: preferPairs, Places: microBatch, Beta: 0.1, NLL: 0.2, Epochs: 3,
		Reward: o(p.Shares.Judge), Train: o(p.Shares.Prefer),
	}
	p.Eval.Functions = int(clamp(functions(0.25*p.Shares.Evaluate, 4), 8, 600))
	p.Eval.BestOf = int(clamp(functions(0.2*p.Shares.Evaluate, bestOf), 4, 100))
	return nil
}

// drawn is how many tokens are counted on for each that decoding was measured to give:
// most bodies end long before the limit, but they are checked too.
const drawn = 2

// measureDecoding is the tokens a second of many texts in a batch.
func measureDecoding(b tensor.Backend, s plan.Shape) (float64, error) {
	m, err := pretrain.NewModel(b, s, -1)
	if err != nil {
		return 0, err
	}
	m.Init(b, 1)
	e := generate.New(b, m, nil)
	defer model.Release(b, m.Params())
	defer e.Close()
	const texts, prompt, tokens = 64, 64, 32
	var requests []generate.Request
	for i := range texts {
		ids := make([]int32, prompt)
		for k := range ids {
			ids[k] = int32((i*31 + k*7) % s.Vocab)
		}
		requests = append(requests, generate.Request{Prompt: ids, Options: generate.Options{MaxTokens: tokens, Sample: sample.Options{Temperature: 1, Seed: 1}}})
	}
	at := time.Now()
	if _, err := e.GenerateAll(context.Background(), requests, nil); err != nil {
		return 0, err
	}
	return texts * tokens / time.Since(at).Seconds(), nil
}

const (
	validations = 6    // on the way, each of about a tenth of the tokens between two of them
	overhead    = 1.06 // validation, checkpoints and loading beside the steps measured
	sftTraining = 0.75 // of the fine-tuning time is spent in steps, the rest on demonstrations
)

// powerOfTwo rounds down.
func powerOfTwo(n int64) int64 {
	p := int64(1)
	for p*2 <= n {
		p *= 2
	}
	return p
}
