package main

import "context"

// ppoFlags are the options of a run with a critic.
type ppoFlags struct {
	policyFlags
	Value         *string  `json:"value,omitempty" help:"What estimates the reward to come: head (on the policy), model (a second one), or the directory of a reward model (default head)." placeholder:"head|model|DIR"`
	ValueClip     *float64 `json:"value-clip,omitempty" name:"value-clip" help:"Values move by at most so much in the readings of a rollout (default 0.2; 0: any)." placeholder:"X"`
	ValueCoef     *float64 `json:"value-coef,omitempty" name:"value-coef" help:"Weight of the critic's loss (default 0.1)." placeholder:"X"`
	Gamma         *float64 `json:"gamma,omitempty" help:"Discount (default 1)." placeholder:"X"`
	Lambda        *float64 `json:"lambda,omitempty" help:"Of GAE (default 0.95)." placeholder:"X"`
	WhitenRewards *bool    `json:"whiten-rewards,omitempty" name:"whiten-rewards" help:"Scale the rewards of tokens to unit variance."`
}

type ppoCmd struct {
	ppoFlags
	policyCmd
}

// Help is shown below the flags.
func (c *ppoCmd) Help() string {
	return `The policy answers prompts, answers are rewarded, a critic says what of that was to
be expected, and the policy learns from the rest without leaving the model that it
began with too far (--kl). Prompts are records or lines of text. Answers of
commands and services are kept in the run's directory, so that a run that goes on
asks nobody twice. Known faults are named when the figures show them.

` + rewardProtocol + `

Examples:

    foundling ppo --model run1 --data prompts.txt --reward verifier:go-parse --budget 10m --out tuned
    foundling ppo --model run1 --data prompts.jsonl --reward "model:judge+-0.001*length" --kl-target 6 --steps 200 --out tuned
    foundling ppo --model run1 --lora 16 --data p.jsonl --reward http://localhost:8000/reward --epochs 1 --out adapter`
}

// Run is the command.
func (c *ppoCmd) Run(ctx context.Context) error {
	defaults, err := policyDefaults("ppo")
	if err != nil {
		return err
	}
	defaults.Value = valueHead
	return runPolicy(ctx, "ppo", &c.policyFlags, &c.ppoFlags, &c.policyCmd, defaults)
}
