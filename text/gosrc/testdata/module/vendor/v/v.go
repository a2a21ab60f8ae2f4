package v

// Vendored comes from someone else and is left out.
func Vendored() int { return 4 }
