//go:build !slow

package repair

// every says which part of the documents a kind of corruption is tried on: one in
// so many. With -tags slow it is all.
const every = 25
