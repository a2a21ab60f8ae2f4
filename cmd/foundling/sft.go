package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/plan/machine"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/demo"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/posttrain"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// sftFlags are the options of a fine-tuning run; see trainFlags.
type sftFlags struct {
	Model       *string  `json:"model,omitempty" help:"Directory of the model to start from." placeholder:"DIR"`
	Data        []string `json:"data,omitempty" sep:"none" placeholder:"PATH" help:"Files and folders to make demonstrations from: Go source, structured prose, records (JSON Lines, JSON, Parquet) with messages, prompt and completion, Alpaca, ShareGPT ... Repeat it, or list more at the end."`
	MaxPrompt   *int     `json:"max-prompt,omitempty" help:"Longest prompt, in bytes (default: twice the context)." placeholder:"N"`
	MaxResponse *int     `json:"max-response,omitempty" help:"Longest response, in bytes (default: twice the context)." placeholder:"N"`
	Context     *int     `json:"context,omitempty" help:"Tokens of a packed row (default: the model's)." placeholder:"N"`
	Epochs      *float64 `json:"epochs,omitempty" help:"Readings of all demonstrations, instead of --steps (default 3)." placeholder:"X"`
	trainFlags
}

// sftOptions are sftFlags with every field known.
type sftOptions struct {
	Model       string   `json:"model"` // absolute
	Data        []string `json:"data"`  // absolute
	MaxPrompt   int      `json:"max-prompt"`
	MaxResponse int      `json:"max-response"`
	Context     int      `json:"context"`
	Epochs      float64  `json:"epochs,omitempty"` // 0: --steps
	Weights     string   `json:"weights"`          // hash of the model's
	trainOptions
}

type sftCmd struct {
	sftFlags
	computeFlags

	Out       string        `required:"" placeholder:"DIR" help:"Directory of the run and of the finished model."`
	SaveEvery time.Duration `help:"Time between checkpoints." default:"60s"`
	JSON      bool          `name:"json" help:"Print the result as one JSON object."`

	More []string `arg:"" optional:"" name:"path" help:"More data."`
}

// Help is shown below the flags.
func (c *sftCmd) Help() string {
	return "The same command goes on where an interrupted run stopped; options that run.json knows may be left out."
}

// sftRun is a run in its directory.
type sftRun struct {
	runFile[sftOptions]
	c *sftCmd
	b *cpu.Backend
	p *stages

	base     *bundle.Bundle
	names    *namer
	held     *demo.HeldOut // nil: the model's run is not known
	examples *batch.Examples
	made     madeOf
}

