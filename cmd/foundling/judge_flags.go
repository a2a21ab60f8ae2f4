package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// judgeOptions say who judges, and by what: results depend on them.
type judgeOptions struct {
	Judge        string `json:"judge,omitempty" help:"Who compares answers: self (the model as it is before training), another model, or the address of a service (OpenAI's chat completions)." placeholder:"self|MODEL|URL"`
	JudgeName    string `json:"judge-name,omitempty" name:"judge-name" help:"Name of the model at the judge's address." placeholder:"NAME"`
	Constitution string `json:"constitution,omitempty" help:"Principles that answers are compared by, one a line (default: eight of general good conduct)." placeholder:"FILE"`
	Decide       string `json:"decide,omitempty" help:"both: where both orders prefer the same answer; mean: by the mean of both orders, for judges that are models of this program (default both)." enum:",both,mean" default:"" placeholder:"both|mean"`
}

// judgeFlags say how a judge is asked; results do not depend on them.
type judgeFlags struct {
	JudgeTimeout    time.Duration `help:"Time that a service has for one reply." default:"60s"`
	JudgeRetries    int           `help:"Attempts after a failed one." default:"3"`
	JudgeConcurrent int           `help:"Questions to a service at a time." default:"4"`
	JudgeKey        string        `help:"Key for the service, sent as a bearer token." env:"FOUNDLING_JUDGE_KEY" placeholder:"KEY"`
	RewardLimit     time.Duration `help:"Time that a command or a service of --reward has for one request." default:"30s"`
	PriceIn         float64       `help:"What a million tokens of questions cost, for the report." placeholder:"MONEY"`
	PriceOut        float64       `help:"What a million tokens of replies cost, for the report." placeholder:"MONEY"`
}

// Validate says which flag is impossible.
func (f *judgeFlags) Validate() error {
	switch {
	case f.JudgeTimeout <= 0 || f.RewardLimit <= 0:
		return errors.New("--judge-timeout and --reward-limit must be more than 0")
	case f.JudgeRetries < 0 || f.JudgeConcurrent < 1:
		return errors.New("--judge-retries must not be negative, --judge-concurrent must be 1 or more")
	case !(f.PriceIn >= 0) || !(f.PriceOut >= 0):
		return errors.New("--price-in and --price-out must not be negative")
	}
	return nil
}

// remote says whether the judge is a service.
func (o *judgeOptions) remote() bool {
	return strings.HasPrefix(o.Judge, "http://") || strings.HasPrefix(o.Judge, "https://")
}

// constitution reads --constitution.
func (o *judgeOptions) constitution() (c *posttrain.Constitution, err error) {
	if o.Constitution == "" {
		return posttrain.DefaultConstitution(), nil
	}
	data, err := readSmall(o.Constitution)
	if err == nil {
		c, err = posttrain.ParseConstitution(data)
	}
	if err != nil {
		return nil, fmt.Errorf("--constitution %s: %w", o.Constitution, err)
	}
	return c, nil
}

// check says early, before there is a run to go on with, what court would say.
func (o *judgeOptions) check(store storeFlags) error {
	if _, err := o.constitution(); err != nil {
		return err
	}
	var err error
	switch {
	case o.remote():
		_, err = newChatService(o.Judge, o.JudgeName, "")
	case o.Judge != "" && o.Judge != "self":
		_, err = store.modelPath(o.Judge)
	}
	if err != nil {
		return fmt.Errorf("--judge: %w", err)
	}
	return nil
}

// court opens the judge. Self is the model that is judged for self, in its file;
// the closer gives the judge's memory back.
func (f *judgeFlags) court(b *cpu.Backend, o *judgeOptions, store storeFlags, self string, seed uint64) (*posttrain.Court, func(), error) {
	c := &posttrain.Court{Seed: seed, Mean: o.Decide == "mean"}
	var err error
	if c.Constitution, err = o.constitution(); err != nil {
		return nil, nil, err
	}
	if o.remote() {
		s, err := newChatService(o.Judge, o.JudgeName, f.JudgeKey)
		if err != nil {
			return nil, nil, usageError{fmt.Errorf("--judge: %w", err)}
		}
		c.Name = s.url + " " + s.model
		c.Judge = &posttrain.Service{Say: s.say, Timeout: f.JudgeTimeout, Retries: f.JudgeRetries, Concurrent: f.JudgeConcurrent}
		c.Batch = max(16, 2*f.JudgeConcurrent)
		return c, func() {}, nil
	}
	path := self
	if o.Judge != "self" {
		var err error
		if path, err = store.modelPath(o.Judge); err != nil {
			return nil, nil, fmt.Errorf("--judge: %w", err)
		}
	}
	z, err := bundle.OpenStored(b, path)
	if err != nil {
		return nil, nil, fmt.Errorf("--judge: %w", err)
	}
	w, err := posttrain.NewWriter(z)
	if err != nil {
		return nil, nil, fmt.Errorf("--judge: %w", err)
	}
	if c.Name, err = hashWeights(path); err != nil {
		return nil, nil, fmt.Errorf("--judge: %w", err)
	}
	e := generate.New(b, z.Model, z.TokenBytes())
	c.Judge = &posttrain.ModelJudge{Engine: e, Writer: w}
	return c, func() {
		e.Close()
		z.Release(b)
	}, nil
}

// readSmall reads a text file of at most a megabyte.
func readSmall(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1<<20+1))
	if err == nil && len(data) > 1<<20 {
		err = errors.New("it has more than a megabyte")
	}
	return string(data), err
}

// cost is what the replies of a judge cost.
func (f *judgeFlags) cost(r *posttrain.JudgeReport) float64 {
	return (float64(r.PromptTokens)*f.PriceIn + float64(r.CompletionTokens)*f.PriceOut) / 1e6
}
