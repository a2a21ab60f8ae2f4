// Package odd knows numbers that two does not divide.
package odd

// Is reports whether a number is odd, as -1 and 3 are.
func Is(n int) bool { return n&1 == 1 }

// Names would be ambiguous, as another package has the same function.
func Names() string { return "1, 3, 5" }
