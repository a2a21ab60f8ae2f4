package main

import (
	"context"
	"strings"
)

// grpoFlags are the options of a run without a critic.
type grpoFlags struct {
	policyFlags
	Method *string  `json:"method,omitempty" help:"How answers become advantages (default grpo)." placeholder:"grpo|dr_grpo|dapo|rloo|reinforce|reinforce++|reinforce++-baseline"`
	Gamma  *float64 `json:"gamma,omitempty" help:"Discount of reinforce++ (default 1)." placeholder:"X"`
}

type grpoCmd struct {
	grpoFlags
	policyCmd
}

// Help is shown below the flags.
func (c *grpoCmd) Help() string {
	return `The policy answers each prompt several times, and learns to prefer the answers that
are worth more than the others of their prompt; no critic is needed. Methods differ
in what an answer is compared with and in how its tokens count: grpo, dr_grpo and
dapo, rloo, reinforce, reinforce++ and reinforce++-baseline.

` + rewardProtocol + `

Examples:

    foundling grpo --model run1 --data prompts.txt --reward verifier:go-parse --budget 10m --out tuned
    foundling grpo --model run1 --data gsm8k.jsonl --reward answer:number --method dapo --steps 100 --out tuned
    foundling grpo --model run1 --lora 16 --data p.jsonl --reward "command:./judge.sh" --method rloo --epochs 1 --out adapter`
}

// Run is the command.
func (c *grpoCmd) Run(ctx context.Context) error {
	method := "grpo"
	if c.Method != nil {
		*c.Method = strings.ReplaceAll(strings.ReplaceAll(*c.Method, "++-", "_pp_"), "++", "_pp")
		method = *c.Method
	}
	defaults, err := policyDefaults(method)
	if err != nil {
		return usageError{err}
	}
	return runPolicy(ctx, "grpo", &c.policyFlags, &c.grpoFlags, &c.policyCmd, defaults)
}
