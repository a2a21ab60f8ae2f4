package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/plan/machine"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/prepare"
	"github.com/foundling-lm/foundling/text/tokenizer"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/pretrain"
)

type pretrainCmd struct {
	pretrainFlags
	computeFlags

	Out       string        `required:"" placeholder:"DIR" help:"Directory of the run and of the finished model."`
	EvalEvery int           `help:"Steps between validations on a sample; 0: eight in the run." default:"0"`
	SaveEvery time.Duration `help:"Time between checkpoints." default:"60s"`
	Stride    int           `help:"Tokens from one window to the next in the final validation; 0: the context." default:"0"`
	JSON      bool          `name:"json" help:"Print the result as one JSON object."`

	More []string `arg:"" optional:"" name:"path" help:"More data."`
}

// Help is shown below the flags.
func (c *pretrainCmd) Help() string {
	return "The same command goes on where an interrupted run stopped; options that run.json knows may be left out."
}

// pretrainRun is a run in its directory.
type pretrainRun struct {
	runFile[pretrainOptions]
	c     *pretrainCmd
	b     *cpu.Backend
	p     *stages
	start time.Time

	data  *prepare.Data
	tok   *tokenizer.Tokenizer
	end   int32
	set   *prepare.Shards
	model *bundle.Bundle
}

