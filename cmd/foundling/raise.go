package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/plan/machine"
	"github.com/foundling-lm/foundling/raise"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// raiseCmd is the main job.
type raiseCmd struct {
	Data   []string      `help:"Files and folders of text; without it the source of this machine's Go toolchain." placeholder:"PATH" type:"path" sep:"none"`
	Budget time.Duration `help:"Time for everything, training included; 5m if there is no plan yet." placeholder:"5m"`
	Out    string        `help:"Run directory; the same again goes on where it was." default:"run1" type:"path"`
	Plan   string        `help:"A run.json to repeat bit for bit, whatever the clock says." placeholder:"FILE" type:"existingfile"`
	Seed   uint64        `help:"Seed of everything that is drawn." default:"1"`
	computeFlags
}

// Help is the long help text.
func (*raiseCmd) Help() string {
	return `Reads text, learns a tokenizer, chooses a size for the time there is, pre-trains,
fine-tunes on demonstrations found in the text, evaluates, and writes a run
directory: a model directory with report.html.

Examples:
  foundling raise                                 five minutes on the Go source tree
  foundling raise --data ~/notes --budget 30m --out notes
  foundling raise --plan run1/run.json --out again   the same model, bit for bit`
}

// Run is the life of a model.
func (c *raiseCmd) Run(ctx context.Context) error {
	b, err := c.backend()
	if err != nil {
		return err
	}
	defer b.Close()
	w := newRaiseWatch(ctx, b)
	defer w.p.close()
	r, err := c.open(b, w)
	if errors.Is(err, raise.ErrDone) {
		fmt.Printf("%s is done: %s is there.\n", c.Out, raise.ReportFile)
		c.show(r)
		return nil
	} else if err != nil {
		return err
	}
	for _, stage := range []func(context.Context) error{
		r.Read,           // find the text, hold some out, measure the machine, write the plan
		c.showPlan(r),    // what will be done, and what else could have been
		r.LearnTokenizer, // bytes to tokens
		r.Tokenize,       // text to shards
		r.Pretrain,       // a model that continues text
		r.FineTune,       // a model that answers
		r.Compare,        // which of its answers are better, by parser and type checker
		r.TrainJudge,     // a reward model of that
		r.Prefer,         // a model whose answers are preferred
		r.Evaluate,       // against counting, against compression, against the parser
		r.Report,         // one page to look at
	} {
		if err := stage(ctx); err != nil {
			return c.interrupted(ctx, err)
		}
	}
	w.p.close()
	c.show(r)
	return nil
}

// open begins the run or finds the one that is there.
func (c *raiseCmd) open(b *cpu.Backend, w *raiseWatch) (*raise.Run, error) {
	o := raise.Options{Data: c.Data, Out: c.Out, Budget: c.Budget, Seed: c.Seed, Plan: c.Plan, GoRoot: goRoot(), Program: programVersion()}
	if _, err := os.Stat(filepath.Join(c.Out, raise.PlanFile)); err != nil && c.Plan == "" {
		if o.Budget == 0 {
			o.Budget = 5 * time.Minute
		}
		if o.Budget < 20*time.Second {
			return nil, usageError{fmt.Errorf("--budget %v is too short: at least 20s are needed to read, learn and measure", o.Budget)}
		}
		if len(o.Data) == 0 {
			if o.GoRoot == "" {
				return nil, usageError{errors.New("no text to learn from: there is no Go toolchain on this machine whose source could serve; name files or folders with --data PATH")}
			}
			o.Data = []string{filepath.Join(o.GoRoot, "src")}
		}
	}
	if m := machine.Describe(); m.Memory.Available > 0 {
		o.Memory = m.Memory.Available * 3 / 4
	}
	return raise.Open(b, o, w.watch())
}

// goRoot is the toolchain's tree, "" where there is none with source.
func goRoot() string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return ""
	}
	root := strings.TrimSpace(string(out))
	if root == "" {
		return ""
	}
	if s, err := os.Stat(filepath.Join(root, "src", "fmt")); err != nil || !s.IsDir() {
		return ""
	}
	return root
}

// interrupted says how to go on after Ctrl-C.
func (c *raiseCmd) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w\nto go on: foundling raise --out %s", context.Canceled, c.Out)
}

// showPlan prints the plan before the first step.
func (c *raiseCmd) showPlan(r *raise.Run) func(context.Context) error {
	return func(context.Context) error {
		p := r.Plan
		fmt.Printf("\nplan (%s)\n", filepath.Join(c.Out, raise.PlanFile))
		fmt.Printf("  %-14s %12s %10s %8s %12s %10s\n", "layers x width", "parameters", "tokens", "epochs", "GFLOP/s", "rank loss")
		for _, t := range p.Table {
			if t.Unfit != "" {
				continue
			}
			mark := " "
			if t.Shape == p.Chosen.Shape {
				mark = "*"
			}
			fmt.Printf("%s %5d x %-6d %12d %9.1fM %8.2f %12.0f %10.3f\n", mark, t.Shape.Layers, t.Shape.Width, t.Parameters, float64(t.Tokens)/1e6, t.Epochs, t.FLOPs/1e9, t.Loss)
		}
		fmt.Printf("  * chosen by the law %s (N counts all parameters; losses rank, they do not forecast)\n", p.Law)
		pre, sft := p.Pretrain, p.SFT
		fmt.Printf("  %d steps of %d tokens, context %d, %s at %.4f, kernels %s, seed %d; then %d steps of fine-tuning\n\n",
			pre.Steps(), pre.BatchTokens(), pre.Context, pre.Train.Optimizer.Name, pre.Train.Schedule.Peak, p.Kernels, p.Seed, sft.Train.Schedule.End())
		return nil
	}
}

// show prints what the run took, three answers and what to type next.
func (c *raiseCmd) show(r *raise.Run) {
	fmt.Printf("\n%-16s %10s %10s\n", "stage", "planned", "took")
	var total float64
	for _, e := range r.Stages() {
		fmt.Printf("%-16s %9.1fs %9.1fs  %s\n", e.Name, e.Planned, e.Took, e.What)
		total += e.Took
	}
	fmt.Printf("%-16s %9.1fs %9.1fs\n", "all", r.Plan.Budget, total)
	for _, s := range r.Samples() {
		fmt.Printf("\n--- %s\n%s\n--- the model:\n%s\n", s.Task, s.Prompt, s.Text)
	}
	fmt.Printf("\nnext:\n  foundling chat --model %s\n  foundling generate --model %s --prompt \"...\"\n  foundling inspect %s\n  open %s\n",
		c.Out, c.Out, c.Out, filepath.Join(c.Out, raise.ReportFile))
}
