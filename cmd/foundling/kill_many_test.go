//go:build unix && slow

package main

// killRounds is how many times each stage of a run is killed.
const killRounds = 4
