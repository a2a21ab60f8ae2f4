//go:build !purego

package kernel

func gemmAVX2() gemmKernels   { return gemmPurego() }
func gemmAVX512() gemmKernels { return gemmPurego() }
func gemmAMX() gemmKernels    { return gemmPurego() }

type tileArgs struct{}
