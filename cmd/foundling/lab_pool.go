package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/lab"
)

// drawN is the candidates a problem that a model draws unless --n says.
const drawN = 32

// saveEvery is how much of a long drawing a crash can lose.
const saveEvery = 10 * time.Second

// draw makes the pool of a model, or goes on with the one that an earlier run of
// the same command left. Problems that are complete are saved whatever happens.
func (c *labTestTimeCmd) draw(ctx context.Context) (problems []lab.Problem, err error) {
	set, err := c.taskSet()
	if err != nil {
		return nil, err
	}
	m, err := openModel(c.openFlags, c.Model)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if m.Bundle.Tokenizer == nil {
		return nil, fmt.Errorf("%s has no tokenizer to write text with: %w", c.Model, m.Bundle.NoTokens)
	}
	d := lab.Drawing{Engine: m.Engine, Encode: m.Bundle.TextPrompt, Options: m.Options(c.decoding()), N: c.N}
	if d.N == 0 {
		d.N = drawN
	}
	h, err := c.header(m, d, set)
	if err != nil {
		return nil, err
	}
	if problems, err = c.earlier(h); err != nil {
		return nil, err
	}
	p := newProgress("drawing candidates")
	defer p.Close()
	p.Set("drawing candidates", int64(len(problems)), int64(len(set.Tasks)))
	before, saved := len(problems), time.Now()
	err = lab.DrawPool(ctx, d, set, before, func(x lab.Problem) {
		problems = append(problems, x)
		p.Set("drawing candidates", int64(len(problems)), int64(len(set.Tasks)))
		if time.Since(saved) > saveEvery && lab.WritePool(c.file("pool.jsonl"), h, problems) == nil {
			saved = time.Now()
		}
	})
	if len(problems) > before {
		if e := lab.WritePool(c.file("pool.jsonl"), h, problems); e != nil {
			return nil, e
		}
	}
	return problems, err
}

// header says what the pool comes from: all that its texts depend on.
func (c *labTestTimeCmd) header(m *foundling.Model, d lab.Drawing, set lab.TaskSet) (lab.PoolHeader, error) {
	o := d.Options
	sampling, err := json.Marshal(o.Sample)
	if err != nil {
		return lab.PoolHeader{}, err
	}
	settings := fmt.Sprintf("task %q, tasks %q, extract %q, %d to %d tokens, stop %q %q, context %q, time %v, cache %q, kernels %s, sampling %s",
		c.Task, c.Tasks, c.Extract, o.MinTokens, o.MaxTokens, o.Stop, o.StopRegex, o.Context, o.TimeLimit, c.CacheFormat, m.Backend.Kernels(), sampling)
	return lab.PoolHeader{Source: c.Model, Candidates: d.N, Problems: len(set.Tasks), Seed: c.Seed, Settings: settings}, nil
}

// earlier is the problems that an earlier run saved.
func (c *labTestTimeCmd) earlier(h lab.PoolHeader) ([]lab.Problem, error) {
	path := c.file("pool.jsonl")
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	old, problems, err := lab.ReadPool(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if old == nil || *old != h || len(problems) > h.Problems {
		return nil, fmt.Errorf("%s is the pool of another run: remove it, or choose another --out", path)
	}
	return problems, nil
}

// taskSet is the tasks that the flags name.
func (c *labTestTimeCmd) taskSet() (lab.TaskSet, error) {
	n := c.Problems
	if n == 0 && c.Tasks == "" {
		n = 100
	}
	switch c.Task {
	case "arithmetic":
		return lab.Arithmetic(n, 100, c.Seed), nil
	case "go":
		return lab.GoParse(n), nil
	}
	data, err := os.ReadFile(c.Tasks)
	if err != nil {
		return lab.TaskSet{}, fmt.Errorf("--tasks: %w", err)
	}
	var set lab.TaskSet
	if set.Extract, err = search.ParseExtractor(c.Extract); err != nil {
		return set, err
	}
	for i, line := range bytes.Split(data, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 || n > 0 && len(set.Tasks) == n {
			continue
		}
		t := lab.Task{ID: fmt.Sprint(i + 1)}
		if err := json.Unmarshal(line, &t); err != nil {
			return set, fmt.Errorf("line %d of %s: %w", i+1, c.Tasks, err)
		}
		set.Tasks = append(set.Tasks, t)
	}
	if err := set.Check(); err != nil {
		return set, fmt.Errorf("--tasks %s: %w", c.Tasks, err)
	}
	return set, nil
}
