// Command foundling is the whole life of a foundation model: raise takes text to
// a model that answers; the other commands are its stages, each alone.
//
// One file is one command. Flags, environment and log set-up live here and
// nowhere else; the work is done in the packages that the commands call.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/foundling-lm/foundling/model/hub"
	"github.com/foundling-lm/foundling/train"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // state saved
)

// cli is the command line. Recipe files give the same options in YAML.
type cli struct {
	Recipe recipePath `help:"YAML file of options, named as the command's flags are; flags on the command line win. Unknown keys are errors." placeholder:"FILE" aliases:"config"`

	Raise     raiseCmd     `cmd:"" help:"Raise a model: from text on this machine to a model that answers."`
	Pretrain  pretrainCmd  `cmd:"" help:"Train a new model on text."`
	SFT       sftCmd       `cmd:"" name:"sft" help:"Fine-tune a model on demonstrations."`
	DPO       dpoCmd       `cmd:"" name:"dpo" help:"Learn from preferences: DPO and its family, offline or online."`
	RLAIF     rlaifCmd     `cmd:"" name:"rlaif" help:"Let a judge or rewards choose among a model's answers, and learn from that."`
	Data      dataCmds     `cmd:"" help:"Data of post-training: show it, say what it consists of, label it, have a model make it."`
	Reward    rewardCmd    `cmd:"" help:"Train a reward model on preferences, scores or steps."`
	Classify  classifyCmds `cmd:"" help:"Classifiers: train one over a model, measure it."`
	PPO       ppoCmd       `cmd:"" name:"ppo" help:"Let a model learn from rewards of its own answers, with a critic."`
	GRPO      grpoCmd      `cmd:"" name:"grpo" help:"Let a model learn from rewards of its own answers, by comparing them: GRPO, RLOO, REINFORCE++ and kin."`
	Tokenizer tokenizerCmd `cmd:"" help:"Learn a tokenizer; turn text into ids and back."`
	Generate  generateCmd  `cmd:"" help:"Write text: continue or answer a prompt."`
	Chat      chatCmd      `cmd:"" help:"Talk with a model."`
	Keys      keysCmds     `cmd:"" help:"API keys of serve: make, list and revoke them."`
	Serve     serveCmd     `cmd:"" help:"Serve models over HTTP, with the interface of OpenAI."`
	Best      bestCmd      `cmd:"" help:"Draw several texts for a prompt and choose: by likelihood, vote, verifier, reward or beam search."`
	Repair    repairCmd    `cmd:"" help:"Make JSON or YAML of a text that is nearly JSON or YAML."`
	Score     scoreCmd     `cmd:"" help:"Log-probabilities of given text."`
	Pull      pullCmd      `cmd:"" help:"Bring a model from a hub to the local store."`
	Models    modelsCmd    `cmd:"" help:"List the models of the local store, find and delete them."`
	Convert   convertCmd   `cmd:"" help:"Write a model in another format: GGUF file or Hugging Face directory, any number format."`
	Merge     mergeCmd     `cmd:"" help:"Merge an adapter into the weights of its model."`
	Eval      evalCmd      `cmd:"" help:"Measure a model: perplexity and bits per byte of a text."`
	Compare   compareCmd   `cmd:"" help:"Lay models side by side: answers, divergence, who wins, what was forgotten, refusals."`
	Grammar   grammarCmds  `cmd:"" help:"Languages that output must fit: is a schema, expression or grammar supported, does a text fit."`
	Inspect   inspectCmds  `cmd:"" help:"Show what a file or a model holds, what its heads look at, what tokens are chosen from."`
	Lab       labCmd       `cmd:"" help:"Experiments: published results made again at a small scale."`
	Doctor    doctorCmd    `cmd:"" help:"Say what this machine can do, and what would make it do more."`
	Bench     benchCmd     `cmd:"" help:"Measure speed: products, training steps, tokenizer, generation, grammars, sampling."`

	Version    versionCmd    `cmd:"" help:"Print version and kernel sets."`
	Completion completionCmd `cmd:"" help:"Print a completion script for a shell."`
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	code := -1
	parser := newParser(grammarOf(args), func(n int) { code = n })
	k, err := parser.Parse(joined(args))
	if code >= 0 { // --help
		return code
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "foundling:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends a command that does not heed the first
	k.BindTo(ctx, (*context.Context)(nil))
	return exitCode(k.Run())
}

// grammarOf is the cli, with the command alone that args begin with, where they do: a
// parser of all commands takes a third of the time of a short one.
func grammarOf(args []string) any {
	if len(args) == 0 || args[0] == "completion" { // which completes all
		return new(cli)
	}
	all := reflect.TypeFor[cli]()
	for i := range all.NumField() {
		f := all.Field(i)
		name := f.Tag.Get("name")
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		if _, ok := f.Tag.Lookup("cmd"); ok && name == args[0] {
			return reflect.New(reflect.StructOf([]reflect.StructField{all.Field(0), f})).Interface()
		}
	}
	return new(cli)
}

// newParser is the command line's, of a cli or a part of it; exit is called for --help.
func newParser(grammar any, exit func(int)) *kong.Kong {
	parser, err := kong.New(grammar,
		kong.Name("foundling"),
		kong.Description("The whole life of a foundation model in one program."),
		kong.UsageOnError(),
		kong.Vars{"endpoint": hub.DefaultEndpoint, "samplers": samplerNames(), "rewards": rewardHelp},
		kong.NamedMapper("filled", kong.MapperFunc(filled)),
		kong.Exit(exit),
	)
	if err != nil {
		panic(err)
	}
	return parser
}

// filled reads the value of flags with type:"filled", which is not empty: that of a
// variable of the shell that is not set would else be as good as no flag.
func filled(ctx *kong.DecodeContext, target reflect.Value) error {
	var s string
	if err := ctx.Scan.PopValueInto("string", &s); err != nil {
		return err
	}
	if s == "" {
		return errors.New("the value is empty: leave the flag out or give it one")
	}
	target.SetString(s)
	return nil
}

// joined writes --flag and a value that begins with a hyphen, a negative number or a
// text of several words, as one argument: alone the value would be taken for flags.
func joined(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return append(out, args[i:]...)
		}
		if strings.HasPrefix(a, "--") && !strings.ContainsAny(a, "= ") && i+1 < len(args) && hyphened(args[i+1]) {
			i++
			a += "=" + args[i]
		}
		out = append(out, a)
	}
	return out
}

// hyphened says whether an argument begins with a hyphen and is no flag.
func hyphened(a string) bool {
	if len(a) < 2 || a[0] != '-' {
		return false
	}
	name, _, _ := strings.Cut(a, "=")
	return strings.ContainsAny(a[1:2], "0123456789.") || strings.ContainsAny(name, " \t\n")
}

// usageError marks an error that better options would avoid.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, train.ErrInterrupted), errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "foundling:", err)
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "foundling:", err)
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "foundling:", err)
	return exitFailed
}
