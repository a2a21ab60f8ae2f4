package main

import (
	"os"
	"testing"
)

// asProgram in the environment makes the test binary the program itself, so that
// tests can run, stop and kill it without building it.
const asProgram = "FOUNDLING_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Setenv(asProgram, "1") // of the processes that tests start
	os.Exit(m.Run())
}
