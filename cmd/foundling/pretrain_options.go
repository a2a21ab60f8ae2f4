package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// pretrainFlags are the options of a pre-training run. One that is not set
// takes its default in a new run, and what run.json says in one that goes on.
type pretrainFlags struct {
	Data       []string `json:"data,omitempty" sep:"none" placeholder:"PATH" help:"Files and folders of text: source code, .txt, .md, .jsonl, also compressed. Repeat it, or list more at the end."`
	Split      *string  `json:"split,omitempty" help:"What is held out: whole directories, documents by content, or the tail of each document (default: by what the data are)." placeholder:"directory|content|tail"`
	SplitShare *float64 `json:"split-share,omitempty" help:"Share of the text held out (default 0.05)." placeholder:"X"`
	Tokenizer  *string  `json:"tokenizer,omitempty" help:"bpe learns one from the text, char and bytes take characters and bytes, a path loads a tokenizer.json (default bpe)." placeholder:"bpe|char|bytes|PATH"`
	Vocab      *int     `json:"vocab,omitempty" help:"Tokens of a learned tokenizer, with bytes and special tokens (default 4096)." placeholder:"N"`
	Mode       *string  `json:"mode,omitempty" help:"packed: documents one after another, without attention across them; windows: random places of one long text (default: windows for a split by tail)." placeholder:"packed|windows"`

	Arch    *string `json:"arch,omitempty" help:"Family of the model, a model_type of Hugging Face: llama, mistral, qwen2, qwen3, gemma2, gemma3_text, phi3, olmo2, mixtral, qwen2_moe, qwen3_moe, gpt2 (default llama)." placeholder:"NAME"`
	Layers  *int    `json:"layers,omitempty" help:"Layers (default 4)." placeholder:"N"`
	Width   *int    `json:"width,omitempty" help:"Width of the residual stream (default 256)." placeholder:"N"`
	Heads   *int    `json:"heads,omitempty" help:"Attention heads (default: width/64, width/32 below 256)." placeholder:"N"`
	KVHeads *int    `json:"kv-heads,omitempty" name:"kv-heads" help:"Key and value heads, not gpt2 (default: as heads)." placeholder:"N"`
	FF      *int    `json:"ff,omitempty" name:"ff" help:"Feed-forward width (default: 4 or 8/3 times the width)." placeholder:"N"`
	Experts *int    `json:"experts,omitempty" help:"Experts of a layer in mixtral, qwen2_moe and qwen3_moe; a token visits two, together as wide as --ff (default 8)." placeholder:"N"`
	Context *int    `json:"context,omitempty" help:"Tokens that the model sees at once (default 256)." placeholder:"N"`

	Budget *span `json:"budget,omitempty" help:"Wall-clock time of the whole command, instead of --steps; turned into steps once." placeholder:"5m"`

	trainFlags
}

// pretrainOptions are pretrainFlags with every field known.
type pretrainOptions struct {
	Data       []string `json:"data"` // absolute
	Split      string   `json:"split"`
	SplitShare float64  `json:"split-share"`
	Tokenizer  string   `json:"tokenizer"`
	Vocab      int      `json:"vocab"`  // wanted of a tokenizer that is learned
	Tokens     int      `json:"tokens"` // that the tokenizer has, and the model; 0: not yet known
	Mode       string   `json:"mode"`

	Arch    string `json:"arch"`
	Layers  int    `json:"layers"`
	Width   int    `json:"width"`
	Heads   int    `json:"heads"`
	KVHeads int    `json:"kv-heads"`
	FF      int    `json:"ff"`
	Experts int    `json:"experts,omitempty"` // 0: none, or the family's custom
	Context int    `json:"context"`

	Budget span `json:"budget,omitempty"` // 0: none

	trainOptions
}

const (
	defaultVocab = 4096
	tokenizerCap = 256 << 20 // bytes of text that a tokenizer learns from, at most
)

// newPretrainOptions resolves the flags of a new run, but for what the text, the
// tokenizer and the clock decide.
func newPretrainOptions(f *pretrainFlags) (o pretrainOptions, err error) {
	o = pretrainOptions{
		Tokenizer: "bpe", Vocab: defaultVocab, SplitShare: 0.05,
		Arch: "llama", Layers: 4, Width: 256, Context: 256, trainOptions: newTrainOptions(),
	}
	if err := overlay(&o, f); err != nil {
		return o, err
	}
	if err := o.shape(f); err != nil {
		return o, err
	}
	if err := o.resolve(&f.trainFlags, o.Context, o.Width); err != nil {
		return o, err
	}
	switch {
	case f.Steps == nil && f.Budget == nil:
		return o, fmt.Errorf("how long? give --steps N or --budget 5m")
	case f.Steps != nil && f.Budget != nil:
		return o, fmt.Errorf("--steps and --budget both say how long: give one of them")
	case f.Budget != nil && *f.Budget <= 0:
		return o, fmt.Errorf("--budget is %s: it must be positive", time.Duration(*f.Budget))
	}
	if o.Data, err = absolute(o.Data); err != nil {
		return o, err
	}
	return o, o.text(f)
}

