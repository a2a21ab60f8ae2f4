package main

import (
	"fmt"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// What a model decodes with when neither the command line nor its
// generation_config.json says otherwise.
const defaultTemperature = 0.8

// decodingFlags are shared by the commands that write text.
type decodingFlags struct {
	Temperature *float64 `help:"0 takes the most probable token, 1 samples the model's distribution. Default: the model's generation_config.json, else 0.8."`
	TopK        *int     `help:"Sample among this many most probable tokens; 0 among all. Default as above, else 0."`
	TopP        *float64 `help:"Sample among the most probable tokens that together reach this probability; 1 among all. Default as above, else 1."`
	Seed        uint64   `help:"Chooses the random numbers: the same seed gives the same text." default:"1"`
	MaxTokens   int      `help:"Stop after so many tokens; 0 goes on until the context is full." default:"${maxtokens}"`
}

// options joins the flags with the model's own defaults.
func (f *decodingFlags) options(g bundle.Generation) generate.Options {
	s := sample.Options{Temperature: defaultTemperature, TopK: g.TopK, TopP: g.TopP, Seed: f.Seed}
	if g.Temperature > 0 {
		s.Temperature = g.Temperature
	}
	if f.Temperature != nil {
		s.Temperature = *f.Temperature
	}
	if f.TopK != nil {
		s.TopK = *f.TopK
	}
	if f.TopP != nil {
		s.TopP = *f.TopP
	}
	return generate.Options{Sample: s, MaxTokens: f.MaxTokens, StopIDs: g.EOS}
}

// Validate is called by kong, before the model is opened.
func (f *decodingFlags) Validate() error {
	if f.MaxTokens < 0 {
		return fmt.Errorf("--max-tokens is %d: it must be positive, or 0 to go on until the context is full", f.MaxTokens)
	}
	o := f.options(bundle.Generation{}).Sample
	if err := o.Validate(); err != nil {
		return err
	}
	return nil
}

// opened is a model ready to run.
type opened struct {
	*bundle.Bundle
	backend *cpu.Backend
	engine  *generate.Engine
}

// openModel opens a model, by its path or its name in the store, for decoding and
// scoring.
func openModel(c computeFlags, s storeFlags, name string) (*opened, error) {
	dir, err := s.modelPath(name)
	if err != nil {
		return nil, err
	}
	b, err := c.exact().backend()
	if err != nil {
		return nil, err
	}
	p := newProgress("loading " + dir)
	defer p.Close()
	z, err := bundle.OpenStored(b, dir)
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("--model: %w", err)
	}
	return &opened{z, b, generate.New(b, z.Model, z.TokenBytes())}, nil
}

// Close ends the threads.
func (m *opened) Close() {
	m.engine.Close()
	m.backend.Close()
}
