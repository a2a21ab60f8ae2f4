//go:build !unix

package kernel

import "testing"

func guarded(_ testing.TB, size int) []byte { return make([]byte, size) }