// shape fills in and checks the sizes of the model.
func (o *pretrainOptions) shape(f *pretrainFlags) error {
	for _, k := range []struct {
		flag  string
		value *int
	}{{"layers", f.Layers}, {"width", f.Width}, {"heads", f.Heads}, {"kv-heads", f.KVHeads}, {"ff", f.FF}, {"experts", f.Experts}, {"context", f.Context}, {"vocab", f.Vocab}} {
		if k.value != nil && *k.value <= 0 {
			return fmt.Errorf("--%s is %d: it must be positive", k.flag, *k.value)
		}
	}
	if !slices.Contains(plan.Families(), o.Arch) {
		return fmt.Errorf("--arch %q is unknown: %s exist", o.Arch, strings.Join(plan.Families(), ", "))
	}
	if o.Experts != 0 && !o.planShape().Mixture() {
		return fmt.Errorf("--experts %d: %s has none; leave it out or use --arch mixtral, qwen2_moe or qwen3_moe", o.Experts, o.Arch)
	}
	if f.Heads == nil {
		if o.Heads = max(1, o.Width/64); o.Width < 256 {
			o.Heads = max(1, o.Width/32)
		}
		for o.Width%o.Heads != 0 {
			o.Heads--
		}
	}
	if o.Width%o.Heads != 0 {
		return fmt.Errorf("--heads %d does not divide --width %d: use %s", o.Heads, o.Width, divisors(o.Width))
	}
	if o.KVHeads == 0 {
		o.KVHeads = o.Heads
	}
	switch {
	case o.Arch == "gpt2" && o.KVHeads != o.Heads:
		return fmt.Errorf("--kv-heads is %d: gpt2 has as many as --heads %d; leave it out or use --arch llama", o.KVHeads, o.Heads)
	case o.Heads%o.KVHeads != 0:
		return fmt.Errorf("--kv-heads %d does not divide --heads %d: use %s", o.KVHeads, o.Heads, divisors(o.Heads))
	case o.Arch != "gpt2" && o.Width/o.Heads%2 != 0:
		return fmt.Errorf("--width %d over --heads %d is a head width of %d: rotary positions need an even one", o.Width, o.Heads, o.Width/o.Heads)
	}
	if o.FF == 0 {
		o.FF = plan.DefaultFF(o.Arch, o.Width)
	}
	if _, err := pretrain.NewModel(nil, o.planShape(), -1); err != nil { // all that can be said by flags was said above
		return fmt.Errorf("this model is impossible: %w", err)
	}
	return nil
}

// divisors lists the divisors of n up to 64.
func divisors(n int) string {
	s := ""
	for d := 1; d <= min(n, 64); d++ {
		if n%d == 0 {
			s += fmt.Sprintf("%d, ", d)
		}
	}
	return s[:max(0, len(s)-2)]
}

// text checks what is said of the data.
func (o *pretrainOptions) text(f *pretrainFlags) error {
	if len(o.Data) == 0 {
		return fmt.Errorf("no text to learn from: name files or folders with --data")
	}
	if err := (corpus.SplitOptions{Method: corpus.Method(o.Split), Share: o.SplitShare}).Validate(); err != nil || o.SplitShare == 0 || f.Split != nil && o.Split == "" {
		return fmt.Errorf("--split %q --split-share %v: the first is directory, content or tail, the second lies in (0, 1)", o.Split, o.SplitShare)
	}
	if m := batch.Mode(o.Mode); o.Mode != "" && m != batch.Packed && m != batch.Windows {
		return fmt.Errorf("--mode %q is unknown: packed and windows exist", o.Mode)
	}
	least := 256 + len(chat.SpecialTokens())
	switch o.Tokenizer {
	case "":
		return fmt.Errorf("--tokenizer is empty: give bpe, char, bytes or a path")
	case "bpe":
		if o.Vocab < least {
			return fmt.Errorf("--vocab %d is too small: the 256 bytes and %d special tokens alone take %d", o.Vocab, len(chat.SpecialTokens()), least)
		}
	default:
		if f.Vocab != nil {
			return fmt.Errorf("--vocab %d: only --tokenizer bpe learns a vocabulary of a given size; leave it out with %q", o.Vocab, o.Tokenizer)
		}
		if o.Tokenizer != "char" && o.Tokenizer != "bytes" {
			p, err := filepath.Abs(o.Tokenizer)
			if err != nil {
				return err
			}
			o.Tokenizer = p
		}
	}
	return nil
}

// memory is the bytes that a step takes, about.
func (o *pretrainOptions) memory() int64 {
	stored := plan.MemoryOptions{Activation: 4}
	if o.Precision == "bf16" {
		stored.Activation = 2
	}
	return o.planShape().TrainingMemory(o.BatchTokens/o.Accumulate, stored).Total
}

func (o *pretrainOptions) planShape() plan.Shape {
	return plan.Shape{
		Family: o.Arch, Layers: o.Layers, Width: o.Width, Heads: o.Heads, KVHeads: o.KVHeads, FF: o.FF, Experts: o.Experts,
		Vocab: cmp.Or(o.Tokens, o.Vocab), Context: o.Context, Tied: true,
	}
}

// options are what the training package is told.
func (o *pretrainOptions) options() pretrain.Options {
	return pretrain.Options{
		Shape: o.planShape(), Rows: o.BatchTokens / o.Accumulate / o.Context, Micro: o.Accumulate, Context: o.Context,
		Mode: batch.Mode(o.Mode), Train: o.train(), Seed: o.Seed,
	}
}
