package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// policyFlags are the options of methods that learn from what they sample; see
// trainFlags.
type policyFlags struct {
	postFlags
	Reward  []string `json:"reward,omitempty" sep:"none" placeholder:"SUM" help:"What a completion is worth: a weighted sum as 0.7*verifier:go-parse+0.3*model:DIR; repeat it to add more. Kinds: ${rewards}."`
	TooLong *string  `json:"too-long,omitempty" name:"too-long" help:"What happens to prompts that leave no room for --max-tokens in --context (default drop)." placeholder:"drop|truncate-left|error"`

	Rollout     *int     `json:"rollout,omitempty" help:"Prompts of a rollout (default 16 with several completions, else 64)." placeholder:"N"`
	Completions *int     `json:"completions,omitempty" help:"Completions of each prompt (default 8 where they are compared, else 1)." placeholder:"N"`
	MaxTokens   *int     `json:"max-tokens,omitempty" name:"max-tokens" help:"Tokens of a completion (default 128, at most half of --context)." placeholder:"N"`
	Temperature *float64 `json:"temperature,omitempty" help:"Of policy and reference, in rollouts and losses (default 1)." placeholder:"X"`
	TopK        *int     `json:"top-k,omitempty" name:"top-k" help:"Sample rollouts from the K most probable tokens only (default all)." placeholder:"K"`
	TopP        *float64 `json:"top-p,omitempty" name:"top-p" help:"Sample rollouts from the most probable tokens of this probability only (default all)." placeholder:"P"`

	RolloutEpochs *int     `json:"rollout-epochs,omitempty" name:"rollout-epochs" help:"Readings of a rollout (default 4 for ppo, else 1)." placeholder:"N"`
	Minibatches   *int     `json:"minibatches,omitempty" help:"Optimizer steps of a reading (default 1)." placeholder:"N"`
	StopKL        *float64 `json:"stop-kl,omitempty" name:"stop-kl" help:"End the readings of a rollout when the policy has moved by so many nats a token (default never)." placeholder:"X"`
	ClipRange     *float64 `json:"cliprange,omitempty" name:"cliprange" help:"Ratios of policies are clipped to 1 - X ... 1 + X (default 0.2)." placeholder:"X"`
	ClipHigh      *float64 `json:"cliprange-high,omitempty" name:"cliprange-high" help:"Upper end of that range (default --cliprange; 0.28 for dapo)." placeholder:"X"`

	KL          *float64 `json:"kl,omitempty" name:"kl" help:"Coefficient of the divergence from the model before training (default by method)." placeholder:"X"`
	KLEstimator *string  `json:"kl-estimator,omitempty" name:"kl-estimator" help:"Of the divergence (default k1 in rewards, k3 in losses)." placeholder:"k1|k2|k3"`
	KLTarget    *float64 `json:"kl-target,omitempty" name:"kl-target" help:"Change the coefficient so that the divergence becomes so many nats a completion (default: it stays)." placeholder:"X"`
	KLHorizon   *float64 `json:"kl-horizon,omitempty" name:"kl-horizon" help:"Completions in which the coefficient may double, roughly (default 10000)." placeholder:"N"`
	EndPenalty  *float64 `json:"end-penalty,omitempty" name:"end-penalty" help:"Subtracted from the score of a completion without an end token (default 0)." placeholder:"X"`
	MaxSkipped  *float64 `json:"max-skipped,omitempty" name:"max-skipped" help:"Share of a rollout that may lack a reward (default 0.5)." placeholder:"X"`
}

// policyOptions are policyFlags, and what commands add, with every field known.
type policyOptions struct {
	postOptions
	Method  string               `json:"method"`
	Reward  []string             `json:"reward"`
	TooLong posttrain.LongPolicy `json:"too-long"`

	Rollout     int     `json:"rollout"`
	Completions int     `json:"completions"`
	MaxTokens   int     `json:"max-tokens"`
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top-k,omitempty"`
	TopP        float64 `json:"top-p,omitempty"`

	RolloutEpochs int     `json:"rollout-epochs"`
	Minibatches   int     `json:"minibatches"`
	StopKL        float64 `json:"stop-kl,omitempty"`
	ClipRange     float64 `json:"cliprange"`
	ClipHigh      float64 `json:"cliprange-high"`

	KL          float64 `json:"kl"`
	KLEstimator string  `json:"kl-estimator"`
	KLTarget    float64 `json:"kl-target,omitempty"`
	KLHorizon   float64 `json:"kl-horizon,omitempty"`
	EndPenalty  float64 `json:"end-penalty"`
	MaxSkipped  float64 `json:"max-skipped"`

	Value         string  `json:"value,omitempty"` // of ppo, as what follows
	ValueClip     float64 `json:"value-clip"`
	ValueCoef     float64 `json:"value-coef"`
	Gamma         float64 `json:"gamma"`
	Lambda        float64 `json:"lambda"`
	WhitenRewards bool    `json:"whiten-rewards,omitempty"`
}

