package shape

// Windows opens one more window for the figures.
func Windows() bool {
	return true
}