// Run is the command: read, learn a tokenizer, encode, train, validate.
func (c *pretrainCmd) Run(ctx context.Context) (err error) {
	r := &pretrainRun{c: c, start: time.Now(), p: newStages(os.Stderr)}
	defer r.p.close()
	if err := r.open(); err != nil {
		return err
	}
	defer r.b.Close()
	defer func() { err = resumable(err, "pretrain", c.Out) }()
	for _, stage := range []func(context.Context) error{r.read, r.learnTokenizer, r.encode, r.plan, r.train, r.validate} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// open settles the options, from the flags or from the run that is there, and
// starts the backend. It writes nothing.
func (r *pretrainRun) open() error {
	c := r.c
	c.Data, c.More = append(c.Data, c.More...), nil
	found, err := loadRun(c.Out, "pretrain", &r.runFile)
	if err != nil {
		return err
	}
	switch {
	case c.EvalEvery < 0:
		return usageError{fmt.Errorf("--eval-every is %d: it must not be negative", c.EvalEvery)}
	case c.SaveEvery <= 0:
		return usageError{fmt.Errorf("--save-every is %s: it must be positive", c.SaveEvery)}
	}
	if found {
		if err := r.adopt(); err != nil {
			return err
		}
		if err := atomicfile.Clean(c.Out, filepath.Join(c.Out, "shards", "*")); err != nil {
			return err
		}
	} else {
		r.Version, r.Command, r.Program = runFileVersion, "pretrain", programVersion()
		if r.Options, err = newPretrainOptions(&c.pretrainFlags); err != nil {
			return usageError{err}
		}
	}
	if c.Stride < 0 || c.Stride > r.Options.Context {
		return usageError{fmt.Errorf("--stride is %d: it must lie between 1 and --context %d", c.Stride, r.Options.Context)}
	}
	if r.b, err = c.backend(); err != nil {
		return err
	}
	r.Options.Kernels, r.Options.Precision = computes(r.b)
	return r.fits()
}

// adopt compares the flags with the run that is there and takes over what was
// not set.
func (r *pretrainRun) adopt() error {
	c, o := r.c, &r.Options
	given := c.pretrainFlags
	var err error
	if len(given.Data) > 0 {
		if given.Data, err = absolute(given.Data); err != nil {
			return err
		}
	}
	if t := given.Tokenizer; t != nil && *t != "bpe" && *t != "char" && *t != "bytes" {
		path, err := filepath.Abs(*t)
		if err != nil {
			return err
		}
		given.Tokenizer = &path
	}
	if err := compare(c.Out, given, c.computeFlags, *o); err != nil {
		return err
	}
	c.Kernels, c.Precision = o.Kernels, o.Precision
	return nil
}

// computes names what results depend on.
func computes(b *cpu.Backend) (kernels, precision string) {
	kernels, bf16 := strings.CutSuffix(b.Kernels(), "+bf16")
	if bf16 {
		return kernels, "bf16"
	}
	return kernels, "f32"
}

// read finds the text, decides which part is held out, and begins the run.
func (r *pretrainRun) read(context.Context) error {
	o := &r.Options
	r.p.stage("read", 0)
	defer r.p.end("")
	data, err := prepare.Open(o.Data, prepare.Options{Split: corpus.SplitOptions{Method: corpus.Method(o.Split), Share: o.SplitShare}})
	if err != nil {
		return err
	}
	source, err := data.Sides.Fingerprint()
	if err != nil {
		return err
	}
	r.data = data
	t, v := data.Sides.Count(corpus.Train), data.Sides.Count(corpus.Validation)
	r.p.end(fmt.Sprintf("%d documents, %.1f MB to learn from; %d, %.2f MB held out (by %s)",
		t.Documents, float64(t.Bytes)/1e6, v.Documents, float64(v.Bytes)/1e6, data.Sides.Method()))
	if r.Source != "" {
		if r.Source != source {
			return fmt.Errorf("the text in %s is no longer what the run in %s began with: restore it, or name another --out", strings.Join(o.Data, ", "), r.c.Out)
		}
		return nil
	}
	r.Source, o.Split = source, string(data.Sides.Method())
	if o.Mode == "" {
		if o.Mode = "packed"; data.Sides.Method() == corpus.ByTail {
			o.Mode = "windows"
		}
	}
	if o.Tokenizer != "bpe" { // no use beginning where it cannot be read
		if r.tok, err = r.given(); err != nil {
			return err
		}
		o.Tokens = r.tok.VocabSize()
	}
	return r.save(r.c.Out)
}

// learnTokenizer makes the tokenizer, once.
func (r *pretrainRun) learnTokenizer(ctx context.Context) (err error) {
	o := &r.Options
	path := filepath.Join(r.c.Out, bundle.TokenizerFile)
	if o.Tokenizer == "bpe" {
		r.p.stage("tokenizer", int64(o.Vocab))
		r.tok, err = r.data.Tokenizer(ctx, path, tokenizer.TrainOptions{
			VocabSize: o.Vocab, Special: chat.SpecialTokens(), MaxBytes: tokenizerCap, Seed: o.Seed, Threads: r.b.Threads(),
			Progress: func(done, total int) { r.p.set(int64(done), fmt.Sprintf("%d/%d tokens", done, total)) },
		})
	} else {
		r.p.stage("tokenizer", 0)
		r.tok, err = tokenizer.Load(path)
		if errors.Is(err, fs.ErrNotExist) {
			if r.tok, err = r.given(); err == nil {
				err = r.tok.Save(path)
			}
		}
	}
	if err != nil {
		return err
	}
	if n := r.tok.VocabSize(); o.Tokens == 0 {
		o.Tokens = n
	} else if n != o.Tokens {
		return fmt.Errorf("%s has %d tokens, the run %d: name another --out", path, n, o.Tokens)
	}
	var ok bool
	if r.end, ok = r.tok.SpecialID(chat.EndOfText); !ok {
		return fmt.Errorf("tokenizer %s has no special token %s, which ends a document: use another one", o.Tokenizer, chat.EndOfText)
	}
	r.p.end(fmt.Sprintf("%s, %d tokens", o.Tokenizer, o.Tokens))
	return nil
}

// given is a tokenizer that is not learned by merging.
func (r *pretrainRun) given() (*tokenizer.Tokenizer, error) {
	switch r.Options.Tokenizer {
	case "bytes":
		return tokenizer.Bytes(chat.SpecialTokens()...), nil
	case "char":
		var err error
		seen := map[rune]bool{}
		for text := range r.data.Texts(corpus.Train, &err) {
			for _, c := range text {
				seen[c] = true
			}
		}
		var all strings.Builder
		for c := range seen {
			all.WriteRune(c)
		}
		return tokenizer.Chars(all.String(), chat.SpecialTokens()...), err
	}
	t, err := tokenizer.Load(r.Options.Tokenizer)
	if err != nil {
		return nil, fmt.Errorf("--tokenizer: %w (bpe, char and bytes need no file)", err)
	}
	return t, nil
}

// encode writes both sides as token shards.
func (r *pretrainRun) encode(ctx context.Context) (err error) {
	total := r.data.Sides.Count(corpus.Train).Bytes
	r.p.stage("encode", total)
	r.set, err = r.data.Shards(ctx, filepath.Join(r.c.Out, "shards"), r.tok, r.end, func(done int64) {
		r.p.set(done, fmt.Sprintf("%.1f/%.1f MB", float64(done)/1e6, float64(total)/1e6))
	})
	if err != nil {
		return err
	}
	m, v := r.set.Train.Manifest(), r.set.Validation.Manifest()
	r.p.end(fmt.Sprintf("%d tokens to learn from, %d held out, %.3f bytes a token", m.Tokens, v.Tokens, float64(m.Bytes)/float64(max(1, m.Tokens))))
	return nil
}

// plan turns a budget into steps and writes what training will be told.
func (r *pretrainRun) plan(ctx context.Context) error {
	o := &r.Options
	if r.Training != nil { // planned before; every later step follows from it
		return nil
	}
	if o.Steps == 0 {
		r.p.stage("measure", 0)
		if err := r.measure(); err != nil {
			return err
		}
		r.p.end(fmt.Sprintf("%d steps of %.3f s fit the budget of %s", o.Steps, r.Measured.SecondsPerStep, time.Duration(o.Budget)))
	}
	o.schedule()
	r.Training = o.options()
	return r.save(r.c.Out)
}

// fits says whether training has room in memory.
func (r *pretrainRun) fits() error {
	o := &r.Options
	need := o.memory()
	if have := machine.Describe().Memory.Available; have > 0 && need > have {
		return usageError{fmt.Errorf("training needs about %.1f GB, %.1f GB are free: use a smaller --width, --layers, --vocab, or more --accumulate", float64(need)/1e9, float64(have)/1e9)}
	}
	return nil
}

// measure divides what is left of the budget by the time of a step.
func (r *pretrainRun) measure() error {
	o := &r.Options
	budget := time.Duration(o.Budget).Seconds()
	p := o.options()
	p.Train.Schedule.Warmup, p.Train.Schedule.Cooldown = 0, 0
	per, flops, err := pretrain.Measure(r.b, p.Shape, p.Rows, p.Context, p.Train, time.Duration(min(4, budget/20)*float64(time.Second)))
	if err != nil {
		return err
	}
	per *= float64(p.Micro)
	spent := time.Since(r.start).Seconds()
	// A token of validation costs a forward pass, a third of a training step.
	forward := per / float64(o.BatchTokens) / 3
	held := float64(r.set.Validation.Tokens()) * float64(o.Context) / float64(r.stride())
	left := budget - spent - forward*(held+samples*pretrain.SampleTokens)
	r.Measured = &measured{SecondsPerStep: per, FLOPs: flops, Spent: spent}
	if o.Steps = int(left / (per * overhead)); o.Steps < 1 {
		return usageError{fmt.Errorf("--budget %s is too short: preparing took %.1f s, validation will take %.1f s and a step %.2f s", time.Duration(o.Budget), spent, budget-spent-left, per)}
	}
	return nil
}

const (
	overhead = 1.04 // of a step: loading, checkpoints, and what else the machine does
	samples  = 8    // validations on the way
)

func (r *pretrainRun) stride() int {
	if r.c.Stride > 0 {
		return r.c.Stride
	}
	return r.Options.Context
}

// train runs the steps and writes the model directory.
func (r *pretrainRun) train(ctx context.Context) (err error) {
	if pretrain.Done(r.c.Out) {
		if r.model, err = bundle.Open(r.b, r.c.Out); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "training in %s is done\n", r.c.Out)
		return nil
	}
	o := r.Options.options()
	o.Train.SaveEvery = r.c.SaveEvery
	if o.Train.EvalEvery = r.c.EvalEvery; o.Train.EvalEvery == 0 {
		o.Train.EvalEvery = max(1, (o.Steps()+samples-1)/samples)
	}
	peak, err := peakRateOf(ctx, r.b)
	if err != nil {
		return err
	}
	show := newTraining(r.p, "pretrain", o.Steps(), peak)
	j := pretrain.Job{
		Options: o, Dir: r.c.Out, Out: r.c.Out, Tokenizer: r.tok, End: r.end,
		Train: r.set.Train, Validation: r.set.Validation, Progress: show.step,
	}
	if r.model, err = j.Run(ctx, r.b); err != nil {
		return err
	}
	r.p.end(show.summary())
	return nil
}

