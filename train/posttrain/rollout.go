package posttrain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/train/objective"
)

// Sample is one completion of a rollout. Its slices have one element a token.
type Sample struct {
	Prompt int     `json:"prompt"` // its number
	IDs    []int32 `json:"ids"`    // the end token included, where it has one
	Text   string  `json:"text"`
	Finish string  `json:"finish"` // as in generate.Result
	Ended  bool    `json:"ended"`  // by an end token

	LogProbs  []float64 `json:"logprobs"`            // under the policy that sampled it, as the trainer computes them
	Reference []float64 `json:"reference,omitempty"` // log-probabilities under the reference
	Values    []float64 `json:"values,omitempty"`    // before each token

	Score float64   `json:"score"`           // the reward of the whole
	Parts []float64 `json:"parts,omitempty"` // of each term, before its weight
	Skip  string    `json:"skip,omitempty"`  // why it has no score: it is not learned from
}

// Rollout is a batch of completions that the policy sampled, and all else that its
// updates depend on. It is written before the first of them.
type Rollout struct {
	Number  int       `json:"number"` // from 0
	Step    int       `json:"step"`   // optimizer steps before it
	State   State     `json:"state"`
	Samples []*Sample `json:"samples"`       // those of one prompt side by side
	Gap     float64   `json:"gap,omitempty"` // mean distance of the engine's log-probabilities from the trainer's, nats

	learned map[*Sample]*lesson // of those that have a score
	figures []figure
	took    map[string]float64 // seconds by part, where this process made it
}

// State is what a rollout hands on to the next one.
type State struct {
	KL       objective.Controller `json:"kl"`
	Baseline float64              `json:"baseline,omitempty"` // running mean of the scores
}

// rolloutDir holds the rollouts in a run directory.
const rolloutDir = "rollouts"

func rolloutPath(dir string, number int) string {
	return filepath.Join(dir, rolloutDir, fmt.Sprintf("%06d.json", number))
}

func answersPath(dir string, number int) string {
	return filepath.Join(dir, rolloutDir, fmt.Sprintf("%06d.answers.jsonl", number))
}

// ReadRollout reads a rollout of a run directory; nil where there is none.
func ReadRollout(dir string, number int) (*Rollout, error) {
	r := &Rollout{}
	found, err := atomicfile.ReadJSON(rolloutPath(dir, number), r)
	if err != nil || !found {
		return nil, err
	}
	return r, nil
}

// Rollouts are the numbers of the rollouts in a run directory, in order.
func Rollouts(dir string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Join(dir, rolloutDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var out []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.Atoi(name); ok && err == nil {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// covering is the rollout of the step, the newest that was not begun after it;
// nil for none.
func covering(dir string, step int) (*Rollout, error) {
	numbers, err := Rollouts(dir)
	if err != nil {
		return nil, err
	}
	for _, n := range slices.Backward(numbers) {
		if r, err := ReadRollout(dir, n); err != nil || r.Step <= step {
			return r, err
		}
	}
	return nil, nil
}

// forgetRollouts removes the rollouts before the given one.
func forgetRollouts(dir string, before int) error {
	entries, err := os.ReadDir(filepath.Join(dir, rolloutDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), ".")
		if n, bad := strconv.Atoi(number); bad == nil && n < before {
			err = errors.Join(err, os.Remove(filepath.Join(dir, rolloutDir, e.Name())))
		}
	}
	return err
}

// sampling is what the engine is told.
func (o *PolicyOptions) sampling() sample.Options {
	return sample.Options{Temperature: o.Temperature, TopK: o.TopK, TopP: o.TopP, Seed: o.Seed}
}

// draw samples the completions of rollout number n: sample i of the run is stream
// i. The engine is opened for it alone, since the weights that its prefixes were
// computed with change afterwards.
func (p *policyRun) draw(ctx context.Context, b tensor.Backend, n int) ([]*Sample, [][]float64, error) {
	size := p.Rollout * p.Completions
	e, err := generate.Open(b, p.Base.Model, p.Base.TokenBytes(), generate.Config{Sequences: size})
	if err != nil {
		return nil, nil, err
	}
	defer e.Close()
	o := generate.Options{Sample: p.sampling(), MaxTokens: p.MaxTokens, StopIDs: p.stops}
	requests := make([]generate.Request, size)
	samples := make([]*Sample, size)
	prompts := p.order(n)
	for i := range samples {
		q := prompts[i/p.Completions]
		samples[i] = &Sample{Prompt: q}
		o.Stream = uint64(n)*uint64(size) + uint64(i)
		requests[i] = generate.Request{Prompt: p.Prompts[q].IDs, Options: o}
	}
	done, tokens := 0, 0
	results, err := e.GenerateAll(ctx, requests, func(int, generate.Piece) bool {
		if tokens++; tokens%size == 0 {
			done = min(done+1, p.MaxTokens)
			p.tell("rollout", done, p.MaxTokens)
		}
		return true
	})
	if err != nil {
		return nil, nil, fmt.Errorf("rollout %d: %w", n, err)
	}
	engine := make([][]float64, size)
	for i, r := range results {
		s := samples[i]
		s.IDs, s.Text, s.Finish, engine[i] = r.IDs, r.Text, r.Finish, r.LogProbs
		if r.StopID >= 0 {
			s.IDs, s.Ended = append(s.IDs, r.StopID), true
			engine[i] = append(engine[i], r.StopLogProb)
		}
	}
	return samples, engine, nil
}
