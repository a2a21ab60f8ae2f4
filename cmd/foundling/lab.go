package main

// labCmd is the experiments of package lab.
type labCmd struct {
	Consistency labConsistencyCmd `cmd:"" help:"How much a model agrees with itself: the same prompt again, paraphrases, samplers, batches and threads."`
	TestTime    labTestTimeCmd    `cmd:"" help:"Accuracy and coverage against the number of candidates and tokens, for every way to choose."`
}