// result is what the command prints at its end.
type result struct {
	Out        string  `json:"out"`
	Parameters int     `json:"parameters"`
	Steps      int     `json:"steps"`
	Tokens     int64   `json:"trained_tokens"`
	FLOP       float64 `json:"training_flop"`
	Seconds    float64 `json:"training_seconds"` // of all steps

	Validation pretrain.Evaluation `json:"validation"`
	Characters float64             `json:"characters"` // of the held-out text
	NatsPerChr float64             `json:"nats_per_character"`
}

const resultFile = "result.json"

// validate measures the model on every held-out window and prints the result.
func (r *pretrainRun) validate(ctx context.Context) error {
	path := filepath.Join(r.c.Out, resultFile)
	var x result
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &x) != nil || x.Validation.Stride != r.stride() {
		if x, err = r.evaluate(ctx); err != nil {
			return err
		}
		if data, err = json.Marshal(x); err != nil {
			return err
		}
		if err := atomicfile.WriteFile(path, append(data, '\n')); err != nil {
			return err
		}
	}
	if r.c.JSON {
		_, err = fmt.Println(strings.TrimSpace(string(data)))
		return err
	}
	v := x.Validation
	fmt.Printf("%s: %d parameters, %d steps, %d tokens, %.3g FLOP in %.0f s\n", x.Out, x.Parameters, x.Steps, x.Tokens, x.FLOP, x.Seconds)
	fmt.Printf("held out: %.4f nats/token, %.4f nats/character, %.4f bits/byte (%d tokens, %d bytes; context %d, stride %d)\n",
		v.NatsPerToken, x.NatsPerChr, v.BitsPerByte, v.Tokens, v.Bytes, v.Context, v.Stride)
	fmt.Printf("next: foundling generate --model %s --prompt TEXT\n", r.c.Out)
	return nil
}

