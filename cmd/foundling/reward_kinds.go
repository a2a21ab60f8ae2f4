package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// rewardHelp lists the kinds of --reward.
const rewardHelp = "verifier:go-parse|arithmetic|json, answer:number|choice|json|code|text (the answer is that of the data), match:REGEX, schema:FILE, command:COMMAND, http://URL, model:DIR, ended, length, overlong:N, repetition"

// rewardProtocol says how rewards from outside are asked, for the help of commands.
const rewardProtocol = `A command of --reward reads {"prompt":...,"completion":...,"reference":...} a line and
writes a line for each: a number, or null for none. A service is sent {"prompts":[...],
"completions":[...],"references":[...]} and answers {"rewards":[...]}.`

// rewards are those of --reward, with what they had to open.
type rewards struct {
	b     tensor.Backend
	limit time.Duration // for one request to a command or service

	judges []string // hashes of reward models
	opened []func() // what to close
}

func (r *rewards) close() {
	for _, f := range r.opened {
		f()
	}
	r.opened = nil
}

// parse opens the rewards of completions of at most so many tokens.
func (r *rewards) parse(specs []string, tokens int) ([]posttrain.Term, error) {
	kinds := posttrain.RewardKinds()
	kinds["schema"] = func(file string, _ int) (posttrain.Term, error) {
		data, err := os.ReadFile(file)
		if err != nil {
			return posttrain.Term{}, err
		}
		v, err := search.Schema(data)
		return posttrain.Term{Reward: posttrain.Verified(v)}, err
	}
	kinds["command"] = func(command string, _ int) (posttrain.Term, error) {
		if command == "" {
			return posttrain.Term{}, errors.New("the command is empty")
		}
		return posttrain.Term{Outside: true, Batch: rewardBatch, Reward: posttrain.CommandReward(&search.Command{Argv: shell(command), Limit: r.limit})}, nil
	}
	for _, scheme := range []string{"http", "https"} {
		kinds[scheme] = func(rest string, _ int) (posttrain.Term, error) {
			s := &rewardService{url: scheme + ":" + rest, limit: r.limit, pause: rewardPause}
			return posttrain.Term{Outside: true, Batch: rewardBatch, Reward: s.reward}, nil
		}
	}
	kinds["model"] = func(dir string, _ int) (posttrain.Term, error) { return r.model(dir) }
	terms, err := posttrain.ParseRewards(specs, kinds, tokens)
	if err != nil {
		return nil, usageError{fmt.Errorf("--reward: %w", err)}
	}
	return terms, nil
}

// checkRewards says what is wrong with the form of rewards, without opening anything.
func checkRewards(specs []string, tokens int) error {
	kinds := posttrain.RewardKinds()
	for _, name := range []string{"schema", "command", "http", "https", "model"} {
		kinds[name] = func(string, int) (posttrain.Term, error) { return posttrain.Term{}, nil }
	}
	_, err := posttrain.ParseRewards(specs, kinds, tokens)
	return err
}

// model is a reward model as a reward.
func (r *rewards) model(dir string) (posttrain.Term, error) {
	z, err := r.openJudge(dir)
	if err != nil {
		return posttrain.Term{}, err
	}
	w, err := posttrain.NewWriter(z)
	if err != nil {
		return posttrain.Term{}, err
	}
	e := generate.New(r.b, z.Model, nil)
	r.opened = append(r.opened, e.Close)
	return posttrain.Term{Reward: posttrain.ModelReward(e, z, w)}, nil
}

// openJudge opens a reward model.
func (r *rewards) openJudge(dir string) (*bundle.Bundle, error) {
	z, err := bundle.Open(r.b, dir)
	if err != nil {
		return nil, err
	}
	if z.Head == nil || z.Head.Labels != nil {
		return nil, fmt.Errorf("%s is no reward model: foundling reward trains one", dir)
	}
	hash, err := hashWeights(dir)
	r.judges = append(r.judges, hash)
	return z, err
}