// policyCmd are the flags that the result does not depend on.
type policyCmd struct {
	postCmd
	RewardLimit time.Duration `help:"Time that a command or a service has for one request." default:"30s"`
}

const (
	// policyRate is the default learning rate as a share of that of pre-training.
	policyRate = 0.01
	// policyLoRARate is that of an adapter, as a share of what it is in fine-tuning.
	policyLoRARate = 0.3
	// klHorizon is Ziegler et al.'s (2019, arXiv 1909.08593), in completions.
	klHorizon = 10000
)

// policyDefaults are the options of a new run of a method.
func policyDefaults(method string) (policyOptions, error) {
	p, err := posttrain.DefaultPolicy(method)
	if err != nil {
		return policyOptions{}, err
	}
	o := policyOptions{
		postOptions: postOptions{trainOptions: newTrainOptions()}, Method: method, TooLong: posttrain.DropLong,
		Rollout: p.Rollout, Completions: p.Completions, Temperature: p.Temperature,
		RolloutEpochs: p.Epochs, Minibatches: p.Minibatches, ClipRange: p.Clip.Low, ClipHigh: -1,
		KL: p.KL.Coef, KLEstimator: p.Estimator, MaxSkipped: p.MaxSkipped,
		ValueClip: p.ValueClip, ValueCoef: p.ValueCoef, Gamma: p.Gamma, Lambda: p.Lambda,
	}
	if p.Clip.High != p.Clip.Low {
		o.ClipHigh = p.Clip.High
	}
	return o, nil
}

// resolve fills in and checks the options that other methods do not have.
func (o *policyOptions) resolve(f *policyFlags) error {
	for _, not := range []struct {
		flag  string
		given bool
		why   string
	}{
		{"--batch-tokens", f.BatchTokens != nil, "a step learns from a minibatch: give --rollout, --completions and --minibatches"},
		{"--accumulate", f.Accumulate != nil, "micro-batches are cut by length"},
		{"--z-loss", f.ZLoss != nil, "it is of language modelling"},
		{"--dropout", f.Dropout != nil, "with it the policy that learns is not the one that was sampled from"},
		{"--lora-dropout", f.LoRADropout != nil, "with it the policy that learns is not the one that was sampled from"},
	} {
		if not.given {
			return fmt.Errorf("%s is not of this method: %s", not.flag, not.why)
		}
	}
	if len(o.Reward) == 0 {
		return errors.New("say what a completion is worth with --reward, as --reward verifier:go-parse")
	}
	if o.TooLong == posttrain.TruncateRight || !slices.Contains(posttrain.LongPolicies(), o.TooLong) {
		return fmt.Errorf("--too-long is %q: use drop, truncate-left or error", o.TooLong)
	}
	if f.Optimizer == nil {
		o.Optimizer = "adamw"
	}
	if f.LR == nil && o.LoRA != 0 {
		o.LR *= policyLoRARate
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = min(128, max(1, o.Context/2))
	}
	if o.MaxTokens >= o.Context {
		return fmt.Errorf("--max-tokens is %d: --context %d must have room for a prompt before it", o.MaxTokens, o.Context)
	}
	if o.ClipHigh < 0 {
		o.ClipHigh = o.ClipRange
	}
	if o.KLTarget > 0 && o.KLHorizon == 0 {
		o.KLHorizon = klHorizon
	}
	p := o.policy()
	if err := p.Validate(); err != nil {
		return err
	}
	return nil
}

// policy is what the run is told.
func (o *policyOptions) policy() posttrain.PolicyOptions {
	return posttrain.PolicyOptions{
		Method: o.Method, Rollout: o.Rollout, Completions: o.Completions, MaxTokens: o.MaxTokens,
		Temperature: o.Temperature, TopK: o.TopK, TopP: o.TopP,
		Epochs: o.RolloutEpochs, Minibatches: o.Minibatches, Places: microTokens, StopKL: o.StopKL,
		MaxSkipped: o.MaxSkipped, EndPenalty: o.EndPenalty, Seed: o.Seed,
		Clip:      objective.Clip{Low: o.ClipRange, High: o.ClipHigh},
		KL:        objective.Controller{Coef: o.KL, Target: o.KLTarget, Horizon: o.KLHorizon},
		Estimator: o.KLEstimator,
		ValueClip: o.ValueClip, ValueCoef: o.ValueCoef, Gamma: o.Gamma, Lambda: o.Lambda,
		WhitenRewards: o.WhitenRewards, Whiten: true,
	}
}

// stepsPerEpoch is how many steps take each of n prompts once.
func (o *policyOptions) stepsPerEpoch(n int) float64 {
	return float64(n) / float64(o.Rollout) * float64(o.RolloutEpochs*o.Minibatches)
}