func (r *pretrainRun) evaluate(ctx context.Context) (result, error) {
	o := &r.Options
	r.p.stage("validate", 0)
	v, err := pretrain.Evaluate(ctx, r.b, r.model.Model, r.set.Validation, pretrain.EvalOptions{
		Context: o.Context, Stride: r.stride(), Whole: o.Mode == "windows", TokenBytes: prepare.TokenLengths(r.tok),
		Progress: func(done, total int64) { r.p.set(done, fmt.Sprintf("%d/%d batches", done, total)) },
	})
	if err != nil {
		return result{}, err
	}
	r.p.end("")
	x := result{Out: r.c.Out, Parameters: model.Count(r.model.Model), Steps: o.Steps, Validation: v}
	log, err := train.ReadMetrics(filepath.Join(r.c.Out, train.MetricsFile))
	if err != nil {
		return x, err
	}
	for _, m := range log {
		x.Tokens = m.Tokens
		x.Seconds += m.Seconds
	}
	x.FLOP = float64(x.Tokens) * o.planShape().FLOP(o.Context).Training
	var readErr error
	var characters, bytes int
	for text := range r.data.Texts(corpus.Validation, &readErr) {
		characters += len([]rune(text))
		bytes += len(text)
	}
	x.Characters = float64(characters) * float64(v.Bytes) / float64(max(1, bytes))
	x.NatsPerChr = v.Nats / max(1, x.Characters)
	return x, readErr
}
