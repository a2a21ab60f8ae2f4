//go:build !amd64 || purego

package kernel

var available = []*Set{setPurego()}
