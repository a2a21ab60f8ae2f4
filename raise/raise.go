package raise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/prepare"
	"github.com/foundling-lm/foundling/text/tokenizer"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// Options are what a user may say.
type Options struct {
	Data    []string // files and folders of text
	Out     string   // run directory
	Budget  time.Duration
	Seed    uint64
	Plan    string       // a run.json to repeat; "" plans anew
	Shapes  []plan.Shape // to choose among, vocabulary and context left out; nil: the usual ladder
	Memory  int64        // bytes that training may take; 0: no limit
	GoRoot  string       // a Go tree, to type-check functions against; "" skips what it is needed for
	Program string       // version of the program, for the plan
}

// Watch is told what happens. All fields may be nil.
type Watch struct {
	Stage  func(name string, planned time.Duration)                    // a stage begins
	Done   func(name string, planned, took time.Duration, what string) // it ended; what it made
	Say    func(format string, args ...any)                            // a remark
	Bytes  func(what string, done, total int64)                        // progress of reading
	Tokens func(done, total int)                                       // progress of the tokenizer
	Step   func(stage string, m train.Metrics, steps int)              // progress of training
}

// Run is a raise in a directory.
type Run struct {
	o     Options
	w     Watch
	b     *cpu.Backend
	Plan  *Plan
	fresh bool // the plan must be made
	start time.Time
	book  book

	data *prepare.Data
	tok  *tokenizer.Tokenizer
	set  *prepare.Shards
	eval *Evaluation

	preferences Preferences
	judge       Judge
}

// files of a run directory, besides those of a model directory.
const (
	BaseDir   = "base"     // the model before fine-tuning
	shardDir  = "shards"   // token shards
	stateDir  = "training" // state and metrics of pre-training
	sftDir    = "sft"      // state and metrics of fine-tuning
	TunedDir  = "tuned"    // the fine-tuned model, before preferences
	judgeDir  = "judge"    // the reward model, with state and metrics
	judgeFile = "judge.json"
	preferDir = "preference" // state and metrics of preference tuning
	pairsFile = "preferences.jsonl"
	// preferencesFile says what was compared.
	preferencesFile = "preferences.json"
	evalFile        = "eval.json" // what evaluation measured
	bookFile        = "stages.json"
	ReportFile      = "report.html"
)

// book is what finished stages took; a run that goes on adds to it.
type book struct {
	Stages []Entry `json:"stages"`
}

// Entry is one finished stage.
type Entry struct {
	Name    string  `json:"name"`
	Planned float64 `json:"planned_seconds"`
	Took    float64 `json:"seconds"`
	What    string  `json:"what"`
}

// ErrDone reports a run directory whose run is finished.
var ErrDone = errors.New("this run is done")

// Open begins a run in its directory, or goes on with the one that is there.
// Options that contradict the plan of that run are an error. ErrDone comes with
// the finished Run.
func Open(b *cpu.Backend, o Options, w Watch) (*Run, error) {
	r := &Run{o: o, w: w.filled(), b: b, start: time.Now()}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, fmt.Errorf("run directory %s: %w: choose another with --out", o.Out, err)
	}
	p, found, err := Load(r.path(PlanFile))
	if err != nil {
		return nil, err
	}
	if found && o.Plan != "" {
		given, ok, err := Load(o.Plan)
		if err != nil {
			return nil, err
		}
		if !ok || !samePlan(given, p) {
			return nil, fmt.Errorf("%s already has a plan, another one than %s: choose another --out", o.Out, o.Plan)
		}
	}
	if !found && o.Plan != "" {
		if p, found, err = Load(o.Plan); err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("plan %s: no such file", o.Plan)
		}
		p.Fixed = true
		if err := p.save(o.Out); err != nil {
			return nil, err
		}
	}
	if err := r.adopt(p, found); err != nil {
		return nil, err
	}
	if _, err := atomicfile.ReadJSON(r.path(bookFile), &r.book); err != nil {
		return nil, err
	}
	if _, err := os.Stat(r.path(ReportFile)); err == nil {
		return r, ErrDone
	}
	// What killed runs were writing is of no use.
	return r, atomicfile.Clean(o.Out, r.path("*"), filepath.Join(r.path(shardDir), "*"))
}

