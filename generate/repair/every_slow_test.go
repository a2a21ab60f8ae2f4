//go:build slow

package repair

// every is 1: each kind of corruption is tried on all documents.
const every = 1
