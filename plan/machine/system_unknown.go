//go:build !linux && !darwin

package machine

func processorName() string { return "" }

func readMemory() Memory { return Memory{} }
