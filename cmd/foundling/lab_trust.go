package main

import (
	"context"

	"github.com/foundling-lm/foundling/lab"
)

// labTrustCmd measures detectors of wrong answers.
type labTrustCmd struct {
	Out      string `help:"Folder for trust.json and report.html." default:"trust"`
	Subjects int    `help:"Subjects that the model learns about." default:"400"`
	Samples  int    `help:"Other answers to each question." default:"10"`
	Steps    int    `help:"Steps of training." default:"1500"`
	Data     string `help:"Folder with judged answers of real models: TruthfulQA's (truthfulqa_outputs/ada_outputs.csv.gz), halueval_general.jsonl.gz, factool_knowledge_qa.jsonl, factscore_InstructGPT.jsonl.gz; those that are there are used." placeholder:"DIR"`
	labOutput
}

// Help is the detail of --help.
func (labTrustCmd) Help() string {
	return `A small model learns facts that its data tells surely, in doubt, not at all or wrongly.
Then it answers, and figures that should find its wrong answers are measured: entropy and
probability of tokens, P(True), agreement with other answers, SelfCheck, semantic entropy,
grounding in a text; by AUROC and by the risk of answering only what is trusted most. With
--data also on answers of real models that people judged, as far as texts are enough.

Example:

    foundling lab trust
    foundling lab trust --data eval --subjects 1000 --json`
}

func (c *labTrustCmd) options() lab.TrustOptions {
	return lab.TrustOptions{Subjects: c.Subjects, Samples: c.Samples, Steps: c.Steps, Data: c.Data, Seed: c.Seed}
}

// Validate is called by kong.
func (c *labTrustCmd) Validate() error { return c.options().Validate() }

// Run trains, asks and measures.
func (c *labTrustCmd) Run(ctx context.Context) error {
	b, err := labBackend()
	if err != nil {
		return err
	}
	defer b.Close()
	p := newProgress("training")
	r, err := lab.Trust(ctx, b, c.options(), func(done, total int) { p.Set("training", int64(done), int64(total)) })
	p.Close()
	if ctx.Err() != nil {
		return interrupted("nothing was written")
	}
	if err != nil {
		return err
	}
	return c.write(c.Out, "trust", r, r.Page(), r.Tables())
}
