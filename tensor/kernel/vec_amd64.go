//go:build !purego

package kernel

func vecAVX2() Vec { return vecPurego() }

func vecAVX512() Vec { return vecPurego() }
