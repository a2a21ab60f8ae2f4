package main

// labCmd is the experiments of package lab.
type labCmd struct {
	TestTime labTestTimeCmd `cmd:"" help:"Accuracy and coverage against the number of candidates and tokens, for every way to choose."`
}
