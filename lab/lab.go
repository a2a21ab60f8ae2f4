// Package lab is experiments: published results made again at a small scale, one
// file an experiment, each with its command under foundling lab.
//
// An experiment is a function from options to a result that JSON can hold, and a
// page of eval/report that shows it. Its random numbers are functions of a seed.
// Not here: what the experiments are about, which is in the packages that they
// call, and flags and files (cmd/foundling).
package lab