// adopt takes the plan that was found, or begins a new one.
func (r *Run) adopt(p *Plan, found bool) error {
	if !found {
		r.fresh = true
		r.Plan = &Plan{
			Version: planVersion, Command: "raise", Program: r.o.Program, Data: r.o.Data, Budget: r.o.Budget.Seconds(),
			Seed: r.o.Seed, Kernels: r.b.Kernels(), Shares: DefaultShares,
		}
		return nil
	}
	if p.Kernels != r.b.Kernels() {
		return fmt.Errorf("the plan was made for the kernel set %s, this run has %s: results differ by rounding; use --kernels to choose the same, or another --out", p.Kernels, r.b.Kernels())
	}
	if len(r.o.Data) > 0 && !slices.Equal(r.o.Data, p.Data) {
		return fmt.Errorf("the plan in %s is for %s, not for %s: choose another --out", r.o.Out, strings.Join(p.Data, ", "), strings.Join(r.o.Data, ", "))
	}
	if r.o.Budget != 0 && r.o.Budget.Seconds() != p.Budget && r.o.Plan == "" {
		return fmt.Errorf("the plan in %s has a budget of %v, not %v: choose another --out", r.o.Out, duration(p.Budget), r.o.Budget)
	}
	r.Plan = p
	return nil
}

