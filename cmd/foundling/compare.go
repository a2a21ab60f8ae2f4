package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// compareCmd lays models side by side.
type compareCmd struct {
	Models      []string `arg:"" name:"model" help:"Two models or more, the one to compare with first: directories, GGUF files, names of the store, directories of adapters (with the model that they name)."`
	Prompts     []string `required:"" sep:"none" help:"Prompts that all answer: records, or lines of a .txt file. Repeat it." placeholder:"PATH"`
	N           int      `name:"n" help:"Answers to a prompt." default:"1"`
	MaxTokens   int      `help:"Tokens of an answer, at most (default: half the model's context, at most 256)." placeholder:"N"`
	Temperature float64  `help:"Of answers. The divergence between models is measured at 1 only." default:"1"`
	Limit       int      `help:"Take only so many prompts, the first ones; 0: all." placeholder:"N"`
	Reward      []string `sep:"none" help:"What an answer is worth: a weighted sum as 0.7*verifier:go-parse+0.3*ended; repeat it to add more. Kinds: ${rewards}." placeholder:"SPEC"`
	Forget      string   `help:"File of text: bits per byte of each model, and what changed against the first." placeholder:"FILE"`
	Harm        []string `sep:"none" help:"Harmful prompts, to be refused: records, lines of a .txt file, or a .csv file with a column prompt or prompts_final." placeholder:"PATH"`
	Benign      []string `sep:"none" help:"Harmless prompts, to be answered, beside --harm (default: 40 of the program's own in words of harm)." placeholder:"PATH"`
	Show        int      `help:"Prompts whose answers the report shows." default:"20"`
	Out         string   `help:"Directory of report.html, compare.json and the journal, from which the same command goes on." default:"compare"`
	Seed        uint64   `help:"Seed of the answers." default:"1"`
	JSON        bool     `name:"json" help:"Print the result as one JSON object."`
	judgeOptions
	judgeFlags
	storeFlags
	cacheFlags
	computeFlags
}

// Help is the detail of --help.
func (compareCmd) Help() string {
	return `All models answer the same prompts with the same seeds. The report has their answers side
by side, lengths, entropy and log-probabilities; for models of one vocabulary the
divergence of each from each, estimated on answers at temperature 1 (k1 with its 95 %
interval, k3 beside).

With --reward or --judge it says who wins: rates of every pair, and Bradley-Terry
strengths in points of Elo above the first model, with bootstraps over prompts. A judge is
asked in both orders; where they disagree it is a draw.

Refusals are found by rules of words, in English, not by understanding: of 24 refusals
labelled by hand they find 20, of 28 answers they take 4 for one. What is not refused
counts as answered, also where it makes no sense.

Examples:

    foundling compare base tuned preferred --prompts heldout.jsonl --reward verifier:go-parse
    foundling compare base tuned --prompts p.txt --judge http://localhost:8000 --judge-name llama
    foundling compare base adapter --prompts p.txt --forget notes.txt --json
    foundling compare base tuned --prompts p.txt --harm simple_safety_tests.csv --out safety`
}

// Validate is called by kong, before a model is opened.
func (c *compareCmd) Validate() error {
	switch {
	case len(c.Models) < 2:
		return errors.New("give two models at least")
	case c.N < 1 || c.MaxTokens < 0 || c.Limit < 0 || c.Show < 0:
		return errors.New("--n must be 1 or more, --max-tokens, --limit and --show not negative")
	case !(c.Temperature >= 0):
		return errors.New("--temperature must not be negative")
	case c.Temperature == 0 && c.N > 1:
		return errors.New("--n of --temperature 0 would be the same answer again")
	case c.Judge != "" && len(c.Reward) > 0:
		return errors.New("--judge and --reward both say who wins: give one of them")
	case c.Judge == "self":
		return errors.New("--judge self: there are several models, name the judge")
	case c.Judge == "" && (c.JudgeName != "" || c.Constitution != "" || c.Decide != ""):
		return errors.New("--judge-name, --constitution and --decide are of --judge")
	case c.JudgeName != "" && !c.remote():
		return errors.New("--judge-name is of a service: --judge is no address")
	case len(c.Benign) > 0 && len(c.Harm) == 0:
		return errors.New("--benign stands beside --harm: give both")
	}
	if err := checkRewards(c.Reward, max(c.MaxTokens, 1)); err != nil {
		return fmt.Errorf("--reward: %w", err)
	}
	return errors.Join(c.judgeFlags.Validate(), c.cacheFlags.Validate())
}

// side is a model with what it did.
type side struct {
	name, path, adapter string
	weights             string // hash of model and adapter
	vocab               string // hash of its tokens' bytes

	answers, harm, benign []*posttrain.Tries
	logProbs              [][][]float64 // of the answers of each side; nil: of another vocabulary, or too long
	text                  *eval.Perplexity
	context, most         int // tokens of a text, and of an answer
}

