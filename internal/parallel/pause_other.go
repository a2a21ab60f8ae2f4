//go:build !amd64

package parallel

import "sync/atomic"

var looked atomic.Int64

// pause waits a moment.
func pause(n int) {
	for range 16 * n {
		looked.Load()
	}
}