// samePlan compares all but whether a plan is a repetition.
func samePlan(a, b *Plan) bool {
	x, y := *a, *b
	x.Fixed, y.Fixed = true, true
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

func (w Watch) filled() Watch {
	if w.Stage == nil {
		w.Stage = func(string, time.Duration) {}
	}
	if w.Done == nil {
		w.Done = func(string, time.Duration, time.Duration, string) {}
	}
	if w.Say == nil {
		w.Say = func(string, ...any) {}
	}
	if w.Bytes == nil {
		w.Bytes = func(string, int64, int64) {}
	}
	if w.Tokens == nil {
		w.Tokens = func(int, int) {}
	}
	if w.Step == nil {
		w.Step = func(string, train.Metrics, int) {}
	}
	return w
}

func (r *Run) path(name string) string { return filepath.Join(r.o.Out, name) }

// stage runs f as one stage and books its time. f says what it made.
func (r *Run) stage(name string, share float64, f func() (string, error)) error {
	planned := duration(r.Plan.seconds(share))
	r.w.Stage(name, planned)
	start := time.Now()
	what, err := f()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	took := time.Since(start)
	r.w.Done(name, planned, took, what)
	return r.enter(Entry{Name: name, Planned: planned.Seconds(), Took: took.Seconds(), What: what})
}

// enter books a stage; one that went on after a stop adds its time.
func (r *Run) enter(e Entry) error {
	i := slices.IndexFunc(r.book.Stages, func(x Entry) bool { return x.Name == e.Name })
	if i < 0 {
		r.book.Stages = append(r.book.Stages, e)
	} else {
		r.book.Stages[i].Took += e.Took
		r.book.Stages[i].What = e.What
	}
	return atomicfile.WriteJSON(r.path(bookFile), r.book)
}

// Read finds the text, decides which part is held out and, in a new run,
// measures the machine and writes the plan.
func (r *Run) Read(ctx context.Context) error {
	return r.stage("read and plan", r.Plan.Shares.Prepare, func() (string, error) {
		p := r.Plan
		if r.fresh {
			c, err := corpus.Open(p.Data, corpus.Options{})
			if err != nil {
				return "", err
			}
			all, err := corpus.StatsOf(c.Documents())
			if err != nil {
				return "", err
			}
			// A text that is nothing but generated files is kept as it is.
			p.WithoutGenerated = all.Generated.Bytes*2 < all.Total.Bytes
			bytes := all.Total.Bytes
			if p.WithoutGenerated {
				bytes -= all.Generated.Bytes
			}
			p.Keep = keepShare(p.Budget, bytes)
			p.Split.Share = 0.05
		}
		var err error
		r.data, err = prepare.Open(p.Data, prepare.Options{Split: corpus.SplitOptions{Method: p.Split.Method, Share: p.Split.Share, Seed: p.Seed}, Keep: p.Keep, WithoutGenerated: p.WithoutGenerated})
		if err != nil {
			return "", err
		}
		source, err := r.data.Sides.Fingerprint()
		if err != nil {
			return "", err
		}
		sides := r.data.Sides
		if !r.fresh {
			if source != p.Source {
				return "", fmt.Errorf("the text in %s is no longer what the plan in %s was made for: choose another --out", strings.Join(p.Data, ", "), r.o.Out)
			}
		} else {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			n := sides.Count(corpus.Train).Bytes
			p.Source, p.Split.Method, p.TrainMB = source, sides.Method(), float64(n)/1e6
			if err := p.choose(r.b, r.o.Shapes, n, r.o.Memory); err != nil {
				return "", err
			}
			if err := p.save(r.o.Out); err != nil {
				return "", err
			}
		}
		t, v := sides.Count(corpus.Train), sides.Count(corpus.Validation)
		return fmt.Sprintf("%d documents, %.1f MB to learn from; %d documents, %.1f MB held out (%s)",
			t.Documents, float64(t.Bytes)/1e6, v.Documents, float64(v.Bytes)/1e6, p.splitText()), nil
	})
}

func (p *Plan) splitText() string {
	return map[corpus.Method]string{
		corpus.ByDirectory: "whole directories", corpus.ByContent: "by hash of the text", corpus.ByTail: "the end of each document",
	}[p.Split.Method]
}

// LearnTokenizer learns the vocabulary from the training side.
func (r *Run) LearnTokenizer(ctx context.Context) error {
	return r.stage("tokenizer", r.Plan.Shares.Tokenizer, func() (string, error) {
		t := r.Plan.Tokenizer
		tok, err := r.data.Tokenizer(ctx, r.path(bundle.TokenizerFile), tokenizer.TrainOptions{
			VocabSize: t.Vocab, Pattern: t.Pattern, Special: chat.SpecialTokens(), MaxBytes: t.MaxBytes,
			Seed: r.Plan.Seed, Threads: r.b.Threads(), Progress: r.w.Tokens,
		})
		if err != nil {
			return "", err
		}
		if tok.VocabSize() > r.Plan.Pretrain.Shape.Vocab {
			return "", fmt.Errorf("%s has %d tokens, the plan %d", bundle.TokenizerFile, tok.VocabSize(), r.Plan.Pretrain.Shape.Vocab)
		}
		r.tok = tok
		return fmt.Sprintf("%d tokens from at most %.0f MB of the training text", tok.VocabSize(), float64(t.MaxBytes)/1e6), nil
	})
}

// Tokenize writes both sides as token shards.
func (r *Run) Tokenize(ctx context.Context) error {
	return r.stage("shards", r.Plan.Shares.Shards, func() (string, error) {
		total := r.data.Sides.Count(corpus.Train).Bytes
		var err error
		r.set, err = r.data.Shards(ctx, r.path(shardDir), r.tok, r.end(), func(done int64) { r.w.Bytes("encoding", done, total) })
		if err != nil {
			return "", err
		}
		m := r.set.Train.Manifest()
		return fmt.Sprintf("%.1f M tokens, %.2f bytes a token", float64(m.Tokens)/1e6, float64(m.Bytes)/float64(m.Tokens)), nil
	})
}

// end is the token that ends a document.
func (r *Run) end() int32 {
	id, _ := r.tok.SpecialID(chat.EndOfText)
	return id
}

// Pretrain learns to continue the text.
func (r *Run) Pretrain(ctx context.Context) error {
	return r.stage("pre-training", r.Plan.Shares.Pretrain, func() (string, error) {
		if pretrain.Done(r.path(BaseDir)) {
			return "done before", nil
		}
		if err := os.MkdirAll(r.path(stateDir), 0o755); err != nil {
			return "", err
		}
		var last train.Metrics
		j := pretrain.Job{
			Options: r.Plan.Pretrain, Dir: r.path(stateDir), Out: r.path(BaseDir), Tokenizer: r.tok, End: r.end(),
			Train: r.set.Train, Validation: r.set.Validation,
			Progress: func(m train.Metrics) { last = m; r.w.Step("pre-training", m, r.Plan.Pretrain.Steps()) },
			Overrun:  r.overrun("pre-training", r.path(stateDir), r.Plan.Shares.Pretrain, &r.Plan.Pretrain.Train),
		}
		z, err := j.Run(ctx, r.b)
		if err != nil {
			return "", err
		}
		z.Release(r.b)
		return fmt.Sprintf("%d steps, %.1f M tokens, %.3f bits per byte on a held-out sample", last.Step, float64(last.Tokens)/1e6, last.ValBPB), nil
	})
}
