package shape

// helper counts the calls that a test has made.
func helper() int { return 3 }
