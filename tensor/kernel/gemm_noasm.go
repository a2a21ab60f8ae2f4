//go:build !amd64 || purego

package kernel

// tileArgs is what tile products need besides a blockCall: nothing here.
type tileArgs struct{}