// Run is the command: make demonstrations, train on them.
func (c *sftCmd) Run(ctx context.Context) (err error) {
	r := &sftRun{c: c, p: newStages(os.Stderr), names: newNamer()}
	defer r.p.close()
	if err := r.open(); err != nil {
		return err
	}
	defer r.b.Close()
	defer func() { err = resumable(err, "sft", c.Out) }()
	for _, stage := range []func(context.Context) error{r.holdOut, r.demonstrate, r.train, r.report} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// resumable says how to go on.
func resumable(err error, command, out string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, train.ErrInterrupted) {
		return fmt.Errorf("%w\ngo on with: foundling %s --out %s", train.ErrInterrupted, command, quoted(out))
	}
	return err
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if strings.ContainsAny(path, " '\"$&;()*?<>|\\`") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// sftRate is the default learning rate as a share of that of pre-training.
const sftRate = 0.25

// open settles the options, from the flags or from the run that is there, and
// reads the model. It writes nothing.
func (r *sftRun) open() error {
	c := r.c
	c.Data, c.More = append(c.Data, c.More...), nil
	if c.SaveEvery <= 0 {
		return usageError{fmt.Errorf("--save-every is %s: it must be positive", c.SaveEvery)}
	}
	found, err := loadRun(c.Out, "sft", &r.runFile)
	if err != nil {
		return err
	}
	given, err := c.absolute()
	if err != nil {
		return err
	}
	if found {
		if err := compare(c.Out, given, c.computeFlags, r.Options); err != nil {
			return err
		}
		c.Kernels, c.Precision = r.Options.Kernels, r.Options.Precision
		if err := atomicfile.Clean(c.Out); err != nil {
			return err
		}
	} else if given.Model == nil || len(given.Data) == 0 {
		return usageError{errors.New("name the model to start from with --model DIR, and what it shall learn from with --data PATH")}
	}
	if r.b, err = c.backend(); err != nil {
		return err
	}
	if !found {
		err = r.begin(given)
	} else if r.base, err = openBase(r.b, r.Options.Model); err == nil {
		err = r.sameWeights()
	}
	return err
}

// absolute are the flags with absolute paths.
func (c *sftCmd) absolute() (f sftFlags, err error) {
	f = c.sftFlags
	if f.Data, err = absolute(f.Data); err != nil || f.Model == nil {
		return f, err
	}
	path, err := filepath.Abs(*f.Model)
	f.Model = &path
	if out, _ := filepath.Abs(c.Out); err == nil && out == path {
		err = usageError{fmt.Errorf("--out is the directory of --model, %s: name another one", path)}
	}
	return f, err
}

// openBase reads a model that can learn conversations.
func openBase(b *cpu.Backend, dir string) (*bundle.Bundle, error) {
	z, err := bundle.Open(b, dir)
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	if z.Tokenizer == nil {
		return nil, fmt.Errorf("--model %s: its tokenizer cannot be read: %w", dir, z.NoTokens)
	}
	return z, nil
}

// begin settles the options of a new run.
func (r *sftRun) begin(given sftFlags) (err error) {
	if r.base, err = openBase(r.b, *given.Model); err != nil {
		return err
	}
	d := r.base.Model.Dims()
	o := sftOptions{Context: d.Context, Epochs: 3, trainOptions: newTrainOptions()}
	if err := overlay(&o, given); err != nil {
		return err
	}
	if given.Steps != nil {
		if given.Epochs != nil {
			return usageError{errors.New("--steps and --epochs both say how long: give one of them")}
		}
		o.Epochs = 0
	}
	switch {
	case o.Context <= 0 || o.Context > d.Context:
		return usageError{fmt.Errorf("--context is %d: it must lie between 1 and the model's %d", o.Context, d.Context)}
	case given.Epochs != nil && !(o.Epochs > 0 && o.Epochs <= 1000):
		return usageError{fmt.Errorf("--epochs is %g: it must be positive (and at most 1000)", o.Epochs)}
	case given.MaxPrompt != nil && o.MaxPrompt <= 0 || given.MaxResponse != nil && o.MaxResponse <= 0:
		return usageError{errors.New("--max-prompt and --max-response must be positive")}
	}
	if err := o.resolve(&given.trainFlags, o.Context, d.Width); err != nil {
		return usageError{err}
	}
	if given.LR == nil {
		o.LR *= sftRate
	}
	if given.Dropout == nil {
		o.Dropout = 0
	}
	if o.MaxPrompt == 0 {
		o.MaxPrompt = 2 * o.Context
	}
	if o.MaxResponse == 0 {
		o.MaxResponse = 2 * o.Context
	}
	if o.Weights, err = hashFile(filepath.Join(o.Model, bundle.WeightsFile)); err != nil {
		return err
	}
	o.Kernels, o.Precision = computes(r.b)
	r.Version, r.Command, r.Program, r.Options = runFileVersion, "sft", programVersion(), o
	return nil
}

// sameWeights says whether the model is the one that the run began with.
func (r *sftRun) sameWeights() error {
	now, err := hashFile(filepath.Join(r.Options.Model, bundle.WeightsFile))
	if err == nil && now != r.Options.Weights {
		err = fmt.Errorf("the weights in %s are no longer those that the run in %s began with: restore them, or name another --out", r.Options.Model, r.c.Out)
	}
	return err
}

// train takes the steps and writes the model directory.
func (r *sftRun) train(ctx context.Context) error {
	if pretrain.Done(r.c.Out) {
		fmt.Fprintf(os.Stderr, "training in %s is done\n", r.c.Out)
		return nil
	}
	o := &r.Options
	t := posttrain.SFTOptions{
		Rows: o.BatchTokens / o.Accumulate / o.Context, Micro: o.Accumulate, Context: o.Context, Train: o.train(), Seed: o.Seed,
	}
	t.Train.SaveEvery = r.c.SaveEvery
	peak, err := peakRateOf(ctx, r.b)
	if err != nil {
		return err
	}
	show := newTraining(r.p, "fine-tune", o.Steps, peak)
	s := posttrain.SFT{SFTOptions: t, Dir: r.c.Out, Out: r.c.Out, Base: r.base, Examples: r.examples, Progress: show.step}
	if _, err := s.Run(ctx, r.b); err != nil {
		return err
	}
	r.p.end(show.summary())
	return nil
}

// peakRateOf measures what this machine can multiply a second, for a moment.
func peakRateOf(ctx context.Context, b *cpu.Backend) (float64, error) {
	set, precision := computes(b)
	p, err := machine.Measure(ctx, machine.Options{Kernels: set, Threads: b.Threads(), Each: 50 * time.Millisecond})
	if precision == "bf16" {
		return p.BF16.All, err
	}
	return p.F32.All, err
}

// epochSteps is how many steps read the demonstrations as often as was asked for.
func (o *sftOptions) epochSteps(rows int) int {
	perStep := o.BatchTokens / o.Context
	return max(1, int(math.Round(o.Epochs*float64(rows)/float64(perStep))))
}

// report prints what was done.
func (r *sftRun) report(context.Context) error {
	log, err := train.ReadMetrics(filepath.Join(r.c.Out, train.MetricsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	x := struct {
		Out   string  `json:"out"`
		Steps int     `json:"steps"`
		Loss  float64 `json:"loss"` // nats per trained token, mean of the last tenth of the steps
		madeOf
	}{Out: r.c.Out, Steps: r.Options.Steps, madeOf: r.made}
	last := log[len(log)-min(len(log), max(1, len(log)/10)):]
	for _, m := range last {
		x.Loss += m.Loss / float64(len(last))
	}
	if r.c.JSON {
		return json.NewEncoder(os.Stdout).Encode(x)
	}
	fmt.Printf("%s: %d steps on %d demonstrations, last loss %.3f nats per trained token\n", x.Out, x.Steps, x.Packing.Examples, x.Loss)
	fmt.Printf("next: foundling chat --model %s\n", r.c.Out)
	return nil
}
