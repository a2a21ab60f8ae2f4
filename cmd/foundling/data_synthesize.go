package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/dataset/near"
	"github.com/foundling-lm/foundling/train/posttrain"
)

type dataSynthesizeCmd struct {
	Model     string   `help:"Model that makes the demonstrations: directory, GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	Prompts   string   `help:"Prompts to answer, in turn: records, or lines of a .txt file." placeholder:"FILE"`
	SeedTasks string   `help:"Tasks after whose example the model makes up prompts, and answers them (Self-Instruct)." placeholder:"FILE"`
	N         int      `name:"n" help:"Demonstrations to try; what is kept are fewer." default:"100"`
	Out       string   `help:"File of the demonstrations that are kept, as JSON Lines. The attempts lie beside it, in FILE.attempts." required:"" placeholder:"FILE"`
	MinReward *float64 `help:"Refuse what --reward-cmd gives less." placeholder:"X"`
	Similar   float64  `help:"Refuse what shares this much of its word 3-grams with one that is kept; 1 refuses equal ones only." default:"0.8"`
	Batch     int      `help:"Texts that are generated at a time; they stay the same." default:"8"`
	JSON      bool     `name:"json" help:"Print the report as one JSON object."`
	verifyFlags
	ruleFlags
	recordFlags
	decodingFlags `embed:"" set:"maxtokens=256"`
	openFlags
}

// Help is the detail of --help.
func (dataSynthesizeCmd) Help() string {
	return `An attempt is kept if it came to its end by itself, keeps the rules, passes every verifier
and is neither equal nor nearly equal to one that is kept. Attempt i is the same text for
any --n, --batch and number of threads. The same command goes on where an interrupted one
stopped; a larger --n goes on from the attempts that are there.

Examples:

    foundling data synthesize --model run1 --prompts prompts.txt --n 500 --verify go --out sft.jsonl
    foundling data synthesize --model m.gguf --prompts gsm8k.jsonl --verify arithmetic --min-chars 20 --out math.jsonl
    foundling data synthesize --model m.gguf --seed-tasks seed_tasks.jsonl --n 1000 --out tasks.jsonl
    foundling data synthesize --model m --prompts p.jsonl --reward-cmd ./score --min-reward 0.5 --out good.jsonl`
}

// Validate is called by kong, before the model is opened.
func (c *dataSynthesizeCmd) Validate() error {
	switch {
	case (c.Prompts == "") == (c.SeedTasks == ""):
		return errors.New("give either --prompts or --seed-tasks")
	case c.N < 1 || c.Batch < 1:
		return errors.New("--n and --batch must be at least 1")
	case !(c.Similar > 0 && c.Similar <= 1):
		return errors.New("--similar must be more than 0 and at most 1")
	case c.MinReward != nil && c.RewardCmd == "":
		return errors.New("--min-reward needs --reward-cmd")
	}
	h, err := c.heuristics()
	return errors.Join(err, h.Validate(), c.verifyFlags.check(), validate(&c.decodingFlags, c.cacheFlags))
}

// attemptsHead is the first line of the file of attempts: all that they depend on.
type attemptsHead struct {
	Command   string        `json:"command"`
	Weights   string        `json:"weights"` // hash of the model's
	Prompts   string        `json:"prompts"` // hash of their texts
	Tasks     bool          `json:"tasks"`
	Verify    verifyFlags   `json:"verify"`
	Rules     ruleFlags     `json:"rules"`
	Decoding  decodingFlags `json:"decoding"`
	Cache     string        `json:"cache,omitempty"`
	Kernels   string        `json:"kernels,omitempty"`
	Precision string        `json:"precision,omitempty"`
	MinReward *float64      `json:"min_reward,omitempty"`
}

// synthesized is the report.
type synthesized struct {
	*posttrain.Sieve
	Yield   float64        `json:"yield"` // kept over attempts
	Prompts near.Diversity `json:"prompt_diversity"`
	Answers near.Diversity `json:"answer_diversity"`
	Seconds float64        `json:"seconds"`       // of this process
	Made    int            `json:"attempts_made"` // by this process
	Out     string         `json:"out"`
}

// Run makes attempts until there are N, and writes what is kept.
func (c *dataSynthesizeCmd) Run(ctx context.Context) error {
	records, err := c.records(ctx)
	if err != nil {
		return err
	}
	path, err := c.modelPath(c.Model)
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	head := attemptsHead{Command: "synthesize", Tasks: c.SeedTasks != "", Verify: c.verifyFlags, Rules: c.ruleFlags, Decoding: c.decodingFlags,
		Cache: c.CacheFormat, Kernels: c.Kernels, Precision: c.Precision, MinReward: c.MinReward}
	if head.Weights, err = hashWeights(path); err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	h := xxh3.New()
	for _, r := range records {
		_, _ = h.WriteString(r.Source + "\x00" + r.Prompt.String() + "\x00" + r.Question() + "\x01")
	}
	head.Prompts = fmt.Sprintf("%016x", h.Sum64())
	journal, made, err := openAttempts(c.Out+".attempts", head)
	if err != nil {
		return err
	}
	defer journal.Close()
	return c.synthesize(ctx, records, journal, made)
}

// records are the prompts or the example tasks.
func (c *dataSynthesizeCmd) records(ctx context.Context) (records []dataset.Record, err error) {
	path, kinds := c.Prompts, []dataset.Kind{dataset.Prompts, dataset.PromptCompletion, dataset.Messages, dataset.Scored, dataset.Preference, dataset.Unpaired}
	if path == "" {
		path = c.SeedTasks
	}
	seen := map[string]bool{}
	found, err := c.each(ctx, []string{path}, kinds, func(r dataset.Record) (bool, error) {
		if r.Kind == dataset.Messages { // up to the assistant's last turn
			last := len(r.Messages) - 1
			for last > 0 && r.Messages[last].Role != "assistant" {
				last--
			}
			r.Prompt = dataset.Text{Turns: r.Messages[:last]}
		}
		if key := r.Prompt.String(); key != "" && !seen[key] {
			seen[key] = true
			records = append(records, r)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	found.describe()
	if len(records) == 0 {
		return nil, found.nothing([]string{path})
	}
	return records, nil
}

func (c *dataSynthesizeCmd) synthesize(ctx context.Context, records []dataset.Record, journal *attempts, made []posttrain.Attempt) error {
	var tasks []string
	if c.SeedTasks != "" {
		for _, r := range records {
			tasks = append(tasks, r.Question())
		}
	}
	sieve := posttrain.NewSieve(near.Options{Similarity: c.Similar}, tasks)
	var kept []posttrain.Attempt
	keep := func(as []posttrain.Attempt) {
		for _, a := range as {
			if a.Number < c.N && sieve.Keep(a) {
				kept = append(kept, a)
			}
		}
	}
	keep(made)
	start, before := time.Now(), len(made)
	if before < c.N {
		m, err := openModel(c.openFlags, c.Model)
		if err != nil {
			return err
		}
		defer m.Close()
		writer, err := posttrain.NewWriter(m.Bundle)
		if err != nil {
			return err
		}
		p := newProgress("generating")
		defer p.Close()
		o := m.Options(c.decoding())
		o.StopIDs = m.Bundle.Stops()
		s := posttrain.Synthesis{Writer: writer, Engine: m.Engine, Options: o, Seed: c.Seed, Prompts: records, Tasks: c.SeedTasks != "", Judge: c.judge}
		for first := before; first < c.N; first += c.Batch {
			p.Set(fmt.Sprintf("attempt %d, %d kept", first, len(kept)), int64(first), int64(c.N))
			made, err := s.Attempts(ctx, first, min(c.Batch, c.N-first))
			if err == nil {
				err = journal.add(made)
			}
			if err != nil && ctx.Err() != nil {
				return interrupted("%d attempts are in %s; the same command goes on", first, c.Out+".attempts")
			}
			if err != nil {
				return err
			}
			keep(made)
		}
		p.Close()
	}
	return c.finish(sieve, kept, time.Since(start), max(0, c.N-before))
}

// judge asks rules, verifiers and the reward.
func (c *dataSynthesizeCmd) judge(ctx context.Context, prompt string, candidate *search.Candidate) (search.Verdict, error) {
	h, err := c.heuristics()
	if err != nil {
		return search.Verdict{}, err
	}
	if broken := h.Broken(candidate); len(broken) > 0 {
		return search.Verdict{Why: strings.Join(broken, "; ")}, nil
	}
	var o search.Options
	if err := c.judges(prompt, &o); err != nil {
		return search.Verdict{}, err
	}
	v := search.Verdict{Pass: true, Score: 1}
	if o.Verify != nil {
		if v, err = o.Verify(ctx, candidate); err != nil || !v.Pass {
			return v, err
		}
	}
	if o.Reward != nil {
		if v.Score, err = o.Reward(ctx, candidate); err != nil {
			return v, err
		}
		if c.MinReward != nil && !(v.Score >= *c.MinReward) {
			v.Pass, v.Why = false, fmt.Sprintf("reward %g, at least %g", v.Score, *c.MinReward)
		}
	}
	return v, nil
}

// finish writes what is kept and prints the report.
func (c *dataSynthesizeCmd) finish(sieve *posttrain.Sieve, kept []posttrain.Attempt, took time.Duration, made int) error {
	var out []byte
	for i := range kept {
		var err error
		if out, err = kept[i].Record().AppendRow(out); err != nil {
			return err
		}
	}
	if err := atomicfile.WriteFile(c.Out, out); err != nil {
		return err
	}
	r := synthesized{Sieve: sieve, Yield: float64(sieve.Kept) / float64(sieve.Attempts), Seconds: took.Seconds(), Made: made, Out: c.Out}
	r.Prompts, r.Answers = sieve.Diversity()
	if c.JSON {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Println(string(data))
		return err
	}
	return r.print(os.Stdout)
}
