package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/foundling-lm/foundling/internal/atomicfile"
)

// Problem is a task with the candidates that were drawn for it: a line of a pool.
type Problem struct {
	ID           string   `json:"id"`
	Prompt       string   `json:"prompt,omitempty"`
	Gold         string   `json:"gold,omitempty"`          // the right answer, where there is one
	PromptTokens int      `json:"prompt_tokens,omitempty"` // read once for all candidates
	Candidates   []Sample `json:"candidates"`
}

// Sample is a candidate of a pool.
type Sample struct {
	Text    string   `json:"text,omitempty"`
	Answer  string   `json:"answer,omitempty"` // empty: it has none
	Right   bool     `json:"right"`
	Tokens  int      `json:"tokens"`
	SumLogP *float64 `json:"sum_logprob,omitempty"` // of all tokens; absent where it is not known
	// Scores are those of verifiers and rewards, by name; the greatest is chosen.
	Scores map[string]float64 `json:"scores,omitempty"`
}

// PoolHeader is the first line of a pool that this program wrote: what the
// problems came from, so that a run can go on.
type PoolHeader struct {
	Source     string  `json:"source"`
	Candidates int     `json:"candidates"` // a problem
	Problems   int     `json:"problems"`   // when complete
	Seed       uint64  `json:"seed"`
	Settings   string  `json:"settings,omitempty"`
	Alpha      float64 `json:"beta_alpha,omitempty"` // of a synthetic pool's Beta distribution
	Beta       float64 `json:"beta_beta,omitempty"`
}

// Bounds of a pool that is read.
const (
	MaxPoolLine    = 64 << 20 // bytes
	MaxPoolSamples = 4 << 20  // of all problems
)

// ReadPool reads a pool: JSON lines of Problem, after a line {"pool":PoolHeader}
// or not. Errors name the line and the field.
func ReadPool(r io.Reader) (*PoolHeader, []Problem, error) {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 1<<16), MaxPoolLine)
	var header *PoolHeader
	var problems []Problem
	samples := 0
	for n := 1; in.Scan(); n++ {
		line := bytes.TrimSpace(in.Bytes())
		if len(line) == 0 {
			continue
		}
		if header == nil && problems == nil {
			var first struct{ Pool *PoolHeader }
			if json.Unmarshal(line, &first) == nil && first.Pool != nil {
				header = first.Pool
				continue
			}
		}
		var p Problem
		if err := json.Unmarshal(line, &p); err != nil {
			return nil, nil, fmt.Errorf("line %d of the pool: %w", n, err)
		}
		if err := p.check(); err != nil {
			return nil, nil, fmt.Errorf("line %d of the pool: %w", n, err)
		}
		if samples += len(p.Candidates); samples > MaxPoolSamples {
			return nil, nil, fmt.Errorf("line %d of the pool: more than %d candidates", n, MaxPoolSamples)
		}
		problems = append(problems, p)
	}
	if err := in.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, nil, fmt.Errorf("a line of the pool has more than %d bytes", MaxPoolLine)
	} else if err != nil {
		return nil, nil, fmt.Errorf("pool: %w", err)
	}
	return header, problems, nil
}

// check says which field is impossible.
func (p *Problem) check() error {
	if len(p.Candidates) == 0 {
		return errors.New(`field candidates is empty: give [{"right":true,"tokens":12,...}, ...]`)
	}
	if p.PromptTokens < 0 {
		return fmt.Errorf("field prompt_tokens is %d", p.PromptTokens)
	}
	for i, s := range p.Candidates {
		if s.Tokens < 0 || s.Tokens > math.MaxInt32 {
			return fmt.Errorf("field tokens of candidate %d is %d", i, s.Tokens)
		}
		if s.SumLogP != nil && *s.SumLogP > 0 {
			return fmt.Errorf("field sum_logprob of candidate %d is %g: a log-probability is at most 0", i, *s.SumLogP)
		}
	}
	return nil
}

// WritePool writes a pool to path, whole or not at all.
func WritePool(path string, h PoolHeader, problems []Problem) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		if err := e.Encode(map[string]PoolHeader{"pool": h}); err != nil {
			return err
		}
		for i := range problems {
			if err := e.Encode(&problems[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
