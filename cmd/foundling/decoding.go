package main

import (
	"errors"
	"fmt"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor"
)

// decodingFlags are shared by the commands that write text.
type decodingFlags struct {
	Temperature *float64 `help:"0 takes the most probable token, 1 samples the model's distribution. Default: the model's generation_config.json, else 0.8."`
	TopK        *int     `help:"Sample among this many most probable tokens; 0 among all. Default as above, else 0."`
	TopP        *float64 `help:"Sample among the most probable tokens that together reach this probability; 0 and 1 among all. Default as above, else 1."`
	Seed        uint64   `help:"Chooses the random numbers: the same seed gives the same text." default:"1"`
	MaxTokens   int      `help:"Stop after so many tokens; 0 goes on until the context is full." default:"${maxtokens}"`
	stoppingFlags
	samplingFlags
}

// decoding is the flags as the library takes them.
func (f *decodingFlags) decoding() foundling.Decoding {
	d := foundling.Decoding{
		Temperature: f.Temperature, TopK: f.TopK, TopP: f.TopP, MinP: f.MinP, TypicalP: f.TypicalP, RepeatPenalty: f.RepeatPenalty,
		Seed: f.Seed, MaxTokens: f.MaxTokens, Chain: f.chain(),
	}
	f.stopping(&d)
	return d
}

// Validate says which flag is impossible.
func (f *decodingFlags) Validate() error {
	if f.MaxTokens < 0 {
		return fmt.Errorf("--max-tokens is %d: it must be positive, or 0 to go on until the context is full", f.MaxTokens)
	}
	if err := f.stoppingFlags.check(f.MaxTokens); err != nil {
		return err
	}
	if err := f.samplingFlags.idle(); err != nil {
		return err
	}
	o := (&foundling.Model{Bundle: &bundle.Bundle{}}).Options(f.decoding()).Sample
	return o.Validate()
}

// validate asks groups of flags. A command with several must do it itself: kong
// calls only its own Validate.
func validate(groups ...interface{ Validate() error }) error {
	for _, g := range groups {
		if err := g.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// cacheFlags are shared by the commands that keep keys and values.
type cacheFlags struct {
	CacheFormat string `help:"Number format of keys and values: f32, f16, bf16 or q8; empty keeps them exactly. Smaller ones take less memory." placeholder:"FORMAT"`
}

// Validate says whether the format exists.
func (f cacheFlags) Validate() error {
	if f.CacheFormat == "" {
		return nil
	}
	_, err := tensor.ParseCacheFormat(f.CacheFormat)
	return err
}

// speculateFlags are of the commands that write text.
type speculateFlags struct {
	Speculate       string `help:"Guess tokens ahead, by what followed the same words earlier (ngram) or by a smaller model with the same vocabulary (its directory)." placeholder:"ngram|DIR"`
	SpeculateTokens int    `help:"Guesses a step." default:"4"`
	SpeculateMode   string `help:"coupled: the text is that without speculation, bit for bit. rejection: text of the same distribution, not the same text." enum:"coupled,rejection" default:"coupled"`
}

// Validate says which flag is impossible.
func (f speculateFlags) Validate() error {
	if f.SpeculateTokens < 1 {
		return errors.New("--speculate-tokens must be 1 or more")
	}
	return nil
}

// openFlags are shared by the commands that open a model.
type openFlags struct {
	Adapter string `help:"Directory of an adapter of the model (LoRA in PEFT's layout), as sft --lora writes it." placeholder:"DIR" type:"existingdir"`
	storeFlags
	cacheFlags
	computeFlags
}

// openModel opens a model that writes text, by its path or its name in the store.
func openModel(o openFlags, name string) (*foundling.Model, error) {
	return openSpeculating(o, speculateFlags{}, name)
}

// openSpeculating is openModel with guesses, by a model of the store where it is
// named so.
func openSpeculating(o openFlags, f speculateFlags, name string) (*foundling.Model, error) {
	m, err := openAny(o, f, name)
	if err != nil {
		return nil, err
	}
	if err := writes(m.Bundle, name); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// writes says of a model with a head that it writes no text: what its layers knew of
// the next token is lost, or no longer what it was.
func writes(z *bundle.Bundle, name string) error {
	if z.Head == nil {
		return nil
	}
	what := "a reward model"
	if z.Head.Labels != nil {
		what = "a classifier"
	}
	return usageError{fmt.Errorf("--model %s is %s and writes no text: foundling score is for it; name the model that it was made from", name, what)}
}

// openAny is openSpeculating of models that write and of those that score.
func openAny(o openFlags, f speculateFlags, name string) (*foundling.Model, error) {
	return openWithin(o, f, name, nil)
}

// openWithin is openAny with the memory of keys and values that several models share;
// nil: it has its own.
func openWithin(o openFlags, f speculateFlags, name string, budget *cache.Budget) (*foundling.Model, error) {
	dir, err := o.modelPath(name)
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	if f.Speculate != "" && f.Speculate != "ngram" {
		if f.Speculate, err = o.modelPath(f.Speculate); err != nil {
			return nil, fmt.Errorf("--speculate: %w", err)
		}
	}
	b, err := o.backend() // impossible flags are wrong usage
	if err != nil {
		return nil, err
	}
	b.Close()
	p := newProgress("loading " + dir)
	defer p.Close()
	m, err := foundling.Open(dir, foundling.Options{
		Threads: o.Threads, Kernels: o.Kernels, Precision: o.exact().Precision, CacheFormat: o.CacheFormat, Adapter: o.Adapter,
		Speculate: f.Speculate, SpeculateTokens: f.SpeculateTokens, Rejection: f.SpeculateMode == "rejection",
		Budget: budget,
	})
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	return m, nil
}