// comparison is a run of the command.
type comparison struct {
	c                     *compareCmd
	p                     *progress
	j                     *posttrain.Journal
	sides                 []*side
	prompts, harm, benign []dataset.Record
	skips                 dataset.Skips
	text                  string
}

// Run reads, answers, scores and reports.
func (c *compareCmd) Run(ctx context.Context) (err error) {
	r := &comparison{c: c}
	if err := r.read(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if r.j, err = posttrain.OpenJournal(filepath.Join(c.Out, "journal.jsonl")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.j.Close()) }()
	r.p = newProgress("comparing")
	defer r.p.Close()
	result, err := r.measure(ctx)
	if ctx.Err() != nil {
		return interrupted("the same command goes on from %s", c.Out)
	}
	if err != nil {
		return err
	}
	r.p.Close()
	return r.report(result)
}

// measure opens the models one after another: to answer, then to score what all
// answered.
func (r *comparison) measure(ctx context.Context) (*compared, error) {
	for _, s := range r.sides {
		if err := r.open(s, func(m *foundling.Model) error { return r.answer(ctx, s, m) }); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for i, s := range r.sides {
		if err := r.open(s, func(m *foundling.Model) error { return r.score(ctx, i, m) }); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	out := r.figures()
	return out, r.games(ctx, out)
}

// read finds models and reads prompts and text.
func (r *comparison) read(ctx context.Context) (err error) {
	c := r.c
	for _, name := range c.Models {
		s := &side{name: filepath.Base(name)}
		if s.path, err = c.modelPath(name); err != nil {
			return err
		}
		if lora.Is(s.path) {
			s.adapter = s.path
			if s.path, err = lora.BaseOf(s.adapter); err == nil {
				s.path, err = c.modelPath(s.path)
			}
			if err != nil {
				return fmt.Errorf("adapter %s: %w", s.adapter, err)
			}
		}
		if s.weights, err = hashWeights(s.path); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if s.adapter != "" {
			h, err := hashAdapter(s.adapter)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			s.weights += "+" + h
		}
		r.sides = append(r.sides, s)
	}
	r.names()
	if r.prompts, err = r.records(ctx, "--prompts", c.Prompts); err != nil {
		return err
	}
	if c.Limit > 0 {
		r.prompts = r.prompts[:min(c.Limit, len(r.prompts))]
	}
	if c.Harm != nil {
		if r.harm, err = r.records(ctx, "--harm", c.Harm); err != nil {
			return err
		}
		for i, s := range eval.BenignPrompts() {
			r.benign = append(r.benign, dataset.Record{Kind: dataset.Prompts, Prompt: dataset.Text{Plain: s}, Source: fmt.Sprint("benign prompt ", i+1)})
		}
		if c.Benign != nil {
			if r.benign, err = r.records(ctx, "--benign", c.Benign); err != nil {
				return err
			}
		}
	}
	if c.Forget != "" {
		data, err := os.ReadFile(c.Forget)
		if err != nil {
			return fmt.Errorf("--forget: %w", err)
		}
		r.text = string(data)
	}
	return nil
}

// names makes those of several models with one name whole paths, and of one model
// that is given twice numbered.
func (r *comparison) names() {
	count := map[string]int{}
	for _, s := range r.sides {
		count[s.name]++
	}
	for i, s := range r.sides {
		if count[s.name] > 1 {
			s.name = r.c.Models[i]
		}
	}
	for i, s := range r.sides {
		if slices.ContainsFunc(r.sides[:i], func(o *side) bool { return o.name == s.name }) {
			s.name += fmt.Sprintf(" (%d)", i+1)
		}
	}
}

// records reads prompts.
func (r *comparison) records(ctx context.Context, flag string, paths []string) (out []dataset.Record, err error) {
	for _, path := range paths {
		var records []dataset.Record
		if strings.EqualFold(filepath.Ext(path), ".csv") {
			records, err = csvPrompts(path)
		} else {
			records, err = readPrompts(ctx, []string{path}, &r.skips, nil)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		out = append(out, records...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %v holds no prompt%s", flag, paths, firstOf(&r.skips))
	}
	return out, nil
}

// open opens a model for as long as f runs.
func (r *comparison) open(s *side, f func(m *foundling.Model) error) error {
	m, err := openModel(openFlags{Adapter: s.adapter, storeFlags: r.c.storeFlags, cacheFlags: r.c.cacheFlags, computeFlags: r.c.computeFlags}, s.path)
	if err != nil {
		return err
	}
	defer m.Close()
	return f(m)
}

// answer lets a model answer all prompts.
func (r *comparison) answer(ctx context.Context, s *side, m *foundling.Model) (err error) {
	w, err := posttrain.NewWriter(m.Bundle)
	if err != nil {
		return err
	}
	h := xxh3.New128()
	for _, b := range m.Bundle.TokenBytes() {
		_, _ = fmt.Fprintf(h, "%d:%s", len(b), b)
	}
	s.vocab = fmt.Sprintf("%x", h.Sum128().Bytes())
	s.context, s.most = m.Bundle.Model.Dims().Context, r.c.MaxTokens
	if s.most == 0 {
		s.most = min(256, s.context/2)
	}
	if s.most >= s.context {
		return usageError{fmt.Errorf("--max-tokens is %d: it must leave room for a prompt in the context of %d", s.most, s.context)}
	}
	o := generate.Options{MaxTokens: s.most, StopIDs: m.Bundle.Stops(), Sample: sample.Options{Temperature: r.c.Temperature, Seed: r.c.Seed}}
	for _, part := range []struct {
		label   string
		prompts []dataset.Record
		n       int
		tries   *[]*posttrain.Tries
	}{{"answers", r.prompts, r.c.N, &s.answers}, {"harmful prompts", r.harm, 1, &s.harm}, {"harmless prompts", r.benign, 1, &s.benign}} {
		d := &posttrain.Drawer{Engine: m.Engine, Writer: w, N: part.n, Options: o}
		label := s.name + ": " + part.label
		r.p.Set(label, 0, int64(len(part.prompts)))
		*part.tries, err = d.DrawAll(ctx, r.j, func(first int, records []dataset.Record) string {
			return fmt.Sprintf("answers/%s/%s/%d/%g/%d/%s/%d/%d/%s", s.weights, m.Backend.Kernels(), s.most, r.c.Temperature, r.c.Seed, r.c.CacheFormat, part.n, first, promptsFingerprint(records))
		}, part.prompts, func(done int) { r.p.Set(label, int64(done), int64(len(part.prompts))) })
		if err != nil {
			return err
		}
	}
	return nil
}

// perplexity measures a model on the text, in windows that all models can take.
func (r *comparison) perplexity(ctx context.Context, s *side, m *foundling.Model) (*eval.Perplexity, error) {
	window := s.context
	for _, o := range r.sides {
		window = min(window, o.context)
	}
	key := fmt.Sprintf("text/%s/%s/%s/%d/%x", s.weights, m.Backend.Kernels(), r.c.CacheFormat, window, xxh3.HashString128(r.text).Bytes())
	var p *eval.Perplexity
	if found, err := r.j.Get(key, &p); err != nil || found {
		return p, err
	}
	ids, err := m.Bundle.TextPrompt(r.text)
	if err != nil {
		return nil, err
	}
	tokens := m.Bundle.TokenBytes()
	p, err = eval.MeasurePerplexity(ctx, m.Engine, ids, m.Bundle.Model.Dims().Context, func(id int32) int {
		if int(id) >= len(tokens) {
			return 0
		}
		return len(tokens[id])
	}, eval.PerplexityOptions{Context: window, Start: -1})
	if err != nil {
		return nil, err
	}
	return p, r.j.Put(key, p)
}

// score measures a model on the text, and gives every answer of models with the same
// vocabulary its log-probabilities.
func (r *comparison) score(ctx context.Context, i int, m *foundling.Model) error {
	s := r.sides[i]
	if r.c.Forget != "" {
		r.p.Set(s.name+": text", 0, 0)
		var err error
		if s.text, err = r.perplexity(ctx, s, m); err != nil {
			return fmt.Errorf("--forget: %w", err)
		}
	}
	s.logProbs = make([][][]float64, len(r.sides))
	for k, other := range r.sides {
		if other.vocab != s.vocab || posttrain.Longest(other.answers) > s.context {
			continue
		}
		label := s.name + " scores " + other.name
		for lo := 0; lo < len(other.answers); lo += scoreChunk {
			r.p.Set(label, int64(lo), int64(len(other.answers)))
			part := other.answers[lo:min(lo+scoreChunk, len(other.answers))]
			h := xxh3.New128()
			for _, t := range part {
				_, _ = fmt.Fprint(h, t.IDs)
				for _, a := range t.Answers {
					_, _ = fmt.Fprint(h, a.IDs)
				}
			}
			key := fmt.Sprintf("scores/%s/%s/%s/%x", s.weights, m.Backend.Kernels(), r.c.CacheFormat, h.Sum128().Bytes())
			var x [][]float64
			found, err := r.j.Get(key, &x)
			if err != nil {
				return err
			}
			if !found {
				if x, err = posttrain.AnswerLogProbs(ctx, m.Engine, part); err != nil {
					return err
				}
				if err := r.j.Put(key, x); err != nil {
					return err
				}
			}
			s.logProbs[k] = append(s.logProbs[k], x...)
		}
	}
	return nil
}

// scoreChunk is the prompts whose answers are scored between two writes.
const scoreChunk = 32

// hashAdapter is a hash of an adapter's weights and of how they are applied.
func hashAdapter(dir string) (string, error) {
	weights, err := hashWeights(filepath.Join(dir, lora.WeightsFile))
	if err != nil {
		return "", err
	}
	config, err := hashWeights(filepath.Join(dir, lora.ConfigFile))
	return weights + config, err
}
