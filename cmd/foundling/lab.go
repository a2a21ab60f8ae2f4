package main

// labCmd is the experiments of package lab.
type labCmd struct {
	Structured labStructuredCmd `cmd:"" help:"The layers of structured output on one task: prompt, repair, retry, constrained sampling, fine-tuning."`
	TestTime   labTestTimeCmd   `cmd:"" help:"Accuracy and coverage against the number of candidates and tokens, for every way to choose."`
}
